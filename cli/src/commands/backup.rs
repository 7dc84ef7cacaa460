//! `ship backup`: the state of a host and every blob that it needs, in one file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use serde::Serialize;
use ship_store::{Backup, Durability, Store};
use tempfile::NamedTempFile;

use crate::connection;
use crate::embedded::StartPolicy;
use crate::error::{CommandError, ErrorKind, is_full_disk};
use crate::output::{Output, count, size};
use crate::settings::{Confirmation, Settings};

/// Save everything that the host keeps in one file, while it serves
///
/// `ship host --restore FILE` makes a host of it, here or elsewhere. Where no host runs, the data directory of the embedded one is saved.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// The file to write; one that is there is replaced, on a terminal after a question
    file: PathBuf,
    /// Save this data directory, which no host has open
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What was saved.
#[derive(Debug, Serialize)]
struct Saved<'s> {
    file: &'s Path,
    deployments: u64,
    blobs: u64,
    size_bytes: u64,
}

pub(crate) async fn run(arguments: BackupArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let file = settings.absolute(&arguments.file);
    see_that_it_may_be_written(&file, settings, output).await?;
    let beside = Beside::create(&file)?;
    let host = match &arguments.data {
        Some(_) => None,
        None => connection::find(settings, output, StartPolicy::Never).await?,
    };
    let (deployments, blobs, size_bytes) = if let Some(host) = host {
        save_from_host(&host.client, beside, output).await?
    } else {
        let data = arguments.data.map_or_else(|| settings.home.host_data(), |data| settings.absolute(&data));
        let _saving = output.progress("Saving everything");
        save_from_disk(data, beside).await?
    };
    let saved = Saved { file: &file, deployments, blobs, size_bytes };
    output.data(&saved, |_| {
        let (deployments, blobs) = (count(deployments, "deployment"), count(blobs, "blob"));
        format!("{}  ({deployments}, {blobs}, {})\n", file.display(), size(size_bytes))
    })
}

/// Asks about a file that is there: it may be the only backup of something that is gone by now. A script names what it means, each night the
/// same, and goes on unasked.
async fn see_that_it_may_be_written(file: &Path, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let Ok(there) = file.symlink_metadata() else { return Ok(()) };
    if !there.is_file() && !there.is_symlink() {
        return Err(CommandError::project(format!("{} is there, and is no file", file.display())));
    }
    if settings.confirmation == Confirmation::Given {
        return Ok(());
    }
    match output.confirm(format!("{} is there: write over it?", file.display())).await {
        Some(false) => Err(CommandError::project(format!("{} was not written over", file.display()))
            .hint("`--yes` writes over it, or name another file")),
        Some(true) | None => Ok(()),
    }
}

/// Has the archive sent by a host that serves.
async fn save_from_host(
    client: &ship_api::Client,
    mut beside: Beside,
    output: &Output,
) -> Result<(u64, u64, u64), CommandError> {
    let mut backup = client.backup().await?;
    let progress = output.bytes_progress("Saving", None);
    let mut size_bytes = 0;
    while let Some(piece) = backup.pieces.try_next().await? {
        size_bytes += piece.len() as u64;
        progress.advance(piece.len() as u64);
        beside = blocking(move || beside.write(&piece).map(|()| beside)).await?;
    }
    blocking(move || beside.place()).await?;
    progress.finish();
    Ok((backup.deployments, backup.blobs, size_bytes))
}

/// Makes the archive of a data directory that nobody has open.
async fn save_from_disk(data: PathBuf, mut beside: Beside) -> Result<(u64, u64, u64), CommandError> {
    blocking(move || {
        if !data.join("VERSION").exists() {
            let message = format!("no host runs here, and {} is no data directory", data.display());
            return Err(CommandError::project(message).hint("`--host URL` names a host, `--data DIR` a data directory"));
        }
        let store = Store::open(&data, Durability::Durable).map_err(ship_host::HostError::from)?;
        let failed = |error| CommandError::new(ErrorKind::Host, error);
        let (backup, report) = Backup::prepare(&store).map_err(failed)?;
        backup.write(beside.file.as_file_mut()).map_err(failed)?;
        let size_bytes = beside.file.as_file().metadata().map_or(0, |metadata| metadata.len());
        beside.place()?;
        Ok((report.deployments, report.blobs, size_bytes))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CommandError> + Send + 'static,
) -> Result<T, CommandError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| CommandError::new(ErrorKind::Host, error))?
}

/// The file under a passing name: it gets its own only when it is complete and durable.
struct Beside {
    file: NamedTempFile,
    path: PathBuf,
}

impl Beside {
    fn create(path: &Path) -> Result<Self, CommandError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(".unfinished").tempfile_in(folder);
        // Where the folder is at fault the passing name says nothing to whoever named the file.
        let file = file.map_err(|error| unwritable(path, &folder.metadata().err().unwrap_or(error)))?;
        Ok(Self { file, path: path.to_owned() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.file.write_all(bytes).map_err(|error| unwritable(&self.path, &error))
    }

    fn place(self) -> Result<(), CommandError> {
        let Self { file, path } = self;
        file.as_file().sync_all().map_err(|error| unwritable(&path, &error))?;
        file.persist(&path).map_err(|error| unwritable(&path, &error.error))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| unwritable(&path, &error))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CommandError {
    let text = CommandError::project(format!("{} cannot be written: {error}", path.display()));
    if is_full_disk(error) { text.hint("make room on that disk, and run the command again") } else { text }
}
