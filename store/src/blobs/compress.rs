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

/// The same for zstd: the best level that decoders of the web take, whose window is no larger than 8 MiB (RFC 9659), and a good one.
const BEST_LEVEL: i32 = 19;
const GOOD_LEVEL: i32 = 12;

/// How a variant is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Brotli,
    Zstd,
    Gzip,
}

impl Encoding {
    pub(super) const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The name in `Content-Encoding`, and in the database.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The compressed form of `content`. The same bytes always give the same form: no name and no time goes in.
    pub(super) fn compress(self, content: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => brotli(content),
            Self::Zstd => zstd(content),
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

fn zstd(content: &[u8]) -> io::Result<Vec<u8>> {
    let level = if content.len() > BEST_QUALITY_BYTES { GOOD_LEVEL } else { BEST_LEVEL };
    zstd::bulk::compress(content, level)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(content)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the size of a file, a visitor's decoder takes what comes of it: 8 MiB of a window, and no more.
    #[test]
    fn windows() {
        for megabytes in [1, 2, 9, 16] {
            let content = b"eight or more bytes and then again".repeat(megabytes * 1024 * 1024 / 32);
            let packed = Encoding::Zstd.compress(&content).unwrap();
            let mut decoder = zstd::stream::Decoder::new(packed.as_slice()).unwrap();
            decoder.window_log_max(23).unwrap();
            let mut unpacked = Vec::new();
            io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
            assert!(unpacked == content, "{megabytes} MiB");
        }
    }
}
