//! `ship inspect`: what a deployment holds, and what leads to it.

mod build_log;
mod picture;
mod subject;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use ship_api::{CronView, DeploymentDetail, DeploymentReference, FunctionView, WarmView};
use ship_core::FunctionName;

use self::subject::Subject;
use super::logs::function;
use crate::error::CommandError;
use crate::output::{Output, Styles, Table, count, plain, short_time, size};
use crate::settings::Settings;

/// Show what a deployment holds and what leads to it
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// An id, its first 4 characters or more, or a URL (default: what production leads to)
    #[arg(value_name = "ID|URL")]
    deployment: Option<DeploymentReference>,
    #[command(flatten)]
    view: View,
    /// Where the picture goes (default: standard output, if that is no terminal)
    #[arg(long, short, value_name = "FILE", requires = "picture")]
    output: Option<PathBuf>,
    /// Of what `ship build` or a framework left in the current folder, rather than of a deployment
    #[arg(long, requires = "picture", conflicts_with = "deployment")]
    prebuilt: bool,
}

/// What of it is shown.
#[derive(Clone, Debug, clap::Args)]
#[group(multiple = false)]
struct View {
    /// Draw its routes and functions: an SVG
    #[arg(long, group = "picture")]
    graph: bool,
    /// Draw what a function is made of, by package and file: an HTML page
    #[arg(long, value_name = "FUNCTION", group = "picture", value_parser = function::parse)]
    bundle: Option<FunctionName>,
    /// Show what its build said
    #[arg(long)]
    build_log: bool,
}

pub(crate) async fn run(arguments: InspectArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let InspectArgs { deployment, view, output: file, prebuilt } = arguments;
    let subject = if prebuilt {
        Subject::built(settings, output).await?
    } else {
        Subject::deployed(deployment, settings, output).await?
    };
    match (view, subject) {
        (View { graph: true, .. }, subject) => picture::graph(&subject, file.as_deref(), settings, output),
        (View { bundle: Some(function), .. }, subject) => {
            picture::bundle(&subject, &function, file.as_deref(), settings, output).await
        }
        (View { build_log: true, .. }, Subject::Deployed { host, detail }) => {
            build_log::show(&host.client, &detail, output).await
        }
        (_, Subject::Deployed { detail, .. }) => output.data(&detail, |styles| render(&detail, styles)),
        (_, Subject::Built(_)) => Err(CommandError::usage("--prebuilt goes with --graph or --bundle")),
    }
}

fn render(detail: &DeploymentDetail, styles: Styles) -> String {
    let deployment = &detail.deployment;
    let mut text = format!("{}  {}\n", styles.strong(&deployment.project), deployment.id);
    let mut line = |name: &str, value: &str| {
        let name = styles.dim(format_args!("{name:<9}"));
        let _ = writeln!(text, "  {name} {value}");
    };
    line("target", if detail.is_production { "production, live" } else { deployment.target.as_str() });
    line("branch", deployment.branch.as_ref().map_or("-", |branch| branch.as_str()));
    line("commit", deployment.commit.as_deref().unwrap_or("-"));
    if let Some(subject) = &deployment.subject {
        line("message", &plain(subject.as_str()));
    }
    if let Some(author) = &deployment.author {
        line("author", &plain(author.as_str()));
    }
    line("created", &format!("{} UTC", short_time(deployment.created_at)));
    line("url", &styles.place(&detail.url));
    for alias in &detail.aliases {
        line("alias", &styles.place(alias));
    }
    let files = &detail.r#static;
    line("static", &format!("{}, {}", count(files.files, "file"), size(files.bytes)));
    line("functions", &detail.functions.len().to_string());
    if !detail.functions.is_empty() {
        text.push('\n');
        text.push_str(&functions(&detail.functions, styles));
        text.push('\n');
        text.push_str(&limits(&detail.functions, styles));
        text.push('\n');
        text.push_str(&scaling(&detail.functions, styles));
    }
    if !detail.hard_patterns.is_empty() {
        text.push('\n');
        text.push_str(&hard_patterns(&detail.hard_patterns, styles));
    }
    if !detail.crons.is_empty() {
        text.push('\n');
        text.push_str(&crons(&detail.crons, styles));
    }
    text
}

/// What a person looks for where requests end in `ROUTE_PATTERN_EXHAUSTED`.
fn hard_patterns(patterns: &[String], styles: Styles) -> String {
    let mut table = Table::new(["PATTERNS THAT MAY TAKE TOO MANY STEPS"]);
    for pattern in patterns {
        table.row([plain(pattern)]);
    }
    table.render(styles)
}

fn crons(crons: &[CronView], styles: Styles) -> String {
    let mut table = Table::new(["CRON", "SCHEDULE"]);
    for cron in crons {
        table.row([cron.path.clone(), cron.schedule.clone()]);
    }
    table.render(styles)
}

fn functions(functions: &[FunctionView], styles: Styles) -> String {
    let mut table = Table::new(["FUNCTION", "RUNTIME", "SIZE", "RUNNING", "DIGEST"]);
    for function in functions {
        table.row([
            function.route.clone(),
            function.runtime.to_string(),
            size(function.size_bytes),
            function.instances.len().to_string(),
            function.digest.to_string(),
        ]);
    }
    table.render(styles)
}

/// What an instance of each function may use.
fn limits(functions: &[FunctionView], styles: Styles) -> String {
    let mut table = Table::new([
        "LIMITS",
        "TIMEOUT",
        "START",
        "MEMORY",
        "CPU",
        "BODY",
        "PROCESSES",
        "FILES",
        "/TMP",
        "NETWORK",
        "ISOLATION",
    ]);
    for FunctionView { route, limits, isolation, .. } in functions {
        table.row([
            route.clone(),
            format!("{} s", limits.timeout_secs),
            format!("{} s", limits.init_timeout_secs),
            format!("{} MB", limits.memory_mb),
            limits.cpu.map_or_else(|| "-".to_owned(), |cpu| cpu.to_string()),
            limits.max_body_mb.map_or_else(|| "-".to_owned(), |most| format!("{most} MB")),
            limits.max_processes.to_string(),
            limits.max_files.to_string(),
            format!("{} MB", limits.tmp_mb),
            limits.network.to_string(),
            isolation.as_deref().unwrap_or("-").to_owned(),
        ]);
    }
    table.render(styles) + &not_held(functions)
}

/// A line with the limits that bound nothing on the host, if there are any.
fn not_held(functions: &[FunctionView]) -> String {
    let names: BTreeSet<&str> =
        functions.iter().flat_map(|function| &function.limits_not_held).map(String::as_str).collect();
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = names.into_iter().collect();
    format!("On this host these bound nothing: {} (`ship doctor` says why)\n", names.join(", "))
}

/// How many instances of each function there are, and when.
fn scaling(functions: &[FunctionView], styles: Styles) -> String {
    let mut table = Table::new(["SCALING", "INSTANCES", "REQUESTS EACH", "FULL AT", "IDLE", "WARM"]);
    for FunctionView { route, limits, warm, .. } in functions {
        table.row([
            route.clone(),
            format!("{} to {}", limits.min_instances, limits.max_instances),
            limits.concurrency.to_string(),
            limits.target_utilization.to_string(),
            format!("{} s", limits.idle_secs),
            warm.iter().map(schedule).collect::<Vec<_>>().join(", "),
        ]);
    }
    table.render(styles)
}

fn schedule(warm: &WarmView) -> String {
    format!("{} from {} {}", warm.min_instances, warm.cron, warm.time_zone)
}
