//! The domains there are.

use ship_api::{Client, DomainView};
use ship_core::ProjectName;

use crate::error::CommandError;
use crate::output::{Output, Styles, Table};

pub(super) async fn run(client: &Client, project: Option<&ProjectName>, output: &Output) -> Result<(), CommandError> {
    let list = client.domains(project).await?;
    if list.domains.is_empty() {
        output.status("No project has a domain yet");
        output.hint("`ship domains add NAME` claims one for the project of the current folder");
    }
    output.data(&list, |styles| render(&list.domains, styles))
}

fn render(domains: &[DomainView], styles: Styles) -> String {
    if domains.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["DOMAIN", "PROJECT", "LEADS TO", "PROOF", "CERTIFICATE"]);
    for domain in domains {
        let leads = domain.redirect_to.as_ref().map_or_else(|| "production".to_owned(), ToString::to_string);
        let proof = match domain.verified_at {
            Some(_) => "found".to_owned(),
            None => format!("{} TXT {}", domain.record, domain.proof),
        };
        table.row([domain.unicode.clone(), domain.project.to_string(), leads, proof, certificate(domain)]);
    }
    table.render(styles)
}

fn certificate(domain: &DomainView) -> String {
    let Some(certificate) = &domain.certificate else { return "-".to_owned() };
    match (&certificate.error, certificate.expires_at) {
        (Some(error), _) => error.clone(),
        (None, Some(until)) => format!("until {}", crate::output::short_time(until)),
        (None, None) => "ordered".to_owned(),
    }
}
