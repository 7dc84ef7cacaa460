//! Fetching the pinned uv from the package index that a person uses, checked against a digest that ship carries.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use ship_core::DigestHasher;
use zip::ZipArchive;

use super::error::PythonError;
use super::index;
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;
use crate::go::http_client;

/// The version that is fetched when there is none.
const VERSION: &str = "0.13.8";

/// The same as progress names it.
const NAME: &str = "uv 0.13.8";

/// The wheels of the pinned version by platform, and the SHA-256 of each.
const WHEELS: [(&str, &str, &str); 4] = [
    (
        "linux-x86_64",
        "uv-0.13.8-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
    ),
    (
        "linux-aarch64",
        "uv-0.13.8-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
        "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
    ),
    (
        "macos-x86_64",
        "uv-0.13.8-py3-none-macosx_10_12_x86_64.whl",
        "b7124ca1956ec2e476a1003ea5715a15f0266afaec37f4dc9c6972ba8183e6d1",
    ),
    (
        "macos-aarch64",
        "uv-0.13.8-py3-none-macosx_11_0_arm64.whl",
        "62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49",
    ),
];

/// The most bytes of an index page. That of uv has two and a half million.
const MAX_PAGE_BYTES: usize = 32 * 1024 * 1024;

/// The most bytes of a wheel. The pinned ones have 17 million.
const MAX_WHEEL_BYTES: u64 = 100 * 1024 * 1024;

/// How many bytes arrive between two events about it.
const PROGRESS_STEP_BYTES: u64 = 256 * 1024;

/// What keeps an address from giving what was asked for.
type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// Fetches uv, unless it was fetched before, and gives the program.
pub(super) fn fetch(environment: &BuildEnvironment, events: &dyn Fn(BuildEvent)) -> Result<PathBuf, PythonError> {
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let Some((_, wheel, expected)) = WHEELS.iter().find(|(known, ..)| *known == platform) else {
        return Err(PythonError::NoUv { platform });
    };
    let folder = environment.toolchains_dir.join(format!("uv-{VERSION}.{platform}"));
    let program = folder.join("uv");
    if program.is_file() {
        return Ok(program);
    }
    let store = |source| PythonError::Storage { path: environment.toolchains_dir.clone(), source };
    std::fs::create_dir_all(&environment.toolchains_dir).map_err(store)?;
    let lock = File::create(environment.toolchains_dir.join("lock")).map_err(store)?;
    lock.lock().map_err(store)?;
    if program.is_file() {
        return Ok(program);
    }
    let mut archive = tempfile::tempfile_in(&environment.toolchains_dir).map_err(store)?;
    let page = format!("{}/uv/", index::index(environment).trim_end_matches('/'));
    let unreachable = |source: Refusal| PythonError::UvUnreachable { address: shown(&page), source };
    let found = download(&page, wheel, environment, &mut archive, events).map_err(unreachable)?;
    if found != *expected {
        return Err(PythonError::UvDigest { address: shown(&page), found, expected });
    }
    std::fs::create_dir_all(&folder).map_err(store)?;
    unpack(archive, &folder, &program).map_err(store)?;
    Ok(program)
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

/// Downloads the wheel that the index page names and gives its digest.
fn download(
    page: &str,
    wheel: &str,
    environment: &BuildEnvironment,
    into: &mut File,
    events: &dyn Fn(BuildEvent),
) -> Result<String, Refusal> {
    let client = http_client(environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut response = client.get(page).header("accept", "text/html").send().await?.error_for_status()?;
        let base = response.url().clone();
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await? {
            text.extend_from_slice(&piece);
            if text.len() > MAX_PAGE_BYTES {
                return Err(format!("its list of versions has more than {MAX_PAGE_BYTES} bytes").into());
            }
        }
        let mut address =
            link_to(wheel, &String::from_utf8_lossy(&text), &base).ok_or_else(|| format!("it has no {wheel}"))?;
        // Whoever wrote a password into the index's address means it for the files on the same machine too.
        let asked = Url::parse(page)?;
        if address.host() == asked.host() && address.password().is_none() {
            let _ = address.set_username(asked.username());
            let _ = address.set_password(asked.password());
        }
        let mut response = client.get(address).send().await?.error_for_status()?;
        let total_bytes = response.content_length();
        let (mut hasher, mut received_bytes) = (DigestHasher::new(), 0);
        events(BuildEvent::UvFetching { version: NAME, received_bytes, total_bytes });
        while let Some(piece) = response.chunk().await? {
            let step_before = received_bytes / PROGRESS_STEP_BYTES;
            received_bytes += piece.len() as u64;
            if received_bytes > MAX_WHEEL_BYTES {
                return Err(format!("it sent more than {MAX_WHEEL_BYTES} bytes").into());
            }
            hasher.update(&piece);
            into.write_all(&piece)?;
            if received_bytes / PROGRESS_STEP_BYTES > step_before {
                events(BuildEvent::UvFetching { version: NAME, received_bytes, total_bytes });
            }
        }
        Ok(hasher.finish().to_hex())
    })
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

/// Takes the program out of the wheel. It appears under its name when it is whole.
fn unpack(mut archive: File, folder: &Path, program: &Path) -> io::Result<()> {
    archive.rewind()?;
    let mut zip = ZipArchive::new(archive)?;
    let mut entry = zip.by_name(&format!("uv-{VERSION}.data/scripts/uv"))?;
    let fresh = folder.join("uv.fresh");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o755).open(&fresh)?;
    io::copy(&mut entry, &mut file)?;
    drop(file);
    std::fs::rename(fresh, program)
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
