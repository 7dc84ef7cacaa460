//! Fetching a pinned program from the package index that a person uses, checked against a digest that ship carries.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use reqwest::Url;
use ship_core::DigestHasher;
use zip::ZipArchive;

use super::index;
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;
use crate::go::{http_client, sweep};

/// A program of a version that ship chose.
pub(crate) struct PinnedWheel {
    /// What it is called on the index.
    pub(crate) project: &'static str,
    /// How progress names it: `uv 0.13.8`.
    pub(crate) name: &'static str,
    /// What it is fetched for, as a person is told.
    pub(crate) reason: &'static str,
    /// Its files by platform, and the SHA-256 of each.
    pub(crate) wheels: &'static [(&'static str, &'static str, &'static str)],
    /// What of them is kept.
    pub(crate) unpacked: Unpacked,
}

/// What of a wheel is kept.
pub(crate) enum Unpacked {
    /// This one file, which is the program, under its own name.
    Program(&'static str),
    /// Everything in this folder, among it the program of the project's name.
    Folder {
        /// The folder in the wheel.
        folder: &'static str,
        /// The program in it.
        program: &'static str,
    },
}

/// The most bytes of an index page. That of uv has two and a half million.
const MAX_PAGE_BYTES: usize = 32 * 1024 * 1024;

/// The most bytes of a wheel. The largest of the pinned ones has a hundred million.
const MAX_WHEEL_BYTES: u64 = 200 * 1024 * 1024;

/// How the names of folders begin that are being unpacked.
const UNPACKING: &str = "unpacking-";

/// How many bytes arrive between two events about it.
const PROGRESS_STEP_BYTES: u64 = 256 * 1024;

/// What keeps an address from giving what was asked for.
type Refusal = Box<dyn std::error::Error + Send + Sync>;

impl PinnedWheel {
    /// The program, if it was fetched before.
    pub(crate) fn fetched(&self, environment: &BuildEnvironment) -> Option<PathBuf> {
        Some(self.program(environment)).filter(|program| program.is_file())
    }

    /// Where the program stands once it is fetched.
    fn program(&self, environment: &BuildEnvironment) -> PathBuf {
        self.folder(environment).join(match self.unpacked {
            Unpacked::Program(path) => file_name(path),
            Unpacked::Folder { program, .. } => program,
        })
    }

    fn folder(&self, environment: &BuildEnvironment) -> PathBuf {
        environment.toolchains_dir.join(format!("{}.{}", self.name.replace(' ', "-"), platform()))
    }
}

/// This machine's platform.
fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Fetches a program, unless it was fetched before, and gives its place.
pub(crate) fn fetch(
    pinned: &PinnedWheel,
    environment: &BuildEnvironment,
    events: &dyn Fn(BuildEvent),
) -> Result<PathBuf, FetchError> {
    let platform = platform();
    let Some((_, wheel, expected)) = pinned.wheels.iter().find(|(known, ..)| *known == platform) else {
        return Err(FetchError::Platform { platform });
    };
    if let Some(program) = pinned.fetched(environment) {
        return Ok(program);
    }
    let toolchains = &environment.toolchains_dir;
    let store = |source| FetchError::Storage { path: toolchains.clone(), source };
    std::fs::create_dir_all(toolchains).map_err(store)?;
    let lock = File::create(toolchains.join("lock")).map_err(store)?;
    lock.lock().map_err(store)?;
    if let Some(program) = pinned.fetched(environment) {
        return Ok(program);
    }
    sweep(toolchains);
    let mut archive = tempfile::tempfile_in(toolchains).map_err(store)?;
    let page = format!("{}/{}/", index::index(environment).trim_end_matches('/'), pinned.project);
    // What arrives is written here, and a full disk is not the index's fault.
    let failed = |source: Refusal| match source.downcast::<io::Error>() {
        Ok(source) => FetchError::Storage { path: toolchains.clone(), source: *source },
        Err(source) => FetchError::Unreachable { address: shown(&page), source },
    };
    let download = Download { pinned, wheel, environment, events };
    let found = download.run(&page, &mut archive).map_err(failed)?;
    if found != *expected {
        return Err(FetchError::Digest { address: shown(&page), found, expected });
    }
    let unpacking = tempfile::Builder::new().prefix(UNPACKING).tempdir_in(toolchains).map_err(store)?;
    unpack(archive, &pinned.unpacked, unpacking.path()).map_err(store)?;
    std::fs::rename(unpacking.keep(), pinned.folder(environment)).map_err(store)?;
    Ok(pinned.program(environment))
}

/// A program could not be fetched.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// There is none for this machine.
    Platform {
        /// The operating system and processor.
        platform: String,
    },
    /// The index did not give it.
    Unreachable {
        /// What was asked, without a password.
        address: String,
        /// Why it gave nothing.
        source: Refusal,
    },
    /// What arrived is something else.
    Digest {
        /// Where it came from.
        address: String,
        /// Its digest.
        found: String,
        /// The digest it should have.
        expected: &'static str,
    },
    /// It cannot be written.
    Storage {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An address without the name and password that may stand in it.
fn shown(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        Err(_) => address.to_owned(),
    }
}

/// One download.
struct Download<'d> {
    pinned: &'d PinnedWheel,
    wheel: &'d str,
    environment: &'d BuildEnvironment,
    events: &'d dyn Fn(BuildEvent),
}

impl Download<'_> {
    /// Downloads the wheel that the index page names and gives its digest.
    fn run(&self, page: &str, into: &mut File) -> Result<String, Refusal> {
        let client = http_client(self.environment)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let address = self.address(&client, page).await?;
            let mut response = client.get(address).send().await?.error_for_status()?;
            let total_bytes = response.content_length();
            let (mut hasher, mut received_bytes) = (DigestHasher::new(), 0);
            self.tell(received_bytes, total_bytes);
            while let Some(piece) = response.chunk().await? {
                let step_before = received_bytes / PROGRESS_STEP_BYTES;
                received_bytes += piece.len() as u64;
                if received_bytes > MAX_WHEEL_BYTES {
                    return Err(format!("it sent more than {MAX_WHEEL_BYTES} bytes").into());
                }
                hasher.update(&piece);
                into.write_all(&piece)?;
                if received_bytes / PROGRESS_STEP_BYTES > step_before {
                    self.tell(received_bytes, total_bytes);
                }
            }
            Ok(hasher.finish().to_hex())
        })
    }

    /// The address of the wheel, as the index page has it.
    async fn address(&self, client: &reqwest::Client, page: &str) -> Result<Url, Refusal> {
        let mut response = client.get(page).header("accept", "text/html").send().await?.error_for_status()?;
        let base = response.url().clone();
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await? {
            text.extend_from_slice(&piece);
            if text.len() > MAX_PAGE_BYTES {
                return Err(format!("its list of versions has more than {MAX_PAGE_BYTES} bytes").into());
            }
        }
        let found = link_to(self.wheel, &String::from_utf8_lossy(&text), &base);
        let mut address = found.ok_or_else(|| format!("it has no {}", self.wheel))?;
        // Whoever wrote a password into the index's address means it for the files on the same machine too.
        let asked = Url::parse(page)?;
        if address.host() == asked.host() && address.password().is_none() {
            let _ = address.set_username(asked.username());
            let _ = address.set_password(asked.password());
        }
        Ok(address)
    }

    fn tell(&self, received_bytes: u64, total_bytes: Option<u64>) {
        let PinnedWheel { name, reason, .. } = self.pinned;
        (self.events)(BuildEvent::ToolFetching { name, reason, received_bytes, total_bytes });
    }
}

/// The address of a file that an index page names, in HTML or in JSON.
fn link_to(file: &str, page: &str, base: &Url) -> Option<Url> {
    let addresses = page.split(['"', '\'']).filter(|text| text.contains(file));
    let mut named = addresses.filter_map(|text| base.join(&text.replace("&amp;", "&")).ok());
    named.find(|url| {
        url.path().rsplit('/').next().is_some_and(|name| name.replace("%2B", "+") == file)
            && url.path() != format!("/{file}")
    })
}

/// Takes what is kept out of a wheel, whose digest was checked, into `folder`.
fn unpack(mut archive: File, unpacked: &Unpacked, folder: &Path) -> io::Result<()> {
    archive.rewind()?;
    let mut zip = ZipArchive::new(archive)?;
    let (prefix, programs) = match unpacked {
        Unpacked::Program(path) => return write(&mut zip.by_name(path)?, &folder.join(file_name(path)), 0o755),
        Unpacked::Folder { folder, program } => (format!("{folder}/"), program),
    };
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let Some(path) = entry.enclosed_name() else { continue };
        let Ok(below) = path.strip_prefix(&prefix) else { continue };
        if entry.is_dir() {
            continue;
        }
        let mode = if below == Path::new(programs) { 0o755 } else { 0o644 };
        let file = folder.join(below);
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        write(&mut entry, &file, mode)?;
    }
    // Temporary folders are for their owner alone, and toolchains may be shared.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn write(from: &mut impl io::Read, to: &Path, mode: u32) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(mode).open(to)?;
    io::copy(from, &mut file).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both forms of an index page name a file, with relative and with absolute addresses.
    #[test]
    fn links() {
        let base = Url::parse("https://index.example/simple/uv/").unwrap();
        let link = |page: &str| link_to("uv-1-py3.whl", page, &base).map(|url| url.to_string());
        let html = "<a href=\"../../files/uv-1-py3.whl#sha256=ab\" data-x=\"y\">uv-1-py3.whl</a>";
        assert_eq!(link(html).as_deref(), Some("https://index.example/files/uv-1-py3.whl#sha256=ab"));
        let json = "{\"files\":[{\"filename\":\"other\",\"url\":\"https://files.example/a/uv-1-py3.whl\"}]}";
        assert_eq!(link(json).as_deref(), Some("https://files.example/a/uv-1-py3.whl"));
        assert_eq!(link("<a href=\"uv-1-py3.whl.metadata\">"), None);
    }

    /// No password is shown.
    #[test]
    fn passwords() {
        assert_eq!(shown("https://me:secret@index.example/simple/uv/"), "https://index.example/simple/uv/");
    }
}
