//! Starting a host in the background: once, whoever asks at the same moment.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::endpoint::{Endpoint, Presence, create_private};
use crate::home::HostFolder;
use crate::output::{Output, duration};
use crate::settings::Settings;
use crate::settings::environment::{
    HOME, LANG, OTEL_BSP_SCHEDULE_DELAY, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_METRIC_EXPORT_INTERVAL, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED,
    OTEL_SERVICE_NAME, PATH, SHIP_LOG, TMPDIR, Variable,
};

/// How long a host may take until it serves. It needs milliseconds; a disk that has to repair itself may need long.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Where a host serves sites unless something else listens there.
pub(crate) const DEFAULT_SITES: &str = "http://127.0.0.1:7700";

/// The most that is read of what a starting host prints.
const MAX_READY_BYTES: u64 = 64 * 1024;

/// How many lines of a host's log are shown when it did not start.
const LOG_LINES_SHOWN: usize = 10;

/// What an embedded host finds in its environment. What else is set where it is started belongs to somebody else.
const PASSED_ON: [Variable; 13] = [
    HOME,
    PATH,
    TMPDIR,
    LANG,
    SHIP_LOG,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_SERVICE_NAME,
    OTEL_RESOURCE_ATTRIBUTES,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_METRIC_EXPORT_INTERVAL,
    OTEL_SDK_DISABLED,
];

/// Whether a host is started when none runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StartPolicy {
    /// Yes.
    Always,
    /// Only if one ran before, and so may have something to tell.
    IfOneRanBefore,
    /// No.
    Never,
}

/// An embedded host cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddedError {
    /// A folder or file of the host cannot be used.
    #[error("{} cannot be used", path.display())]
    Files {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program cannot be started.
    #[error("a host cannot be started from {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The host said why it does not start.
    #[error("the host in the background did not start: {message}")]
    Refused {
        /// What it said.
        message: String,
        /// What it said that had caused it.
        #[source]
        cause: Option<ToldCause>,
        /// What it said could be done.
        hints: Vec<String>,
    },
    /// The host ended or stayed silent.
    #[error("the host in the background did not start; its log is {}", log.display())]
    Silent {
        /// Its log.
        log: PathBuf,
        /// The end of it.
        last_lines: Vec<String>,
    },
}

/// A cause as a host told it.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct ToldCause {
    sentence: String,
    #[source]
    cause: Option<Box<Self>>,
}

impl ToldCause {
    /// The first of these causes, with those behind it.
    fn chain(sentences: Vec<String>) -> Option<Self> {
        let behind = |cause: Option<Self>, sentence| Some(Self { sentence, cause: cause.map(Box::new) });
        sentences.into_iter().rev().fold(None, behind)
    }
}

/// What is known of the embedded host of these settings.
fn look_up(settings: &Settings) -> Result<Presence, EmbeddedError> {
    let data = settings.home.host_data();
    // Its folder is named after the path without symbolic links, so where there is no data there was no host.
    let Ok(data) = data.canonicalize() else { return Ok(Presence::Unknown) };
    presence(&settings.home.host(&data))
}

/// The embedded host, started if it does not run and the policy allows it. `None` if it does not.
pub(crate) async fn find_or_start(
    settings: &Settings,
    output: &Output,
    policy: StartPolicy,
) -> Result<Option<Endpoint>, EmbeddedError> {
    match (look_up(settings)?, policy) {
        (Presence::Running(endpoint), _) => return Ok(Some(endpoint)),
        (Presence::Unknown, StartPolicy::IfOneRanBefore) | (_, StartPolicy::Never) => return Ok(None),
        (Presence::Unknown | Presence::Stopped(_), _) => {}
    }
    let data = settings.home.host_data();
    create_private(&data).map_err(|source| EmbeddedError::Files { path: data.clone(), source })?;
    let data = data.canonicalize().map_err(|source| EmbeddedError::Files { path: data.clone(), source })?;
    let folder = settings.home.host(&data);
    let _turn = turn(folder.clone()).await?;
    let last = presence(&folder)?;
    // Somebody else may have started it while this process waited for its turn.
    if let Presence::Running(endpoint) = last {
        return Ok(Some(endpoint));
    }
    let started = std::time::Instant::now();
    start(settings, &folder, &data).await?;
    match presence(&folder)? {
        Presence::Running(endpoint) => {
            let time = duration(started.elapsed());
            output.status(format_args!("Started a host in the background in {time}; `ship host stop` ends it"));
            say_other_port(&last, &endpoint, output);
            Ok(Some(endpoint))
        }
        Presence::Stopped(_) | Presence::Unknown => Err(silent(&folder)),
    }
}

/// Says that sites are not where they were last time, or at the first start where they usually are.
fn say_other_port(last: &Presence, now: &Endpoint, output: &Output) {
    let usual = match last {
        Presence::Stopped(endpoint) => endpoint.sites.as_str(),
        Presence::Running(_) | Presence::Unknown => DEFAULT_SITES,
    };
    if now.sites != usual {
        let address = usual.strip_prefix("http://").and_then(|address| address.parse().ok());
        let holder = address.and_then(ship_host::holder_of);
        let by = holder.map_or_else(String::new, |holder| format!(" by {holder}"));
        output.status(format_args!("{usual} is taken{by}, so sites are at {}", now.sites));
    }
}

fn presence(folder: &HostFolder) -> Result<Presence, EmbeddedError> {
    Presence::of(folder).map_err(|source| EmbeddedError::Files { path: folder.endpoint_file(), source })
}

/// Waits until nobody else starts this host, on a thread of its own: Ctrl-C must be heard meanwhile.
async fn turn(folder: HostFolder) -> Result<File, EmbeddedError> {
    let path = folder.start_lock();
    let turn = tokio::task::spawn_blocking(move || wait_for_turn(&folder)).await;
    turn.map_err(|error| EmbeddedError::Files { path, source: io::Error::other(error) })?
}

/// Waits until nobody else starts this host. The turn ends when the file is closed.
fn wait_for_turn(folder: &HostFolder) -> Result<File, EmbeddedError> {
    let path = folder.start_lock();
    let lock = || {
        create_private(folder.folder())?;
        let file = fs_err::OpenOptions::new().write(true).create(true).truncate(false).open(&path)?.into_file();
        file.lock()?;
        Ok(file)
    };
    lock().map_err(|source| EmbeddedError::Files { path: path.clone(), source })
}

/// Starts this very program as a host and waits until it says that it serves. Nothing of the terminal stays with it.
async fn start(settings: &Settings, folder: &HostFolder, data: &Path) -> Result<(), EmbeddedError> {
    let log = folder.log_file();
    let log_file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|source| EmbeddedError::Files { path: log.clone(), source })?;
    let mut command = Command::new(&settings.executable);
    command.args(["host", "--embedded", "--json", "--data"]).arg(data);
    command.env_clear().env("SHIP_HOME", settings.home.folder()).envs(settings.environment.pairs(&PASSED_ON));
    command.current_dir(settings.home.folder());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file.into_file());
    let spawned = command.spawn();
    let mut child = spawned.map_err(|source| EmbeddedError::Spawn { program: settings.executable.clone(), source })?;
    let stdout = child.stdout.take().ok_or_else(|| silent(folder))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stdout.take(MAX_READY_BYTES));
    let read = tokio::time::timeout(START_TIMEOUT, reader.read_line(&mut line)).await;
    match (read, serde_json::from_str(&line)) {
        (Ok(Ok(_)), Ok(FirstLine::Ready { .. })) => Ok(()),
        (Ok(Ok(_)), Ok(FirstLine::Failed { error })) => {
            let cause = ToldCause::chain(error.causes);
            Err(EmbeddedError::Refused { message: error.message, cause, hints: error.hints })
        }
        _ => Err(silent(folder)),
    }
}

/// The first line that a host prints.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum FirstLine {
    Ready {
        #[serde(rename = "event")]
        _event: String,
    },
    Failed {
        error: Failure,
    },
}

#[derive(serde::Deserialize)]
struct Failure {
    message: String,
    #[serde(default)]
    causes: Vec<String>,
    #[serde(default)]
    hints: Vec<String>,
}

fn silent(folder: &HostFolder) -> EmbeddedError {
    let log = folder.log_file();
    let text = fs_err::read_to_string(&log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].iter().map(|line| (*line).to_owned());
    EmbeddedError::Silent { log, last_lines: last.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CommandError;

    /// A host's first line says that it serves, or why it does not.
    #[test]
    fn first_lines() {
        let ready = r#"{"event":"ready","sites":"http://127.0.0.1:7700","control":"http://127.0.0.1:7701"}"#;
        assert!(matches!(serde_json::from_str(ready), Ok(FirstLine::Ready { .. })));
        let failed = r#"{"error":{"kind":"project","message":"the disk is full","hints":["`df`"]}}"#;
        let Ok(FirstLine::Failed { error }) = serde_json::from_str(failed) else { panic!("{failed}") };
        assert_eq!((error.message.as_str(), error.hints.as_slice()), ("the disk is full", &["`df`".to_owned()][..]));
    }

    /// What a host says that caused its failure is told in its order.
    #[test]
    fn told_causes() {
        let cause = ToldCause::chain(vec!["no lock".to_owned(), "no room".to_owned()]);
        let error =
            CommandError::from(EmbeddedError::Refused { message: "no store".to_owned(), cause, hints: Vec::new() });
        let lines = ["the host in the background did not start: no store", "caused by: no lock", "caused by: no room"];
        assert_eq!(error.to_lines(), lines);
    }

    /// Whoever comes second waits until the first is done.
    #[test]
    fn turns() {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::home::ShipHome::new(folder.path().to_owned()).host(Path::new("/data"));
        let first = wait_for_turn(&host).unwrap();
        let second = File::open(host.start_lock()).unwrap();
        assert!(second.try_lock().is_err());
        drop(first);
        second.try_lock().unwrap();
    }
}
