//! `ship alias`: the names that move, and where each leads now.

use serde::Serialize;
use ship_api::{Client, ListedView};
use ship_core::{BranchName, DeploymentId, ProjectName};

use crate::connection;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles, Table};
use crate::settings::Settings;

/// How many deployments are asked for at once: as many as a host lists in one answer.
const PAGE: usize = 1_000;

/// Show which names lead to which deployments: of production, of branches, and domains
///
/// `ship promote` and `ship rollback` move production, a deploy from a branch moves that of the branch, and `ship domains` adds names.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AliasArgs {}

/// The names, as a program reads them.
#[derive(Debug, Serialize)]
struct AliasDocument {
    aliases: Vec<AliasRow>,
}

/// A name and where it leads.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct AliasRow {
    project: ProjectName,
    url: String,
    deployment: DeploymentId,
    branch: Option<BranchName>,
}

pub(crate) async fn run(_: AliasArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connection::find(settings, output, StartPolicy::IfOneRanBefore).await?;
    let aliases = match &host {
        Some(host) => all(&host.client, settings.project.as_ref()).await?,
        None => Vec::new(),
    };
    if aliases.is_empty() {
        output.status("No name leads to a deployment yet");
        output.hint("`ship deploy` makes a deployment, and the name of its project leads to it");
    }
    let document = AliasDocument { aliases };
    output.data(&document, |styles| render(&document.aliases, styles))
}

/// Every name of a project, or of all.
async fn all(client: &Client, project: Option<&ProjectName>) -> Result<Vec<AliasRow>, CommandError> {
    let mut rows = Vec::new();
    let mut older_than = None;
    loop {
        let page = client.deployments_before(project, PAGE, older_than.as_ref()).await?.deployments;
        older_than = page.last().map(|last| last.deployment.id);
        let is_last = page.len() < PAGE;
        rows.extend(page.into_iter().flat_map(rows_of));
        if is_last {
            rows.sort();
            return Ok(rows);
        }
    }
}

fn rows_of(listed: ListedView) -> impl Iterator<Item = AliasRow> {
    let ListedView { deployment, aliases, .. } = listed;
    aliases.into_iter().map(move |url| AliasRow {
        project: deployment.project.clone(),
        url,
        deployment: deployment.id,
        branch: deployment.branch.clone(),
    })
}

fn render(aliases: &[AliasRow], styles: Styles) -> String {
    if aliases.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["PROJECT", "DEPLOYMENT", "BRANCH", "URL"]);
    for AliasRow { project, url, deployment, branch } in aliases {
        let branch = branch.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        table.row([project.to_string(), deployment.short().to_owned(), branch, url.clone()]);
    }
    table.render(styles)
}
