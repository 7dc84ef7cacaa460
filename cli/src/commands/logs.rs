//! `ship logs`: what visitors asked for and what functions printed.

mod chart;
mod follow;
pub(super) mod function;

use std::time::Duration;

use futures_util::TryStreamExt as _;
use ship_api::{DeploymentReference, LogQuery};
use ship_core::{
    DeploymentId, FunctionName, LogLevel, LogMoment, LogRecord, LogSource, LogStream, ProjectName, RequestId,
    StatusRanges,
};

use self::follow::Follower;
use crate::args::values;
use crate::connection::{Connection, connect};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles, duration, exact_time, plain};
use crate::project::{self, Wanted};
use crate::settings::Settings;

/// Show request and function logs, oldest first; times are in UTC
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// A deployment: an id, its first 4 characters or more, or a URL (default: the project of the current folder)
    #[arg(value_name = "ID|URL")]
    deployment: Option<DeploymentReference>,
    /// Go on with new lines until Ctrl-C; wait for a host that goes away
    #[arg(long, short, conflicts_with = "until")]
    follow: bool,
    /// How many of the newest lines to begin with (default: 100, with --since all, at most 10000)
    #[arg(long, short = 'n', value_name = "N", value_parser = values::number)]
    limit: Option<usize>,
    /// Only lines of these levels: info, warning, error, fatal
    #[arg(long, value_name = "LEVEL,…", value_delimiter = ',')]
    level: Vec<LogLevel>,
    /// Only lines from then on: 30m, 1h, 2d, or a date and time as in 2026-04-14T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<LogMoment>,
    /// Only lines from before then
    #[arg(long, value_name = "TIME")]
    until: Option<LogMoment>,
    /// Only requests with these statuses: 404, 5xx, 400-499
    #[arg(long, visible_alias = "status-code", value_name = "STATUS,…")]
    status: Option<StatusRanges>,
    /// Only the lines of one request, by its x-ship-id
    #[arg(long, alias = "request", value_name = "ID")]
    request_id: Option<RequestId>,
    /// Only lines about one function, such as api/date
    #[arg(long, value_name = "NAME", value_parser = function::parse)]
    function: Option<FunctionName>,
    /// Only lines with this text in the message or the path, whatever its case
    #[arg(long, short = 's', visible_alias = "query", value_name = "TEXT")]
    search: Option<String>,
    /// Draw how many requests there were, errors and how long answers took, over time
    #[arg(long, conflicts_with = "follow")]
    chart: bool,
    /// With --follow: how many seconds to wait for a host that went away
    #[arg(long, value_name = "SECS", default_value_t = 30, requires = "follow")]
    reconnect: u64,
}

pub(crate) async fn run(mut arguments: LogsArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let (project, deployment) = subject(&host, &mut arguments, settings, output).await?;
    let patience = Duration::from_secs(arguments.reconnect);
    let draws = arguments.chart;
    let query = query(arguments, deployment);
    if draws {
        return chart::show(&host, &project, query, output).await;
    }
    let answer = host.client.logs(&project, &query).await?;
    if query.follow {
        return Follower::new(settings, output, project, query, patience).follow(answer).await;
    }
    let mut lines = answer.lines;
    while let Some(line) = lines.try_next().await? {
        show(&line.record, output)?;
    }
    Ok(())
}

fn query(arguments: LogsArgs, deployment: Option<DeploymentId>) -> LogQuery {
    LogQuery {
        deployment,
        request: arguments.request_id,
        function: arguments.function,
        levels: arguments.level.into_iter().collect(),
        statuses: arguments.status.unwrap_or_default(),
        since: arguments.since,
        until: arguments.until,
        text: arguments.search,
        limit: arguments.limit,
        follow: arguments.follow,
        after: None,
    }
}

fn show(record: &LogRecord, output: &Output) -> Result<(), CommandError> {
    output.data(record, |styles| render(record, &exact_time(record.at), styles))
}

/// Whose logs are meant: those of a deployment, or those of a project. A function that was given by its path gets its name.
async fn subject(
    host: &Connection,
    arguments: &mut LogsArgs,
    settings: &Settings,
    output: &Output,
) -> Result<(ProjectName, Option<DeploymentId>), CommandError> {
    if let Some(reference) = &arguments.deployment {
        let detail = project::deployment_of(&host.client, reference, settings.project.as_ref()).await?;
        let wanted = arguments.function.take();
        arguments.function = wanted.map(|wanted| function::of_deployment(wanted, &detail, output));
        return Ok((detail.deployment.project, Some(detail.deployment.id)));
    }
    let project = project::on_host(&host.client, &project::name_here(settings)?, Wanted::There).await?.name;
    if let Some(wanted) = arguments.function.take() {
        arguments.function = Some(function::of_project(wanted, &project, &host.client, output).await?);
    }
    Ok((project, None))
}

/// One record in one line, behind its time: a request from the margin, what belongs to functions indented.
pub(crate) fn render(record: &LogRecord, time: &str, styles: Styles) -> String {
    let at = styles.dim(time);
    let requests = record.requests.iter().flat_map(|id| ["  ", id.as_str()]).collect::<String>();
    let requests = styles.dim(requests);
    match &record.source {
        LogSource::Request { method, path, status, duration_micros, cold_start, cache, error, .. } => {
            let took = duration(Duration::from_micros(*duration_micros));
            let cold = if *cold_start { " cold" } else { "" };
            let cache = cache.map(|state| format!(" {}", state.as_str())).unwrap_or_default();
            let code = error.as_deref().map(|error| format!(" {error}")).unwrap_or_default();
            let status = colored_status(*status, styles);
            format!("{at} {} {} {status} {took}{cold}{cache}{code}{requests}", plain(method), plain(path))
        }
        LogSource::Function { function, stream, message, truncated } => {
            let cut = if *truncated { " …" } else { "" };
            let label = format_args!("{function} {}:", label(*stream, record.level));
            let label = match record.level {
                LogLevel::Info => styles.dim(label),
                LogLevel::Warning => styles.warning(label),
                LogLevel::Error | LogLevel::Fatal => styles.error(label),
            };
            format!("{at}   {label} {}{cut}{requests}", plain(message))
        }
        LogSource::Platform { function, message } => {
            let about = function.as_ref().map_or("ship", FunctionName::as_str);
            let about = format_args!("{about}:");
            let about = if record.level >= LogLevel::Error { styles.error(about) } else { styles.warning(about) };
            format!("{at}   {about} {}{requests}", plain(message))
        }
    }
}

/// Where a line was printed, or its level where the line itself has said that.
fn label(stream: LogStream, level: LogLevel) -> &'static str {
    match (stream, level) {
        (LogStream::Stdout, LogLevel::Info) => "stdout",
        (LogStream::Stderr, LogLevel::Error) => "stderr",
        (_, level) => level.as_str(),
    }
}

/// A status in the colour of its kind.
pub(crate) fn colored_status(status: u16, styles: Styles) -> String {
    match status {
        500.. => styles.error(status),
        400..500 => styles.warning(status),
        _ => styles.good(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &str) -> String {
        let record: LogRecord = serde_json::from_str(record).unwrap();
        render(&record, &exact_time(record.at), Output::for_tests().data_styles())
    }

    /// A request, what its function printed meanwhile, and what the platform says.
    #[test]
    fn lines() {
        let deployment = "0123456789abcdefghijklmnopqrstuv";
        let request = "01hzy3v7k2m4n6p8r0s2t4v6w8";
        let records = [
            format!(
                r#"{{"at":"2026-04-14T12:03:04.123456Z","deployment":"{deployment}","requests":["{request}"],"source":"request","method":"GET","host":"a.localhost","path":"/api/date?x=1","status":200,"duration_micros":3100,"function":"api/date","cold_start":true,"init_micros":2900}}"#
            ),
            format!(
                r#"{{"at":"2026-04-14T12:03:04.5Z","deployment":"{deployment}","requests":["{request}"],"source":"request","method":"GET","host":"a.localhost","path":"/api/slow","status":504,"duration_micros":60000000,"error":"FUNCTION_INVOCATION_TIMEOUT"}}"#
            ),
            format!(
                r#"{{"at":"2026-04-14T12:03:04Z","deployment":"{deployment}","level":"error","requests":["{request}"],"source":"function","function":"api/date","stream":"stderr","message":"hello \u001b[2J","truncated":true}}"#
            ),
            format!(
                r#"{{"at":"2026-04-14T12:03:04Z","level":"warning","deployment":"{deployment}","source":"function","function":"api/date","stream":"stderr","message":"careful"}}"#
            ),
            format!(
                r#"{{"at":"2026-04-14T12:03:05Z","level":"fatal","deployment":"{deployment}","source":"platform","function":"api/date","message":"it exited with status 2"}}"#
            ),
            format!(
                r#"{{"at":"2026-04-14T12:03:06Z","deployment":"{deployment}","source":"platform","message":"said"}}"#
            ),
        ];
        insta::assert_snapshot!(records.map(|record| line(&record)).join("\n"), @r"
        2026-04-14 12:03:04.123 GET /api/date?x=1 200 3.1 ms cold  01hzy3v7k2m4n6p8r0s2t4v6w8
        2026-04-14 12:03:04.500 GET /api/slow 504 60.0 s FUNCTION_INVOCATION_TIMEOUT  01hzy3v7k2m4n6p8r0s2t4v6w8
        2026-04-14 12:03:04.000   api/date stderr: hello \u{1b}[2J …  01hzy3v7k2m4n6p8r0s2t4v6w8
        2026-04-14 12:03:04.000   api/date warning: careful
        2026-04-14 12:03:05.000   api/date: it exited with status 2
        2026-04-14 12:03:06.000   ship: said
        ");
    }
}
