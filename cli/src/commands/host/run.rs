//! `ship host`: the server in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use ship_core::HostLabel;
use ship_edge::ShareRules;
use ship_host::{
    AcmeOptions, AfterHandover, Beginning, CertificateFiles, Host, HostOptions, Http3, MetricsAccess, OnHandover,
    PortChoice, Predecessor, Ready, ScrubPace, SuccessorCommand, TlsOptions,
};
use ship_runtime::Isolation;
use ship_store::{NewKey, Retention};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::keeper::become_keeper;
use super::service_manager::{ServiceManager, given_sockets};
use super::signals::{Heard, Signals};
use super::status::example;
use super::{IsolationLevel, RunArgs};
use crate::connection::VERSION;
use crate::diagnostics::{self, Destination};
use crate::embedded::{EmbeddedError, Endpoint, Presence, announce};
use crate::error::{CommandError, ErrorKind, is_full_disk};
use crate::home::HostFolder;
use crate::output::{Output, count, size};
use crate::settings::Settings;

/// In bytes.
const MEGABYTE: NonZeroU64 = NonZeroU64::new(1024 * 1024).expect("it is not 0");

/// Where visitors are served if nothing is said.
const DEFAULT_SITES: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7700);

/// Where the control API is served if nothing is said.
const DEFAULT_CONTROL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7701);

/// How long requests in flight may take to finish when the host stops: less than what service managers wait before they kill.
const DRAIN: Duration = Duration::from_secs(30);

/// The option that tells a host to take over from the one that starts it.
const TAKE_OVER: &str = "--take-over";

/// Whether the host belongs to a terminal or runs by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Foreground,
    Embedded,
}

pub(super) fn run(arguments: &RunArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let mode = if arguments.embedded { Mode::Embedded } else { Mode::Foreground };
    let manager = ServiceManager::of(&settings.environment);
    let predecessor =
        if arguments.take_over { Some(Predecessor::at_standard_input().map_err(host_error)?) } else { None };
    let ended = start(arguments, settings, output, mode, &manager, predecessor.clone());
    if let (Err(error), Some(predecessor)) = (&ended, &predecessor) {
        predecessor.refuse(error.to_refusal());
    }
    match ended? {
        Ended::Stopped => Ok(()),
        Ended::HandedOver { data, signals } => Err(host_error(become_keeper(&data, signals))),
    }
}

/// How a host has ended.
enum Ended {
    /// It is no more.
    Stopped,
    /// Others serve in its place, and whoever started it takes its end for theirs.
    HandedOver { data: PathBuf, signals: Signals },
}

fn host_error(error: std::io::Error) -> CommandError {
    CommandError::new(ErrorKind::Host, error)
}

fn start(
    arguments: &RunArgs,
    settings: &Settings,
    output: &Output,
    mode: Mode,
    manager: &ServiceManager,
    predecessor: Option<Predecessor>,
) -> Result<Ended, CommandError> {
    let data = data_folder(arguments.data.as_deref(), settings)?;
    let folder = settings.home.host(&data);
    let destination = match mode {
        Mode::Foreground => Destination::StandardError,
        Mode::Embedded => {
            // A session of its own: no terminal that closes takes the host with it. A successor is in that of the host before.
            if predecessor.is_none() {
                rustix::process::setsid().map_err(|error| CommandError::new(ErrorKind::Host, error))?;
            }
            Destination::File(folder.log_file())
        }
    };
    crate::embedded::create_private(folder.folder()).map_err(unusable(folder.folder()))?;
    diagnostics::install(settings, output, diagnostics::OF_A_HOST, &destination)
        .map_err(unusable(&folder.log_file()))?;
    if let Some(archive) = arguments.restore.as_deref().filter(|_| predecessor.is_none()) {
        restore(&data, &settings.absolute(archive), settings, output)?;
    }
    let mut options = host_options(arguments, settings, mode, data, &folder)?;
    // A successor is looked after like the host before it. Of the others, one that nobody is told of stays for its successors.
    let stays = mode == Mode::Foreground && !manager.listens() && predecessor.is_none();
    let afterwards = if stays { AfterHandover::Stays } else { AfterHandover::Ends };
    options.successor = Some(successor(settings, afterwards, manager, folder.clone()));
    let beginning = match predecessor {
        Some(predecessor) => Beginning::After(predecessor),
        None => Beginning::Alone(given_sockets(&settings.environment)?),
    };
    ship_host::prepare_descriptors();
    ship_runtime::take_short_turns();
    let runtime = crate::commands::runtime(&mut Builder::new_multi_thread())?;
    runtime.block_on(serve(options, beginning, &folder, manager, output))
}

/// Makes the data directory what was saved.
fn restore(data: &Path, archive: &Path, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let progress = output.progress(&format!("Restoring {}", archive.display()));
    let restored = ship_store::restore(data, archive)?;
    progress.finish();
    let (deployments, blobs) = (count(restored.deployments, "deployment"), count(restored.blobs, "blob"));
    output.status(format_args!("Restored {deployments} and {blobs}, {}", size(restored.blob_bytes)));
    // Without a key nothing could be set ever again, and with the credential of a service there is one.
    if restored.sealed_values > 0
        && settings.host_key_file().is_none()
        && ship_store::begin_with_a_new_key(data).map_err(|error| CommandError::new(ErrorKind::Host, error))?
            == NewKey::Made
    {
        let values = count(restored.sealed_values, "value");
        output.warning(format_args!(
            "{values} of variables cannot be opened: the key that sealed them is in no backup, and a new one was made"
        ));
        output.hint(format_args!(
            "add the old secrets.key as a line below the new one in {}, or set each again (`ship env set`) and deploy",
            data.join("secrets.key").display()
        ));
    }
    Ok(())
}

/// Another host is started as this one was.
fn successor(
    settings: &Settings,
    afterwards: AfterHandover,
    manager: &ServiceManager,
    folder: HostFolder,
) -> SuccessorCommand {
    let mut arguments = settings.arguments.clone();
    if !arguments.iter().any(|word| word == TAKE_OVER) {
        arguments.push(TAKE_OVER.into());
    }
    let manager = manager.clone();
    let announced_again = move |ready: &Ready| match Presence::of(&folder) {
        Ok(Presence::Running(endpoint)) if endpoint.pid == ready.pid => {}
        // A process that did not come to serve had announced itself already.
        _ => {
            if let Err(error) = announce(&folder, &endpoint(ready)) {
                tracing::warn!(%error, "commands of this account do not find this host");
            }
        }
    };
    let handed_over = OnHandover::new(move |pid| manager.main_process(pid), announced_again);
    SuccessorCommand { program: settings.executable.clone(), arguments, handed_over, afterwards }
}

/// The data directory, made if it is absent: absolute and free of symbolic links, so that it has one name.
fn data_folder(given: Option<&Path>, settings: &Settings) -> Result<PathBuf, CommandError> {
    let data = given.map_or_else(|| settings.home.host_data(), |path| settings.absolute(path));
    let canonical = crate::embedded::create_private(&data).and_then(|()| data.canonicalize());
    canonical.map_err(|error| match error {
        error if is_full_disk(&error) => unusable(&data)(error),
        error => CommandError::project(format!("the data directory {} cannot be used: {error}", data.display())),
    })
}

/// A file or folder of the host cannot be used.
fn unusable(path: &Path) -> impl FnOnce(std::io::Error) -> CommandError {
    move |source| EmbeddedError::Files { path: path.to_owned(), source }.into()
}

fn host_options(
    arguments: &RunArgs,
    settings: &Settings,
    mode: Mode,
    data: PathBuf,
    folder: &HostFolder,
) -> Result<HostOptions, CommandError> {
    let domain = arguments.domain.to_ascii_lowercase();
    if let Some(label) = domain.split('.').find(|label| label.parse::<HostLabel>().is_err()) {
        return Err(CommandError::usage(format!("`--domain {domain}` is no domain: `{label}` is not a DNS label")));
    }
    // The ports of last time come first, so that the URLs of deployments outlive a restart.
    let last = match (mode, Presence::of(folder)) {
        (Mode::Embedded, Ok(Presence::Stopped(endpoint))) => Some(endpoint),
        _ => None,
    };
    let last_address = |url: fn(&Endpoint) -> &str| {
        last.as_ref().and_then(|endpoint| url(endpoint).strip_prefix("http://")?.parse().ok())
    };
    Ok(HostOptions {
        data,
        sites: arguments.listen.or_else(|| last_address(|endpoint| &endpoint.sites)).unwrap_or(DEFAULT_SITES),
        control: arguments.control.or_else(|| last_address(|endpoint| &endpoint.control)).unwrap_or(DEFAULT_CONTROL),
        tls: tls_options(arguments, settings)?,
        dns_server: arguments.dns_server,
        domain,
        token_file: folder.token_file(),
        host_key_file: settings.host_key_file(),
        interpreters: settings.interpreters(),
        least_isolation: arguments.isolation.map(|level| match level {
            IsolationLevel::Sandbox => Isolation::Sandbox,
            IsolationLevel::Process => Isolation::Process,
        }),
        allowed_addresses: arguments.allow_address.clone(),
        shares: ShareRules { proxies: arguments.proxy.clone(), processor_percent: arguments.address_share },
        ports: if mode == Mode::Embedded { PortChoice::NextFree } else { PortChoice::Exact },
        telemetry: settings.telemetry()?,
        metrics: if arguments.open_metrics { MetricsAccess::Everybody } else { MetricsAccess::Token },
        log_bytes: arguments.log_mb * 1024 * 1024,
        scrub: ScrubPace {
            first: Duration::from_secs(arguments.scrub_after),
            bytes_a_second: arguments.scrub_mb.saturating_mul(MEGABYTE),
        },
        retention: arguments.keep.map(|keep| Retention { keep, keep_days: arguments.keep_days }),
        drain: DRAIN,
        successor: None,
    })
}

/// How visitors are served through TLS, if they are.
fn tls_options(arguments: &RunArgs, settings: &Settings) -> Result<Option<TlsOptions>, CommandError> {
    let Some(address) = arguments.tls_listen else { return Ok(None) };
    if arguments.tls_cert.is_empty() && arguments.acme_email.is_none() {
        let error = CommandError::usage("`--tls-listen` needs certificates");
        return Err(error
            .hint("`--tls-cert FILE --tls-key FILE` names your own, `--acme-email ADDRESS` gets them automatically"));
    }
    let (certificates, keys) = (&arguments.tls_cert, &arguments.tls_key);
    if certificates.len() != keys.len() {
        let counts = format!("{} certificates and {} keys", certificates.len(), keys.len());
        return Err(CommandError::usage(format!("{counts}: each `--tls-cert FILE` needs its `--tls-key FILE`")));
    }
    let pair = |(certificate, key): (&PathBuf, &PathBuf)| CertificateFiles {
        certificate: settings.absolute(certificate),
        key: settings.absolute(key),
    };
    let acme = arguments.acme_email.clone().map(|email| AcmeOptions {
        email,
        directory: arguments.acme_directory.clone(),
        root: arguments.acme_ca.as_deref().map(|path| settings.absolute(path)),
        dns_hook: arguments.acme_dns_hook.as_deref().map(|path| settings.absolute(path)),
    });
    let http3 = if arguments.no_http3 { Http3::Off } else { Http3::Offered };
    Ok(Some(TlsOptions { address, files: certificates.iter().zip(keys).map(pair).collect(), http3, acme }))
}

async fn serve(
    options: HostOptions,
    beginning: Beginning,
    folder: &HostFolder,
    manager: &ServiceManager,
    output: &Output,
) -> Result<Ended, CommandError> {
    let afterwards = options.successor.as_ref().map_or(AfterHandover::Ends, |successor| successor.afterwards);
    let is_first = matches!(beginning, Beginning::Alone(_));
    let mut signals = Signals::listen()?;
    let host = Host::start(options, beginning).await?;
    let (ready, upgrader) = (host.ready().clone(), host.upgrader());
    announce(folder, &endpoint(&ready)).map_err(unusable(&folder.endpoint_file()))?;
    if is_first {
        // What a successor prints would be a second ready line where scripts expect one.
        say_ready(&ready, output)?;
        manager.ready();
    }
    let shutdown = CancellationToken::new();
    let heard = Heard { upgrader: &upgrader, afterwards, data: &ready.data, output, shutdown: &shutdown };
    tokio::select! {
        result = host.serve(shutdown.clone()) => result?,
        () = heard.follow(&mut signals) => {}
    }
    let stays = upgrader.has_handed_over() && afterwards == AfterHandover::Stays;
    Ok(if stays { Ended::HandedOver { data: ready.data, signals } } else { Ended::Stopped })
}

fn endpoint(ready: &Ready) -> Endpoint {
    Endpoint {
        pid: ready.pid,
        sites: ready.sites.clone(),
        control: ready.control.clone(),
        domain: ready.domain.clone(),
        data: ready.data.display().to_string(),
        version: VERSION.to_owned(),
    }
}

/// The line that says where a host serves. Its form is a promise to scripts.
#[derive(Debug, Serialize)]
struct ReadyLine<'r> {
    event: &'static str,
    sites: &'r str,
    /// Where there is TLS: what leads visitors who come without it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirects: Option<&'r str>,
    control: &'r str,
    domain: &'r str,
    token_file: &'r Path,
}

fn say_ready(ready: &Ready, output: &Output) -> Result<(), CommandError> {
    let line = ReadyLine {
        event: "ready",
        sites: &ready.sites,
        redirects: ready.redirects.as_deref(),
        control: &ready.control,
        domain: &ready.domain,
        token_file: &ready.token_file,
    };
    output.data(&line, |styles| {
        let (sites, control) = (styles.place(&ready.sites), styles.place(&ready.control));
        let example = example(&ready.sites, &ready.domain);
        let redirects = ready.redirects.as_deref().map(|from| format!("redirect {}\n", styles.place(from)));
        let token = ready.token_file.display();
        format!(
            "sites    {sites}  ({example})\n{}control  {control}\ntoken    {token}\n",
            redirects.unwrap_or_default()
        )
    })
}
