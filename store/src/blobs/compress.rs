//! Compressing a blob's bytes for transfer.

use std::io::{self, Write as _};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Above this size brotli's best quality would take more than two seconds per file; this good one makes it a sixth larger in
/// a tenth of the time.
const BEST_QUALITY_BYTES: usize = 1024 * 1024;
const BEST_QUALITY: u32 = 11;
const GOOD_QUALITY: u32 = 9;

/// Brotli's window as a power of two: 4 MiB, what every browser accepts.
const WINDOW_BITS: u32 = 22;

/// How a variant is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    pub(super) const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// The name in `Content-Encoding`, and in the database.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The compressed form of `content`. The same bytes always give the same form: no name and no time goes in.
    pub(super) fn compress(self, content: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => brotli(content),
            Self::Gzip => gzip(content),
        }
    }
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let quality = if content.len() > BEST_QUALITY_BYTES { GOOD_QUALITY } else { BEST_QUALITY };
    let mut writer = CompressorWriter::new(Vec::new(), 64 * 1024, quality, WINDOW_BITS);
    writer.write_all(content)?;
    writer.flush()?;
    Ok(writer.into_inner())
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(content)?;
    writer.finish()
}
