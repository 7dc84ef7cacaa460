//! Contents of small assets in memory, by digest: verified when they were read, and shared by all deployments that hold them.

use std::hash::{BuildHasherDefault, Hasher};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use ship_core::Digest;
use ship_store::{BlobError, Store};

use super::content::Content;

/// In how many parts the cache is locked. Each holds its share of the bytes, so few parts let larger files in.
const PARTS: usize = 4;

/// What an entry weighs besides its bytes, so that a million empty files do not count as nothing.
const ENTRY_BYTES: u64 = 128;

/// A size that most small files of a site have; it sizes the cache's tables, not its limit.
const TYPICAL_FILE_BYTES: usize = 16 * 1024;

/// The bytes of assets, at most as many as it was told, least used first out.
pub(crate) struct ContentCache {
    contents: Cache<Digest, Content, ByBytes, BuildHasherDefault<DigestHash>>,
    max_file_bytes: u64,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Digest, Content> for ByBytes {
    fn weight(&self, _: &Digest, content: &Content) -> u64 {
        content.bytes().len() as u64 + ENTRY_BYTES
    }
}

/// A digest is as good as random: its first bytes are its hash.
#[derive(Default)]
struct DigestHash(u64);

impl Hasher for DigestHash {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that precedes the bytes says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl ContentCache {
    /// A cache of at most `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .estimated_items_capacity((max_bytes / TYPICAL_FILE_BYTES).max(PARTS))
            .weight_capacity(max_bytes as u64)
            .build()
            .expect("all sizes were given");
        let contents =
            Cache::with_options(options, ByBytes, BuildHasherDefault::default(), DefaultLifecycle::default());
        let max_file_bytes = contents.shard_capacity() / 2;
        Self { contents, max_file_bytes }
    }

    /// Whether a file of this size is kept in memory; a larger one is read from disk each time.
    pub(crate) fn keeps(&self, size_bytes: u64) -> bool {
        size_bytes <= self.max_file_bytes
    }

    /// The bytes, if they are here.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Content> {
        self.contents.get(digest)
    }

    /// The bytes, read from the store if they are not here; requests for the same bytes wait for one read.
    pub(crate) async fn load(&self, store: &Store, digest: Digest) -> Result<Content, ContentError> {
        let read = async || {
            let store = store.clone();
            let read = tokio::task::spawn_blocking(move || store.blobs().read_open(&digest)).await;
            let (bytes, file) = read.map_err(|_| ContentError::Stopping)??;
            Ok(Content::of_file(bytes, file))
        };
        self.contents.get_or_insert_async(&digest, read()).await
    }
}

/// The bytes of an asset cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// The store does not have them, or not as they were.
    #[error("the content of an asset cannot be read")]
    Blob(#[from] BlobError),
    /// The host stops.
    #[error("the host stops")]
    Stopping,
}
