//! Domains come and go.

use ship_api::{Client, DomainRequest};
use ship_core::{DomainName, ProjectName};

use crate::error::CommandError;
use crate::output::Output;

pub(super) async fn add(
    client: &Client,
    project: &ProjectName,
    name: DomainName,
    redirect_to: Option<DomainName>,
    output: &Output,
) -> Result<(), CommandError> {
    let domain = client.add_domain(project, &DomainRequest { name, redirect_to }).await?;
    if domain.verified_at.is_some() {
        output.status(format_args!("{} leads to {project}", domain.unicode));
    } else {
        output
            .status(format_args!("{} is claimed for {project}, and leads nowhere until it is proved", domain.unicode));
        output.hint(format_args!("set the TXT record, then `ship domains verify {} --project {project}`", domain.name));
    }
    output.data(&domain, |_| match domain.verified_at {
        Some(_) => domain.url.clone(),
        None => format!("{} TXT {}", domain.record, domain.proof),
    })
}

pub(super) async fn verify(
    client: &Client,
    project: &ProjectName,
    name: &DomainName,
    output: &Output,
) -> Result<(), CommandError> {
    let domain = client.verify_domain(project, name).await?;
    output.status(format_args!("{} leads to {project}", domain.unicode));
    output.data(&domain, |_| domain.url.clone())
}

pub(super) async fn remove(
    client: &Client,
    project: &ProjectName,
    name: &DomainName,
    output: &Output,
) -> Result<(), CommandError> {
    let domain = client.remove_domain(project, name).await?;
    output.status(format_args!("{} leads to {project} no more", domain.unicode));
    output.data(&domain, |_| domain.name.to_string())
}
