//! Compressed variants of blobs: made once, stored as blobs themselves, and remembered in the state database, also when
//! compressing was not worth it.

use rusqlite::{OptionalExtension as _, Transaction};
use ship_core::Digest;

use super::compress::Encoding;
use super::{BlobError, Blobs};
use crate::database::StateError;
use crate::database::column::{Text, signed, unsigned};

/// Below this many bytes the headers weigh more than what is saved.
const LEAST_BYTES: u64 = 256;

/// Above this many bytes compressing takes too much time and memory for something nobody may ask for.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// A variant is kept if it has at most this share of the bytes, in percent: less is not worth a visitor's processor.
const LARGEST_SHARE: usize = 95;

/// How many bytes of compressed content may wait in memory until they are stored together.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// A compressed form of a blob, stored under a digest of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variant {
    /// The digest of the compressed bytes.
    pub digest: Digest,
    /// How many those are.
    pub size_bytes: u64,
}

/// The compressed forms of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Variants {
    /// For `Content-Encoding: br`.
    pub brotli: Option<Variant>,
    /// For `Content-Encoding: zstd`.
    pub zstd: Option<Variant>,
    /// For `Content-Encoding: gzip`.
    pub gzip: Option<Variant>,
}

impl Variants {
    fn place(&mut self, encoding: Encoding) -> &mut Option<Variant> {
        match encoding {
            Encoding::Brotli => &mut self.brotli,
            Encoding::Zstd => &mut self.zstd,
            Encoding::Gzip => &mut self.gzip,
        }
    }
}

/// What was found out of a blob's forms before.
#[derive(Default)]
struct Known {
    variants: Variants,
    /// In which codings it was tried, whether or not that was worth it.
    tried: Vec<Encoding>,
}

impl Known {
    /// In which codings nobody has tried it yet: in none at first, and in those that ship has learnt since.
    fn lacking(&self) -> Vec<Encoding> {
        Encoding::ALL.into_iter().filter(|encoding| !self.tried.contains(encoding)).collect()
    }
}

/// What came out of compressing one blob, not stored yet.
struct Compressed {
    digest: Digest,
    forms: Vec<(Encoding, Option<Vec<u8>>)>,
}

impl Compressed {
    fn waiting_bytes(&self) -> usize {
        self.forms.iter().filter_map(|(_, form)| form.as_ref()).map(Vec::len).sum()
    }
}

impl Blobs {
    /// The variants that were made of a blob. None if they cannot be looked up: the blob itself can always be sent.
    pub fn variants(&self, digest: &Digest) -> Variants {
        self.known_variants(digest).unwrap_or_default().variants
    }

    /// Whether variants of a blob have yet to be made: it is of a size that is worth it, and nobody has tried.
    pub fn needs_variants(&self, digest: &Digest) -> bool {
        !self.lacking_variants(digest).is_empty()
    }

    /// In which codings variants of a blob have yet to be made.
    fn lacking_variants(&self, digest: &Digest) -> Vec<Encoding> {
        let is_worth_it = self.stored_size(digest).is_some_and(|size| (LEAST_BYTES..=MOST_BYTES).contains(&size));
        let known = is_worth_it.then(|| self.known_variants(digest).ok()).flatten();
        known.map(|known| known.lacking()).unwrap_or_default()
    }

    /// Makes the variants of a blob, unless they were made before.
    pub fn make_variants(&self, digest: &Digest) -> Result<Variants, BlobError> {
        self.make_all_variants(std::slice::from_ref(digest), || false)?;
        Ok(self.variants(digest))
    }

    /// Makes the variants of many blobs. They are stored together, some megabytes at a time, because making each durable
    /// by itself would keep the disk busier than the processor.
    pub fn make_all_variants(&self, digests: &[Digest], is_stopping: impl Fn() -> bool) -> Result<(), BlobError> {
        let mut waiting = Vec::new();
        let mut waiting_bytes = 0;
        for digest in digests {
            if is_stopping() {
                break;
            }
            let lacking = self.lacking_variants(digest);
            if lacking.is_empty() {
                continue;
            }
            let compressed = self.compress(digest, &lacking)?;
            waiting_bytes += compressed.waiting_bytes();
            waiting.push(compressed);
            if waiting_bytes > WAITING_BYTES {
                self.store_variants(&std::mem::take(&mut waiting))?;
                waiting_bytes = 0;
            }
        }
        self.store_variants(&waiting)
    }

    fn compress(&self, digest: &Digest, encodings: &[Encoding]) -> Result<Compressed, BlobError> {
        let content = self.read(digest)?;
        let form = |encoding: &Encoding| {
            let form = encoding.compress(&content).map_err(|source| self.read_error(digest, source))?;
            let is_worth_it = form.len() * 100 <= content.len() * LARGEST_SHARE;
            Ok((*encoding, is_worth_it.then_some(form)))
        };
        Ok(Compressed { digest: *digest, forms: encodings.iter().map(form).collect::<Result<_, BlobError>>()? })
    }

    fn store_variants(&self, all: &[Compressed]) -> Result<(), BlobError> {
        let Some(first) = all.first() else { return Ok(()) };
        let forms = || all.iter().flat_map(|compressed| &compressed.forms).filter_map(|(_, form)| form.as_ref());
        // Until it is recorded whose forms they are.
        let held = self.pins().hold(forms().map(|form| Digest::of(form)));
        let mut batch = self.batch_of_held(&held)?;
        for form in forms() {
            let mut writer = batch.begin(Digest::of(form), form.len() as u64)?;
            writer.write(form)?;
            writer.finish()?;
        }
        batch.commit()?;
        let recorded = self.database().write(|transaction| all.iter().try_for_each(|one| record(transaction, one)));
        recorded.map_err(|source| BlobError::state(&first.digest, source))
    }

    /// What is known of a blob's variants.
    fn known_variants(&self, digest: &Digest) -> Result<Known, StateError> {
        let known = self.database().read(|transaction| lookup(transaction, digest));
        if let Err(error) = &known {
            tracing::warn!(%digest, %error, "the variants of a blob cannot be looked up");
        }
        known
    }

    /// Forgets that `variant` is a variant of anything, because its bytes are gone: it will be made again.
    pub(super) fn forget_variant(&self, variant: &Digest) {
        if let Err(error) = self.forget(variant) {
            tracing::warn!(%variant, %error, "a damaged variant stays recorded");
        }
    }

    fn forget(&self, variant: &Digest) -> Result<(), StateError> {
        let Some(blob) = self.database().read(|transaction| blob_of(transaction, variant))? else { return Ok(()) };
        self.database().write(|transaction| {
            transaction.prepare_cached("DELETE FROM variants WHERE digest = ?1")?.execute([Text(&blob)])?;
            Ok(())
        })
    }
}

/// The blob that `variant` is a variant of.
fn blob_of(transaction: &Transaction, variant: &Digest) -> Result<Option<Digest>, StateError> {
    let mut statement = transaction.prepare_cached("SELECT digest FROM variants WHERE variant = ?1")?;
    let blob = statement.query_row([Text(variant)], |row| row.get(0)).optional()?;
    Ok(blob.map(|Text(digest)| digest))
}

fn record(transaction: &Transaction, compressed: &Compressed) -> Result<(), StateError> {
    let sql = "INSERT OR REPLACE INTO variants (digest, encoding, variant, size_bytes) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = transaction.prepare_cached(sql)?;
    for (encoding, form) in &compressed.forms {
        let digest = form.as_deref().map(Digest::of);
        let size_bytes = signed(form.as_ref().map_or(0, Vec::len) as u64);
        insert.execute((Text(&compressed.digest), encoding.as_str(), digest.as_ref().map(Text), size_bytes))?;
    }
    Ok(())
}

fn lookup(transaction: &Transaction, digest: &Digest) -> Result<Known, StateError> {
    let sql = "SELECT encoding, variant, size_bytes FROM variants WHERE digest = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query([Text(digest)])?;
    let mut known = Known::default();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let Some(encoding) = Encoding::ALL.into_iter().find(|encoding| encoding.as_str() == name) else { continue };
        let variant: Option<Text<Digest>> = row.get(1)?;
        let size_bytes = unsigned(row.get(2)?);
        known.tried.push(encoding);
        *known.variants.place(encoding) = variant.map(|Text(digest)| Variant { digest, size_bytes });
    }
    Ok(known)
}
