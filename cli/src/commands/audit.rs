//! `ship audit`: who did what from where.

use ship_api::{AuditList, AuditView};
use ship_core::LogMoment;

use crate::args::values;
use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles, Table, plain, short_time};
use crate::settings::Settings;

/// List who did what from where, newest first
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AuditArgs {
    /// Only what happened from a time on: 1h (ago), or 2026-04-14T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<LogMoment>,
    /// How many to list
    #[arg(long, short = 'n', value_name = "N", value_parser = values::number, default_value_t = 100)]
    limit: usize,
}

pub(crate) async fn run(arguments: AuditArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let list = host.client.audit(settings.project.as_ref(), arguments.since, arguments.limit).await?;
    output.data(&list, |styles| render(&list, styles))
}

fn render(list: &AuditList, styles: Styles) -> String {
    if list.entries.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["AT (UTC)", "WHO", "FROM", "ACTION", "PROJECT", "WHAT", "OUTCOME"]);
    let text = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), plain);
    for entry in &list.entries {
        table.row([
            short_time(entry.at),
            who(entry),
            text(&entry.peer),
            entry.action.clone(),
            text(&entry.project),
            text(&entry.resource),
            entry.code.as_ref().map_or_else(|| entry.outcome.clone(), |code| format!("{} {code}", entry.outcome)),
        ]);
    }
    table.render(styles)
}

fn who(entry: &AuditView) -> String {
    match (&entry.token_name, &entry.token) {
        (Some(name), Some(id)) => plain(&format!("{name} ({id})")),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change, and a stranger who was refused.
    #[test]
    fn table() {
        let list: AuditList = serde_json::from_str(
            r#"{"entries":[
                {"at":"2026-04-14T12:03:04Z","token":null,"token_name":null,"peer":"192.0.2.7","action":"authenticate","project":null,"resource":"/v1/status","outcome":"refused","code":"UNAUTHORIZED"},
                {"at":"2026-04-14T12:03:03Z","token":"k3v9q2m8x1","token_name":"ann","peer":"127.0.0.1","action":"production.promote","project":"blue","resource":"0123456789abcdefghijklmnopqrstuv","outcome":"done","code":null}]}"#,
        )
        .unwrap();
        insta::assert_snapshot!(render(&list, Output::for_tests().data_styles()), @r"
        AT (UTC)             WHO               FROM       ACTION              PROJECT  WHAT                              OUTCOME
        2026-04-14 12:03:04  -                 192.0.2.7  authenticate        -        /v1/status                        refused UNAUTHORIZED
        2026-04-14 12:03:03  ann (k3v9q2m8x1)  127.0.0.1  production.promote  blue     0123456789abcdefghijklmnopqrstuv  done
        ");
    }
}
