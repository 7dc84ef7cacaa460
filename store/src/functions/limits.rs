//! How much an artifact may make the host write.

/// Bounds on an artifact. Whoever deploys is trusted to run code in a sandbox, not to fill the host's disk and memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArchiveLimits {
    /// The size of the archive, in bytes.
    pub archive_bytes: u64,
    /// The size of its list of names, in bytes: all of it is held in memory while unpacking.
    pub directory_bytes: u64,
    /// How many files are in it.
    pub entries: u64,
    /// The size of all files together, in bytes, as they come out and whatever the archive says.
    pub unpacked_bytes: u64,
    /// How many times larger than the archive that may be. Programs and data reach 5, zeros a thousand.
    pub ratio: u64,
}

impl ArchiveLimits {
    /// Up to this many bytes the ratio is not looked at: a small file of blanks is no attack.
    pub(super) const ANY_RATIO_BYTES: u64 = 16 * 1024 * 1024;

    /// The bounds of the host. The largest Python and Node artifacts on other platforms have 250 MB and 20,000 files.
    pub const DEFAULT: Self = Self {
        archive_bytes: 512 * 1024 * 1024,
        directory_bytes: 16 * 1024 * 1024,
        entries: 50_000,
        unpacked_bytes: 1024 * 1024 * 1024,
        ratio: 100,
    };

    /// How many bytes may come out of an archive of `archive_bytes`.
    pub(super) fn bytes_from(&self, archive_bytes: u64) -> u64 {
        archive_bytes.saturating_mul(self.ratio).max(Self::ANY_RATIO_BYTES).min(self.unpacked_bytes)
    }
}
