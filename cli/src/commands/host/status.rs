//! `ship host status`: the host that runs, and what runs in it.

use std::fmt::Write as _;

use ship_api::{CertificateView, HostStatus};

use crate::connection;
use crate::embedded::StartPolicy;
use crate::error::{CommandError, ErrorKind};
use crate::output::{Output, Styles, Table, count, short_time};
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let Some(host) = connection::find(settings, output, StartPolicy::Never).await? else {
        return Err(CommandError::new(ErrorKind::Unreachable, "no host runs here")
            .hint("`ship deploy` starts one in the background, `ship host` in this terminal"));
    };
    let status = host.client.status().await?;
    output.data(&status, |styles| render(&status, styles))
}

fn render(status: &HostStatus, styles: Styles) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let name = styles.dim(format_args!("{name:<9}"));
        let _ = writeln!(text, "{name} {value}");
    };
    line("host", &format!("ship {}, pid {}, since {} UTC", status.version, status.pid, short_time(status.started_at)));
    line("sites", &format!("{}  ({})", styles.place(&status.sites), example(&status.sites, &status.domain)));
    line("control", &styles.place(&status.control));
    line("data", &status.data);
    line("keeps", &isolation(status));
    line("holds", &format!("{}, {}", count(status.projects, "project"), count(status.deployments, "deployment")));
    line("running", &count(status.instances.len() as u64, "function instance"));
    if !status.certificates.is_empty() {
        text.push('\n');
        text.push_str(&certificates(&status.certificates).render(styles));
    }
    if !status.instances.is_empty() {
        let mut table = Table::new(["PROJECT", "DEPLOYMENT", "FUNCTION", "PID", "STATE", "IN FLIGHT"]);
        for instance in &status.instances {
            table.row([
                instance.project.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                instance.deployment.short().to_owned(),
                instance.function.to_string(),
                instance.pid.to_string(),
                instance.state.clone(),
                instance.in_flight.to_string(),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render(styles));
    }
    text
}

/// The certificates that the host gets for itself.
fn certificates(certificates: &[CertificateView]) -> Table<4> {
    let mut table = Table::new(["CERTIFICATE", "UNTIL", "NEXT", "PROBLEM"]);
    for certificate in certificates {
        let time = |at: Option<_>, otherwise: &str| at.map_or_else(|| otherwise.to_owned(), short_time);
        table.row([
            certificate.name.clone(),
            time(certificate.expires_at, "-"),
            time(certificate.next_at, "now"),
            certificate.error.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}

/// What functions are kept from, and what limits them.
fn isolation(status: &HostStatus) -> String {
    let kept = match status.isolation.as_deref() {
        Some("sandbox") => "functions in a sandbox",
        Some(_) => "functions as processes with filters, in no sandbox: this machine allows no namespaces",
        None => "no functions: none can be started here",
    };
    match status.control_groups.as_deref() {
        Some(groups) => format!("{kept}, limited by {groups}"),
        None => format!("{kept}; what memory they use is looked at: this account may make no control groups"),
    }
}

/// What the URL of a site looks like, where `sites` is where sites are served.
pub(super) fn example(sites: &str, domain: &str) -> String {
    let (scheme, usual) = if sites.starts_with("https://") { ("https", ":443") } else { ("http", ":80") };
    let port = sites.rsplit_once(':').map(|(_, port)| format!(":{port}")).filter(|port| port != usual);
    format!("{scheme}://<project>.{domain}{}", port.unwrap_or_default())
}
