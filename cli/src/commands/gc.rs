//! `ship gc`: what nobody needs goes.

use std::fmt::Write as _;

use ship_api::{GcRequest, GcView, HeapView};

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles, Table, count, short_time, size};
use crate::settings::Settings;

/// Remove what no deployment needs, and deployments that are not kept
///
/// A host does this by itself every few hours. What production or a branch leads to always stays.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct GcArgs {
    /// Only say what would be removed, and how much that is
    #[arg(long)]
    dry_run: bool,
    /// Keep the newest N deployments of each branch (default: what the host was started with, else all)
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    /// Keep deployments for so many days after their last use (default: what the host was started with, else 30)
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
}

pub(crate) async fn run(arguments: GcArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let GcArgs { dry_run, keep, keep_days } = arguments;
    let collected = host.client.gc(&GcRequest { dry_run, keep, keep_days }).await?;
    if collected.spared.number > 0 {
        let (blobs, bytes) = (count(collected.spared.number, "blob"), size(collected.spared.bytes));
        output.status(format_args!("{blobs} ({bytes}) stay for uploads that are not published yet"));
    }
    if dry_run {
        output.status("Nothing was removed: this is what `ship gc` would remove");
    }
    output.data(&collected, |styles| render(&collected, styles))
}

fn render(collected: &GcView, styles: Styles) -> String {
    let mut text = String::new();
    if !collected.deployments.is_empty() {
        let mut table = Table::new(["PROJECT", "ID", "BRANCH", "CREATED (UTC)"]);
        for deployment in &collected.deployments {
            table.row([
                deployment.project.to_string(),
                deployment.id.short().to_owned(),
                deployment.branch.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                short_time(deployment.created_at),
            ]);
        }
        text.push_str(&table.render(styles));
        text.push('\n');
    }
    let verb = if collected.dry_run { "Would remove" } else { "Removed" };
    let _ = writeln!(text, "{verb} {}", count(collected.deployments.len() as u64, "deployment"));
    let variants = match collected.variants.number {
        0 => String::new(),
        number => format!(", {} of them", count(number, "compressed form")),
    };
    let mut line = |heap: &HeapView, what: &str, more: &str| {
        let _ = writeln!(text, "{verb} {} ({}){more}", count(heap.number, what), size(heap.bytes));
    };
    line(&collected.blobs, "blob", &variants);
    line(&collected.functions, "unpacked function", "");
    line(&collected.compiled_code, "compiled function", "");
    if collected.set_aside.number > 0 {
        line(&collected.set_aside, "damaged blob", " that nobody misses");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What went is listed, and how much it was.
    #[test]
    fn rendered() {
        let collected: GcView = serde_json::from_str(
            r#"{"dry_run":false,
                "deployments":[{"id":"0123456789abcdefghijklmnopqrstuv","project":"date-weather","branch":"feature/new-map","created_at":"2026-04-14T12:03:04Z"}],
                "blobs":{"number":3,"bytes":12345},"variants":{"number":2,"bytes":1000},"functions":{"number":1,"bytes":7000000},
                "compiled_code":{"number":0,"bytes":0},"set_aside":{"number":0,"bytes":0},"spared":{"number":0,"bytes":0}}"#,
        )
        .unwrap();
        insta::assert_snapshot!(render(&collected, Output::for_tests().data_styles()), @r"
        PROJECT       ID        BRANCH           CREATED (UTC)
        date-weather  01234567  feature/new-map  2026-04-14 12:03:04

        Removed 1 deployment
        Removed 3 blobs (12.3 kB), 2 compressed forms of them
        Removed 1 unpacked function (7.0 MB)
        Removed 0 compiled functions (0 B)
        ");
    }
}
