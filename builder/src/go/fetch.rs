//! Fetching the pinned Go toolchain as Go itself does: as a module version, from the proxies that `GOPROXY` names, checked
//! against a digest that ship carries.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;

use super::toolchain::{PINNED_VERSION, ToolchainError};
use super::{settings, unpack};

/// The digests of the pinned toolchain by platform, as `go.sum` writes them. They are over names and contents, so they hold
/// however a proxy compresses the archive.
const PINNED_DIGESTS: [(&str, &str); 4] = [
    ("darwin-amd64", "h1:0JApOD+sH1DW6WwvTcnIvl6MSylguxhQuhTbt6RJ1uo="),
    ("darwin-arm64", "h1:SfEWw1me2He9ojf4S+M6xTnGOP6CosVO88yaBsEgjJ0="),
    ("linux-amd64", "h1:5VAGHlY8yl8pTPVSNIez3SNMy6fWabs+QMR25f3oMT0="),
    ("linux-arm64", "h1:TuAzKmE5TqYnXpnhgY3GtBJCVg4AfNDA/K1gLyX5Hig="),
];

/// How the names of folders begin that are being unpacked.
const UNPACKING: &str = "unpacking-";

/// What Go asks when nothing is set.
const DEFAULT_PROXY: &str = "https://proxy.golang.org,direct";

/// Where `direct` leads for toolchains.
const DIRECT_ADDRESS: &str = "https://go.dev/dl/mod";

/// The most bytes an archive may have. The pinned ones have 73 million.
const MAX_ARCHIVE_BYTES: u64 = 200 * 1024 * 1024;

/// How many bytes arrive between two events about it.
const PROGRESS_STEP_BYTES: u64 = 256 * 1024;

/// How long a proxy may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a proxy may send nothing.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Where the pinned toolchain stands once it is fetched.
pub(super) fn pinned_folder(environment: &BuildEnvironment) -> PathBuf {
    environment.toolchains_dir.join(format!("{PINNED_VERSION}.{}", platform()))
}

/// This machine's platform as Go names it.
fn platform() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}-{arch}")
}

/// Fetches the pinned toolchain, unless another process just did, and gives its folder.
pub(super) fn fetch_pinned(
    environment: &BuildEnvironment,
    events: &dyn Fn(BuildEvent),
) -> Result<PathBuf, ToolchainError> {
    let platform = platform();
    let Some((_, digest)) = PINNED_DIGESTS.iter().find(|(known, _)| *known == platform) else {
        return Err(ToolchainError::Platform { platform });
    };
    let folder = pinned_folder(environment);
    let store = |source| ToolchainError::Storage { path: environment.toolchains_dir.clone(), source };
    std::fs::create_dir_all(&environment.toolchains_dir).map_err(store)?;
    let lock = File::create(environment.toolchains_dir.join("lock")).map_err(store)?;
    lock.lock().map_err(store)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    sweep(&environment.toolchains_dir);
    let mut archive = tempfile::tempfile_in(&environment.toolchains_dir).map_err(store)?;
    let address = download(&platform, environment, &mut archive, events)?;
    events(BuildEvent::ToolchainUnpacking { version: PINNED_VERSION });
    let unpacking =
        tempfile::Builder::new().prefix(UNPACKING).tempdir_in(&environment.toolchains_dir).map_err(store)?;
    let module = format!("golang.org/toolchain@v0.0.1-{PINNED_VERSION}.{platform}/");
    let found = unpack::unpack(Arc::new(archive), &module, unpacking.path())?;
    if found != *digest {
        return Err(ToolchainError::DigestMismatch { version: PINNED_VERSION, address, found, expected: digest });
    }
    std::fs::rename(unpacking.keep(), &folder).map_err(store)?;
    Ok(folder)
}

/// Removes what a killed process left half unpacked. The lock is held, so nobody is at it.
pub(crate) fn sweep(toolchains: &Path) {
    let Ok(entries) = std::fs::read_dir(toolchains) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNPACKING)) {
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::debug!(path = %entry.path().display(), %error, "a half unpacked toolchain stays");
        }
    }
}

/// Downloads the archive into `file` from the first proxy that has it, and gives the address it came from.
fn download(
    platform: &str,
    environment: &BuildEnvironment,
    file: &mut File,
    events: &dyn Fn(BuildEvent),
) -> Result<String, ToolchainError> {
    let setting = settings::value(environment, "GOPROXY").unwrap_or_else(|| DEFAULT_PROXY.into());
    let setting = setting.to_string_lossy();
    let mut failure = None;
    for proxy in Proxy::list(&setting) {
        let Some(base) = proxy.base() else { break };
        let address = format!("{base}/golang.org/toolchain/@v/v0.0.1-{PINNED_VERSION}.{platform}.zip");
        let fetched = match address.strip_prefix("file://") {
            Some(path) => copy_file(Path::new(path), file),
            None => download_url(&address, environment, file, events),
        };
        let Err(refusal) = fetched else { return Ok(address) };
        let goes_on = proxy.on_error == OnError::TryNext || refusal.is_absent;
        tracing::debug!(address, reason = %refusal.source, "no toolchain from this proxy");
        failure = Some(ToolchainError::Unreachable { version: PINNED_VERSION, address, source: refusal.source });
        if !goes_on {
            break;
        }
    }
    Err(failure.unwrap_or_else(|| ToolchainError::Forbidden { proxy: setting.into_owned() }))
}

/// One element of `GOPROXY`.
#[derive(PartialEq, Eq, Debug)]
struct Proxy<'p> {
    name: &'p str,
    on_error: OnError,
}

/// When the next proxy is asked: `,` after a proxy means only if it lacks the module, `|` means after any error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OnError {
    StopUnlessAbsent,
    TryNext,
}

impl<'p> Proxy<'p> {
    fn list(setting: &'p str) -> Vec<Self> {
        let elements = setting.split_inclusive([',', '|']);
        let proxies = elements.map(|element| {
            let on_error = if element.ends_with('|') { OnError::TryNext } else { OnError::StopUnlessAbsent };
            Self { name: element.trim_end_matches([',', '|']).trim(), on_error }
        });
        proxies.filter(|proxy| !proxy.name.is_empty()).collect()
    }

    /// The address below which modules stand; `None` for `off`, behind which nothing is asked.
    fn base(&self) -> Option<String> {
        match self.name {
            "off" => None,
            "direct" => Some(DIRECT_ADDRESS.to_owned()),
            name if name.contains("://") => Some(name.trim_end_matches('/').to_owned()),
            name => Some(format!("https://{}", name.trim_end_matches('/'))),
        }
    }
}

/// Why a proxy gave nothing.
struct Refusal {
    /// It answered that it does not have the module.
    is_absent: bool,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Refusal {
    fn from(source: E) -> Self {
        Self { is_absent: false, source: source.into() }
    }
}

fn copy_file(from: &Path, into: &mut File) -> Result<(), Refusal> {
    let mut from = File::open(from)
        .map_err(|source| Refusal { is_absent: source.kind() == io::ErrorKind::NotFound, source: source.into() })?;
    start_over(into)?;
    io::copy(&mut from, into)?;
    Ok(())
}

fn download_url(
    address: &str,
    environment: &BuildEnvironment,
    into: &mut File,
    events: &dyn Fn(BuildEvent),
) -> Result<(), Refusal> {
    let client = client(environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut response = client.get(address).send().await?;
        if !response.status().is_success() {
            let is_absent = matches!(response.status().as_u16(), 404 | 410);
            return Err(Refusal { is_absent, source: format!("it answered {}", response.status()).into() });
        }
        start_over(into)?;
        let total_bytes = response.content_length();
        let mut received_bytes = 0;
        let tell = |received_bytes| {
            let needed = "Go".to_owned();
            events(BuildEvent::ToolchainFetching { version: PINNED_VERSION, needed, received_bytes, total_bytes });
        };
        tell(received_bytes);
        while let Some(piece) = response.chunk().await? {
            let step_before = received_bytes / PROGRESS_STEP_BYTES;
            received_bytes += piece.len() as u64;
            if received_bytes > MAX_ARCHIVE_BYTES {
                return Err(format!("it sent more than {MAX_ARCHIVE_BYTES} bytes").into());
            }
            into.write_all(&piece)?;
            if received_bytes / PROGRESS_STEP_BYTES > step_before {
                tell(received_bytes);
            }
        }
        Ok(())
    })
}

/// An HTTP client that knows the proxies of the environment it was given, and of no other.
pub(crate) fn client(environment: &BuildEnvironment) -> reqwest::Result<reqwest::Client> {
    // A caller may have chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
    let variable = |name: &str| {
        let value = environment.variable(name).or_else(|| environment.variable(&name.to_ascii_lowercase()))?;
        value.to_str().map(str::to_owned)
    };
    let except = variable("NO_PROXY").and_then(|names| reqwest::NoProxy::from_string(&names));
    for (name, make) in [
        ("HTTPS_PROXY", reqwest::Proxy::https as fn(String) -> reqwest::Result<reqwest::Proxy>),
        ("HTTP_PROXY", reqwest::Proxy::http),
        ("ALL_PROXY", reqwest::Proxy::all),
    ] {
        if let Some(address) = variable(name) {
            builder = builder.proxy(make(address)?.no_proxy(except.clone()));
        }
    }
    builder.build()
}

/// Forgets what an earlier proxy may have sent.
fn start_over(file: &mut File) -> io::Result<()> {
    use std::io::Seek;
    file.set_len(0)?;
    file.rewind()
}

#[cfg(test)]
mod tests;
