//! `ship ls`: what is deployed.

mod chart;

use ship_api::{Client, DeploymentList};
use ship_core::ProjectName;

use crate::args::values;
use crate::connection;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles, Table, short_time};
use crate::project::{self, Wanted};
use crate::settings::Settings;

/// List deployments, newest first
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LsArgs {
    /// How many to list
    #[arg(long, short = 'n', value_name = "N", value_parser = values::number, default_value_t = 20)]
    limit: usize,
    /// Draw how large they are, over time
    #[arg(long)]
    chart: bool,
}

pub(crate) async fn run(arguments: LsArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connection::find(settings, output, StartPolicy::IfOneRanBefore).await?;
    let (list, more) = match &host {
        Some(host) => newest(&host.client, settings.project.as_ref(), arguments.limit).await?,
        None => (DeploymentList { deployments: Vec::new() }, 0),
    };
    if list.deployments.is_empty() {
        output.status("Nothing is deployed yet");
        output.hint("`ship deploy` deploys the current folder");
    }
    let draw = if arguments.chart { chart::draw } else { render };
    output.data(&list, |styles| draw(&list, styles))?;
    if more > 0 {
        output.hint(format_args!("{more} more, `ship ls -n {}`", list.deployments.len() as u64 + more));
    }
    Ok(())
}

/// The newest deployments, and how many there are besides.
async fn newest(
    client: &Client,
    project: Option<&ProjectName>,
    limit: usize,
) -> Result<(DeploymentList, u64), CommandError> {
    let list = client.deployments(project, limit).await?;
    let listed = list.deployments.len();
    if listed > 0 && listed < limit {
        return Ok((list, 0));
    }
    let all = match project {
        Some(name) => project::on_host(client, name, Wanted::There).await?.deployments,
        None => client.projects().await?.projects.iter().map(|project| project.deployments).sum(),
    };
    Ok((list, all.saturating_sub(listed as u64)))
}

fn render(list: &DeploymentList, styles: Styles) -> String {
    if list.deployments.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["PROJECT", "ID", "TARGET", "BRANCH", "CREATED (UTC)", "URL"]);
    for listed in &list.deployments {
        let deployment = &listed.deployment;
        table.row([
            deployment.project.to_string(),
            deployment.id.short().to_owned(),
            if listed.is_production { "production *".to_owned() } else { deployment.target.to_string() },
            deployment.branch.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            short_time(deployment.created_at),
            listed.url.clone(),
        ]);
    }
    table.render(styles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The deployment that production leads to is marked, whatever it was published for.
    #[test]
    fn table() {
        let list: DeploymentList = serde_json::from_str(
            r#"{"deployments":[
                {"deployment":{"id":"0123456789abcdefghijklmnopqrstuv","project":"date-weather","target":"preview","branch":"feature/new-map","commit":null,"created_at":"2026-04-14T12:03:04Z"},
                 "url":"http://date-weather-01234567.localhost:7700","aliases":["http://date-weather-git-feature-new-map.localhost:7700"],"is_production":false},
                {"deployment":{"id":"vvvv456789abcdefghijklmnopqrstuv","project":"date-weather","target":"production","branch":null,"commit":null,"created_at":"2026-04-13T00:00:00Z"},
                 "url":"http://date-weather-vvvv4567.localhost:7700","aliases":["http://date-weather.localhost:7700"],"is_production":true}]}"#,
        )
        .unwrap();
        insta::assert_snapshot!(render(&list, Output::for_tests().data_styles()), @r"
        PROJECT       ID        TARGET        BRANCH           CREATED (UTC)        URL
        date-weather  01234567  preview       feature/new-map  2026-04-14 12:03:04  http://date-weather-01234567.localhost:7700
        date-weather  vvvv4567  production *  -                2026-04-13 00:00:00  http://date-weather-vvvv4567.localhost:7700
        ");
    }
}
