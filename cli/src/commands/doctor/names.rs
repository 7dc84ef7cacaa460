//! The names of projects: where they lead, and until when their certificates hold.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ship_api::{CertificateView, DomainView};

use super::finding::{Finding, Problem};
use crate::connection::host_of;
use crate::output::{count, short_time};

/// How many days before its end a certificate should have been renewed: hosts begin after two thirds of its time.
const RENEWED_DAYS: i64 = 14;

/// How long the DNS may take for one name.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many names are looked up.
const LOOKED_UP: usize = 50;

/// Whether the names of projects lead to the host whose control address is `control`.
pub(super) async fn domains(domains: &[DomainView], control: &str) -> Finding {
    let host = host_of(control).unwrap_or_default();
    let here = if host == "localhost" { Vec::new() } else { addresses(&host).await };
    let looked_up = domains.iter().take(LOOKED_UP).map(|domain| lead(domain, &here));
    let problems: Vec<Problem> = join_all(looked_up).await.into_iter().flatten().collect();
    let proofs = domains.iter().filter(|domain| domain.verified_at.is_none()).map(|domain| {
        let what = format!("{} is not served: nothing proves yet that it is of {}", domain.unicode, domain.project);
        let hint = format!(
            "a TXT record `{}` with `{}`, then `ship domains verify {} --project {}`",
            domain.record, domain.proof, domain.name, domain.project
        );
        Problem::new(what, hint)
    });
    let problems: Vec<Problem> = problems.into_iter().chain(proofs).collect();
    Finding::new("domains", count(domains.len() as u64, "domain"), problems)
}

/// What is wrong with where a name leads.
async fn lead(domain: &DomainView, here: &[IpAddr]) -> Option<Problem> {
    let name = domain.name.as_str();
    let found = addresses(name).await;
    let is_here =
        |address: &IpAddr| if here.is_empty() { is_of_this_machine(*address) } else { here.contains(address) };
    if found.iter().any(is_here) {
        return None;
    }
    let what = if found.is_empty() {
        format!("{} leads nowhere: the DNS knows no address of it", domain.unicode)
    } else {
        let found = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        format!(
            "{} leads to {found}, which is no address of the host, unless something there passes visitors on",
            domain.unicode
        )
    };
    let wanted = here.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let wanted = if wanted.is_empty() { "the address of this machine".to_owned() } else { wanted };
    Some(Problem::new(what, format!("an A or AAAA record of {name} with {wanted}")))
}

async fn addresses(name: &str) -> Vec<IpAddr> {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        _ => Vec::new(),
    }
}

/// Only what is an address of this machine can be bound to.
fn is_of_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Until when certificates hold.
pub(super) fn certificates(certificates: &[CertificateView]) -> Finding {
    let now = Timestamp::now();
    let problems = certificates.iter().filter_map(|certificate| expiring(certificate, now)).collect();
    let first = certificates.iter().filter_map(|certificate| certificate.expires_at).min();
    let state = match (certificates.len(), first) {
        (0, _) => "the host gets none by itself".to_owned(),
        (number, Some(first)) => {
            format!("{}, the first until {}", count(number as u64, "certificate"), short_time(first))
        }
        (number, None) => format!("{}, none there yet", count(number as u64, "certificate")),
    };
    Finding::new("tls", state, problems)
}

fn expiring(certificate: &CertificateView, now: Timestamp) -> Option<Problem> {
    let name = &certificate.name;
    let what = match certificate.expires_at {
        None => format!("there is no certificate for {name} yet"),
        Some(end) if end < now => format!("the certificate for {name} ended at {}", short_time(end)),
        Some(end) if end < now + SignedDuration::from_hours(24 * RENEWED_DAYS) => {
            format!("the certificate for {name} ends at {} and was not renewed", short_time(end))
        }
        Some(_) => certificate.error.as_ref().map(|_| format!("the certificate for {name} could not be renewed"))?,
    };
    let why = certificate.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let hint = match certificate.next_at {
        Some(next) => format!("the host tries again at {}; port 80 of {name} has to lead to it", short_time(next)),
        None => format!("the host is getting it; port 80 of {name} has to lead to it"),
    };
    Some(Problem::new(format!("{what}{why}"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate that nears its end is told, with why it was not renewed; one that holds is not.
    #[test]
    fn ends() {
        let now: Timestamp = "2026-04-14T12:00:00Z".parse().unwrap();
        let certificate = |days: i64, error: Option<&str>| CertificateView {
            name: "a.example".to_owned(),
            expires_at: Some(now + SignedDuration::from_hours(24 * days)),
            next_at: None,
            error: error.map(str::to_owned),
        };
        let told = |days, error| expiring(&certificate(days, error), now).map(|problem| problem.what().to_owned());
        assert_eq!(told(60, None), None);
        insta::assert_snapshot!(told(-1, None).unwrap(), @"the certificate for a.example ended at 2026-04-13 12:00:00");
        insta::assert_snapshot!(told(3, Some("refused")).unwrap(), @"the certificate for a.example ends at 2026-04-17 12:00:00 and was not renewed: refused");
        insta::assert_snapshot!(told(60, Some("refused")).unwrap(), @"the certificate for a.example could not be renewed: refused");
    }
}
