//! `ship env ls`: what is set, without any value.

use ship_api::VariableList;

use super::scope;
use crate::connection;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles, Table, short_time};
use crate::project;
use crate::settings::Settings;

/// List the variables of a project, without their values
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LsArgs {}

pub(super) async fn run(_: &LsArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let project = project::name_here(settings)?;
    let host = connection::connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let list = host.client.variables(&project).await?;
    if list.variables.is_empty() {
        output.status(format_args!("No variable is set for {project}"));
        output.hint("`ship env set KEY` sets one");
    }
    output.data(&list, |styles| render(&list, styles))
}

fn render(list: &VariableList, styles: Styles) -> String {
    if list.variables.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["NAME", "FOR", "KIND", "SET (UTC)"]);
    for variable in &list.variables {
        table.row([
            variable.name.to_string(),
            scope(variable.target, variable.branch.as_ref()),
            variable.kind.to_string(),
            short_time(variable.set_at),
        ]);
    }
    table.render(styles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row for each target and branch.
    #[test]
    fn table() {
        let list: VariableList = serde_json::from_str(
            r#"{"project":"site","variables":[
                {"name":"DATABASE_URL","target":"production","branch":null,"kind":"secret","set_at":"2026-04-14T12:03:04Z"},
                {"name":"DATABASE_URL","target":"preview","branch":"feature/a","kind":"secret","set_at":"2026-04-13T00:00:00Z"},
                {"name":"VITE_API","target":"production","branch":null,"kind":"plain","set_at":"2026-04-13T00:00:00Z"}]}"#,
        )
        .unwrap();
        insta::assert_snapshot!(render(&list, Output::for_tests().data_styles()), @r"
        NAME          FOR                  KIND    SET (UTC)
        DATABASE_URL  production           secret  2026-04-14 12:03:04
        DATABASE_URL  preview (feature/a)  secret  2026-04-13 00:00:00
        VITE_API      production           plain   2026-04-13 00:00:00
        ");
    }
}
