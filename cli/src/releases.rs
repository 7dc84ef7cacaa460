//! Releases of ship: where they are looked for, what vouches for them, and how one takes the place of the program that runs.
//!
//! A release is a folder of files. `SHA256SUMS` lists them with their digests, and a signature of minisign's stands beside it. Nothing else
//! is believed: the list says which version it is of, and what is in it was signed before anything of it is read.

mod archive;
mod error;
mod key;
mod listing;
mod owner;
mod place;
mod source;

pub(crate) use self::error::ReleaseError;
pub(crate) use self::key::ReleaseKey;
pub(crate) use self::listing::Release;
pub(crate) use self::owner::Owner;
pub(crate) use self::place::Place;
pub(crate) use self::source::{Source, Wanted};

/// Where releases are looked for unless another place is named.
const PROJECT: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/releases");

/// The list of a release's files, and the signature of that list.
const LIST: &str = "SHA256SUMS";
const SIGNATURE: &str = "SHA256SUMS.minisig";

/// The most bytes of either. A list has a line for each file.
const MAX_LIST_BYTES: u64 = 64 * 1024;

/// The machines that a release's program is for, as its archive is named.
fn target() -> String {
    let system = match std::env::consts::OS {
        "linux" => "unknown-linux-gnu",
        "macos" => "apple-darwin",
        other => other,
    };
    format!("{}-{system}", std::env::consts::ARCH)
}

/// Finds a release at a source: its list, which `key` vouches for.
pub(crate) async fn find(source: &Source, wanted: &Wanted, key: &ReleaseKey) -> Result<Release, ReleaseError> {
    let signature = source.read(wanted, SIGNATURE, MAX_LIST_BYTES).await?;
    let list = source.read(wanted, LIST, MAX_LIST_BYTES).await?;
    key.verify(&list, &signature)?;
    let release = Release::of(&String::from_utf8_lossy(&list), &target())?;
    match wanted {
        Wanted::Version(version) if *version != release.version => {
            Err(ReleaseError::AnotherVersion { wanted: version.clone(), found: release.version })
        }
        Wanted::Version(_) | Wanted::Newest => Ok(release),
    }
}
