//! The headers of an asset, made once: a request for it clones them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ship_core::{Asset, Digest};
use ship_store::Variants;

use super::hashed_name::is_content_hashed;
use crate::protocol::accept_encoding::{AcceptedCodings, Coding};
use crate::protocol::headers::SHIP_ID;

/// For a file whose name changes with its content.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For everything else: kept, and asked about each time.
pub(crate) const REVALIDATE: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");

/// How many digits of a digest make an entity tag: 128 bits.
const ETAG_DIGITS: usize = 32;

/// An asset as it is sent, with its compressed variants where there are any.
pub(crate) struct PreparedAsset {
    pub(super) identity: Representation,
    is_page: bool,
    is_compressible: bool,
    variants: ArcSwapOption<PreparedVariants>,
    /// The state of the store's variants when they were last looked up here.
    looked_up: AtomicU64,
}

/// The compressed variants of an asset.
pub(super) struct PreparedVariants {
    brotli: Option<Representation>,
    zstd: Option<Representation>,
    gzip: Option<Representation>,
}

impl PreparedVariants {
    /// The variant that a visitor takes rather than the bytes as they are.
    pub(super) fn best(&self, accepted: AcceptedCodings) -> Option<&Representation> {
        self.of(accepted.best(|coding| self.of(coding).is_some()))
    }

    fn of(&self, coding: Coding) -> Option<&Representation> {
        match coding {
            Coding::Identity => None,
            Coding::Gzip => self.gzip.as_ref(),
            Coding::Zstd => self.zstd.as_ref(),
            Coding::Brotli => self.brotli.as_ref(),
        }
    }
}

/// One form of an asset: its bytes by digest and the headers that go with them.
pub(super) struct Representation {
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
    pub(super) etag: HeaderValue,
    /// The headers of a 200, with a place for the request's id, so that setting it moves nothing.
    pub(super) headers: HeaderMap,
    /// The headers of a 304.
    pub(super) headers_unchanged: HeaderMap,
    /// The status line of a 200 for the whole and the lines of its headers, but for those that each answer has of its own.
    pub(super) lines: Bytes,
}

impl PreparedAsset {
    pub(crate) fn new(asset: &Asset) -> Self {
        let is_compressible = asset.media_type.is_compressible();
        let mut shared = HeaderMap::with_capacity(8);
        let content_type = HeaderValue::from_str(asset.media_type.as_str());
        shared.insert(header::CONTENT_TYPE, content_type.expect("a media type is visible ASCII"));
        let is_kept = is_content_hashed(&asset.path) && !asset.media_type.is_html();
        shared.insert(header::CACHE_CONTROL, if is_kept { KEEP } else { REVALIDATE });
        if is_compressible {
            shared.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        let identity = Representation::new(shared, Coding::Identity, &asset.digest, asset.digest, asset.size_bytes);
        let is_page = asset.media_type.is_html();
        Self { identity, is_page, is_compressible, variants: ArcSwapOption::empty(), looked_up: AtomicU64::new(0) }
    }

    /// Whether it is HTML.
    pub(crate) fn is_page(&self) -> bool {
        self.is_page
    }

    /// Whether variants of it may exist.
    pub(super) fn is_compressible(&self) -> bool {
        self.is_compressible
    }

    /// The variants as of `generation`, which counts what the variant worker made; `look_up` asks the store when that has
    /// changed.
    pub(super) fn variants(
        &self,
        generation: u64,
        look_up: impl FnOnce(&Digest) -> Variants,
    ) -> Option<Arc<PreparedVariants>> {
        if self.looked_up.load(Ordering::Acquire) != generation {
            let found = look_up(&self.identity.digest);
            let prepare = |variant: ship_store::Variant, coding| {
                let shared = self.identity.headers.clone();
                Representation::new(shared, coding, &self.identity.digest, variant.digest, variant.size_bytes)
            };
            let brotli = found.brotli.map(|variant| prepare(variant, Coding::Brotli));
            let zstd = found.zstd.map(|variant| prepare(variant, Coding::Zstd));
            let gzip = found.gzip.map(|variant| prepare(variant, Coding::Gzip));
            self.variants.store(Some(Arc::new(PreparedVariants { brotli, zstd, gzip })));
            self.looked_up.store(generation, Ordering::Release);
        }
        self.variants.load_full()
    }
}

impl Representation {
    fn new(shared: HeaderMap, coding: Coding, content: &Digest, digest: Digest, size_bytes: u64) -> Self {
        let mut headers = shared;
        let suffix = match coding {
            Coding::Identity => {
                headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
                ""
            }
            Coding::Gzip => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                headers.remove(header::ACCEPT_RANGES);
                "-gz"
            }
            Coding::Zstd => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
                headers.remove(header::ACCEPT_RANGES);
                "-zst"
            }
            Coding::Brotli => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
                headers.remove(header::ACCEPT_RANGES);
                "-br"
            }
        };
        let etag = format!("\"{}{suffix}\"", &content.to_hex()[..ETAG_DIGITS]);
        let etag = HeaderValue::from_str(&etag).expect("an entity tag is quotes, digits and letters");
        headers.insert(header::ETAG, etag.clone());
        let lines = lines_of(&headers, size_bytes);
        headers.insert(SHIP_ID, HeaderValue::from_static(""));
        let mut headers_unchanged = headers.clone();
        let not_in_304: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::ACCEPT_RANGES];
        for name in not_in_304 {
            headers_unchanged.remove(name);
        }
        Self { digest, size_bytes, etag, headers, headers_unchanged, lines }
    }
}

fn lines_of(headers: &HeaderMap, size_bytes: u64) -> Bytes {
    let mut lines = b"HTTP/1.1 200 OK\r\n".to_vec();
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines.extend_from_slice(format!("content-length: {size_bytes}\r\n").as_bytes());
    lines.into()
}
