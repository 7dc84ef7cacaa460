//! Where releases are kept: a server or a folder, with the same paths in both.
//!
//! `latest/download/` has the files of the newest release and `download/v1.2.3/` those of each, which is how GitHub serves them.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use semver::Version;
use ship_core::{Digest, DigestHasher};
use tokio::fs;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_stream::StreamExt as _;
use tokio_util::io::StreamReader;

use super::error::ReleaseError;
use super::listing::Release;
use super::place::Place;
use crate::output::{Output, Progress};
use crate::settings::Settings;

/// The most bytes of an archive.
const MAX_ARCHIVE_BYTES: u64 = 512 * 1024 * 1024;

/// How many bytes are read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a server may send nothing.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Which release is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// The newest.
    Newest,
    /// One of them, newer or older.
    Version(Version),
}

impl Wanted {
    /// Where the release's files are, in any source.
    fn folder(&self) -> String {
        match self {
            Self::Newest => "latest/download".to_owned(),
            Self::Version(version) => format!("download/v{version}"),
        }
    }
}

/// A place with releases.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// On a server.
    Server {
        /// The address, which ends in a slash.
        base: Url,
        /// Who asks.
        client: Client,
    },
    /// In a folder.
    Folder(PathBuf),
}

/// A file on its way.
type Arriving = Box<dyn AsyncRead + Send + Unpin>;

impl Source {
    /// The place that `text` names, the project's own if none is named.
    pub(crate) fn named(text: Option<&str>, settings: &Settings) -> Result<Self, ReleaseError> {
        let text = text.unwrap_or(super::PROJECT);
        let no_source = || ReleaseError::NoSource { text: text.to_owned() };
        if !text.contains("://") {
            let folder = settings.absolute(Path::new(text));
            return if folder.is_dir() { Ok(Self::Folder(folder)) } else { Err(no_source()) };
        }
        let base = Url::parse(&format!("{}/", text.trim_end_matches('/'))).map_err(|_| no_source())?;
        let client = client(&base).ok_or_else(no_source)?;
        Ok(Self::Server { base, client })
    }

    /// A small file of a release, in whole.
    pub(super) async fn read(&self, wanted: &Wanted, name: &str, limit: u64) -> Result<Vec<u8>, ReleaseError> {
        let path = format!("{}/{name}", wanted.folder());
        let (arriving, _) = self.open(&path).await?;
        let mut bytes = Vec::new();
        arriving.take(limit + 1).read_to_end(&mut bytes).await.map_err(|error| self.broken(&path, &error))?;
        if bytes.len() as u64 > limit {
            return Err(self.too_large(path, limit));
        }
        Ok(bytes)
    }

    /// The archive of a release, on the disk of the place that it is for, once it is what the release lists.
    pub(crate) async fn fetch(&self, release: &Release, place: &Place, output: &Output) -> Result<File, ReleaseError> {
        let path = format!("{}/{}", Wanted::Version(release.version.clone()).folder(), release.archive);
        let (arriving, total) = self.open(&path).await?;
        let progress = output.bytes_progress(&format!("Fetching ship {}", release.version), total);
        let copied = self.copy(arriving, &path, place, &progress).await;
        progress.finish();
        let (archive, found) = copied?;
        if found == release.digest {
            return Ok(archive);
        }
        Err(ReleaseError::Digest { path, found: found.to_hex(), expected: release.digest.to_hex() })
    }

    /// Writes what arrives, and gives it with its digest.
    async fn copy(
        &self,
        mut arriving: Arriving,
        path: &str,
        place: &Place,
        progress: &Progress,
    ) -> Result<(File, Digest), ReleaseError> {
        let mut archive = place.scratch()?;
        let (mut hasher, mut received, mut piece) = (DigestHasher::new(), 0, vec![0; PIECE_BYTES]);
        loop {
            let count = arriving.read(&mut piece).await.map_err(|error| self.broken(path, &error))?;
            if count == 0 {
                return Ok((archive, hasher.finish()));
            }
            received += count as u64;
            if received > MAX_ARCHIVE_BYTES {
                return Err(self.too_large(path.to_owned(), MAX_ARCHIVE_BYTES));
            }
            hasher.update(&piece[..count]);
            archive.write_all(&piece[..count]).map_err(|error| place.unusable(error))?;
            progress.advance(count as u64);
        }
    }

    /// A file, and how many bytes it has if that is known.
    async fn open(&self, path: &str) -> Result<(Arriving, Option<u64>), ReleaseError> {
        match self {
            Self::Folder(folder) => {
                let file = fs::File::open(folder.join(path)).await.map_err(|error| self.broken(path, &error))?;
                let size = file.metadata().await.map_err(|error| self.broken(path, &error))?.len();
                Ok((Box::new(file), Some(size)))
            }
            Self::Server { base, client } => {
                let address = base.join(path).map_err(|error| self.broken(path, &io::Error::other(error)))?;
                let asked = client.get(address).send().await.and_then(reqwest::Response::error_for_status);
                let answer = asked.map_err(|error| self.refused(path, error))?;
                let size = answer.content_length();
                let pieces = answer.bytes_stream().map(|piece| piece.map_err(io::Error::other));
                Ok((Box::new(StreamReader::new(pieces)), size))
            }
        }
    }

    fn refused(&self, path: &str, error: reqwest::Error) -> ReleaseError {
        if error.status() == Some(StatusCode::NOT_FOUND) {
            return ReleaseError::Absent { origin: self.shown(), path: path.to_owned() };
        }
        // The address is told already, and may hold a password.
        self.broken(path, &io::Error::other(error.without_url()))
    }

    fn broken(&self, path: &str, source: &io::Error) -> ReleaseError {
        let (origin, path) = (self.shown(), path.to_owned());
        match source.kind() {
            io::ErrorKind::NotFound => ReleaseError::Absent { origin, path },
            _ => ReleaseError::Unreachable { origin, path, cause: root_of(source) },
        }
    }

    fn too_large(&self, path: String, limit: u64) -> ReleaseError {
        ReleaseError::TooLarge { origin: self.shown(), path, limit }
    }

    /// Where it is, without a password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Server { base, .. } => {
                let mut base = base.clone();
                let _ = base.set_username("");
                let _ = base.set_password(None);
                base.as_str().trim_end_matches('/').to_owned()
            }
        }
    }
}

/// What the system says. The layers of an HTTP client between it and its error tell nobody anything.
fn root_of(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Who asks a server of the web.
fn client(base: &Url) -> Option<Client> {
    if !matches!(base.scheme(), "http" | "https") {
        return None;
    }
    // Another provider may have been installed by an earlier client of this process: either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build().ok()
}
