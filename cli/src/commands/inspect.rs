//! `ship inspect`: what a deployment holds, and what leads to it.

use std::fmt::Write as _;

use ship_api::{CronView, DeploymentDetail, DeploymentReference, FunctionView, WarmView};

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles, Table, count, plain, short_time, size};
use crate::project;
use crate::settings::Settings;

/// Show what a deployment holds and what leads to it
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// An id, its first 4 characters or more, or a URL (default: what production leads to)
    #[arg(value_name = "ID|URL")]
    deployment: Option<DeploymentReference>,
}

pub(crate) async fn run(arguments: InspectArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let reference = match arguments.deployment {
        Some(reference) => reference,
        None => project::on_host(&host.client, &project::name_here(settings)?).await?.url.parse()?,
    };
    let detail = project::deployment_of(&host.client, &reference, settings.project.as_ref()).await?;
    output.data(&detail, |styles| render(&detail, styles))
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
    table.render(styles)
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
