//! Diagnostics: what the crates below report with `tracing`, written to standard error or to the log file of an embedded host.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::output::Output;
use crate::settings::Settings;
use crate::settings::environment::SHIP_LOG;

/// The size at which the log of an embedded host begins anew. The file before is kept once, so twice this is the most.
const MAX_LOG_BYTES: u64 = 4 * 1024 * 1024;

/// What a host writes. h2 warns of what visitors do: whoever sends answers to questions that were never asked would write a line of the log
/// with each.
pub(crate) const OF_A_HOST: &str = "info,h2=error";

/// What is written with `--verbose`: everything of ship itself, and of others what may be wrong.
const VERBOSE: &str = "warn,ship=debug,ship_api=debug,ship_builder=debug,ship_edge=debug,ship_host=debug,\
                       ship_runtime=debug,ship_store=debug";

/// Where diagnostics go.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// To standard error.
    StandardError,
    /// To a file that never grows beyond a bound.
    File(PathBuf),
}

/// Begins to write diagnostics: what `SHIP_LOG` says, else `default`, and with `--verbose` everything of ship itself.
pub(crate) fn install(
    settings: &Settings,
    output: &Output,
    default: &str,
    destination: &Destination,
) -> io::Result<()> {
    let own = if output.is_verbose() { VERBOSE } else { default };
    let filter = EnvFilter::builder().parse_lossy(settings.environment.text(SHIP_LOG).unwrap_or(own));
    // What cannot be written would be told on standard error, which panics where that is on the same full disk.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).log_internal_errors(false);
    // A second subscriber can only be asked for by a mistake in this program, and changes nothing.
    let _ = match destination {
        Destination::StandardError => builder.with_writer(io::stderr).try_init(),
        Destination::File(path) => builder.with_writer(Mutex::new(BoundedFile::open(path, MAX_LOG_BYTES)?)).try_init(),
    };
    Ok(())
}

/// A file that is put aside when it has reached a size.
#[derive(Debug)]
struct BoundedFile {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    max_bytes: u64,
}

impl BoundedFile {
    fn open(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let file = fs_err::OpenOptions::new().create(true).append(true).open(path)?.into_file();
        let size_bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size_bytes, max_bytes })
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        fs_err::rename(&self.path, self.path.with_extension("log.1"))?;
        *self = Self::open(&self.path, self.max_bytes)?;
        Ok(())
    }
}

impl Write for BoundedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size_bytes + bytes.len() as u64 > self.max_bytes && self.size_bytes > 0 {
            self.begin_anew()?;
        }
        let written = self.file.write(bytes)?;
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However much is written, two files of at most the bound are left, the newest lines in the first.
    #[test]
    fn the_log_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.log");
        let mut log = BoundedFile::open(&path, 100).unwrap();
        for number in 0..50 {
            writeln!(log, "line {number:04}").unwrap();
        }
        let read = |name: &str| fs_err::read_to_string(folder.path().join(name)).unwrap();
        assert!(read("host.log").ends_with("line 0049\n"));
        assert!(read("host.log").len() <= 100 && read("host.log.1").len() <= 100);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
    }
}
