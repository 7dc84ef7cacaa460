//! The answer for an asset: which of its forms, whole or in part, or that the visitor has it already.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use ship_core::{AssetIndex, Digest, PlatformError};
use ship_store::{BlobError, Store};

use super::cache::{ContentCache, ContentError};
use super::content::Content;
use super::file_body::FileBody;
use super::page_script::PageScript;
use super::prepared::{PreparedAsset, Representation};
use super::variant_worker::VariantWorker;
use crate::body::EdgeBody;
use crate::live_deployment::LiveDeployment;
use crate::protocol::accept_encoding::AcceptedCodings;
use crate::protocol::conditional::{is_another, is_unchanged, range_applies};
use crate::protocol::range::ByteRange;
use crate::serve::shares::bill_elsewhere;

/// What of a request decides how an asset is sent.
pub(crate) struct AssetRequest<'r> {
    /// Whether only the headers are asked for.
    pub(crate) is_head: bool,
    pub(crate) headers: &'r HeaderMap,
    /// The status that a route sets, 404 for a site's own error page. Such an answer is sent whole.
    pub(crate) status: Option<StatusCode>,
}

/// Sends assets.
pub(crate) struct AssetServer {
    pub(crate) store: Store,
    pub(crate) cache: ContentCache,
    pub(crate) variants: VariantWorker,
    pub(crate) page_script: Option<PageScript>,
}

/// Which bytes of a form are sent.
#[derive(Clone, Copy)]
struct Extent {
    first: u64,
    length: u64,
}

impl AssetServer {
    /// The answer for an asset.
    pub(crate) async fn serve(
        &self,
        deployment: &Arc<LiveDeployment>,
        index: AssetIndex,
        request: &AssetRequest<'_>,
    ) -> Result<Response<EdgeBody>, PlatformError> {
        let asset = deployment.asset(index);
        if let Some(script) = self.page_script.as_ref().filter(|_| asset.is_page()) {
            return Box::pin(self.serve_scripted(asset, script, request)).await;
        }
        let accepted = accepted_codings(asset, request.headers);
        if !accepted.wants_compressed() {
            return self.send(&asset.identity, request).await;
        }
        let variants = asset.variants(self.variants.generation(), |digest| self.store.blobs().variants(digest));
        let Some(best) = variants.as_ref().and_then(|variants| variants.best(accepted)) else {
            return self.send(&asset.identity, request).await;
        };
        match self.send(best, request).await {
            Err(PlatformError::BlobCorrupt) => {
                // A variant is made anew from the asset; a visitor need not wait for that.
                self.variants.look_again(deployment);
                self.send(&asset.identity, request).await
            }
            sent => sent,
        }
    }

    /// The whole of an asset that is in memory in the form that `accept_encoding` asks for: the lines before it, and its bytes.
    pub(crate) fn at_once(
        &self,
        deployment: &LiveDeployment,
        index: AssetIndex,
        accept_encoding: Option<&str>,
    ) -> Option<(Bytes, Content)> {
        let asset = deployment.asset(index);
        let whole = |form: &Representation| Some((form.lines.clone(), self.cache.get(&form.digest)?));
        let value = accept_encoding.filter(|_| asset.is_compressible());
        let accepted = value.map_or(AcceptedCodings::IDENTITY_ONLY, AcceptedCodings::of_value);
        if !accepted.wants_compressed() {
            return whole(&asset.identity);
        }
        let variants = asset.variants(self.variants.generation(), |digest| self.store.blobs().variants(digest));
        let best = variants.as_ref().and_then(|variants| variants.best(accepted));
        whole(best.unwrap_or(&asset.identity))
    }

    async fn send(
        &self,
        form: &Representation,
        request: &AssetRequest<'_>,
    ) -> Result<Response<EdgeBody>, PlatformError> {
        let whole = Extent { first: 0, length: form.size_bytes };
        if let Some(status) = request.status {
            return self.send_extent(form, whole, status, request.is_head).await;
        }
        if is_another(request.headers, &form.etag) {
            return Ok(response(StatusCode::PRECONDITION_FAILED, form.headers_unchanged.clone(), EdgeBody::empty()));
        }
        if is_unchanged(request.headers, &form.etag) {
            return Ok(response(StatusCode::NOT_MODIFIED, form.headers_unchanged.clone(), EdgeBody::empty()));
        }
        match requested_range(form, request) {
            ByteRange::Whole => self.send_extent(form, whole, StatusCode::OK, request.is_head).await,
            ByteRange::Part { first, last } => {
                let part = Extent { first, length: last - first + 1 };
                let mut sent = self.send_extent(form, part, StatusCode::PARTIAL_CONTENT, request.is_head).await?;
                set_content_range(&mut sent, &format!("bytes {first}-{last}/{}", form.size_bytes));
                Ok(sent)
            }
            ByteRange::Unsatisfiable => {
                let headers = form.headers_unchanged.clone();
                let mut sent = response(StatusCode::RANGE_NOT_SATISFIABLE, headers, EdgeBody::empty());
                set_content_range(&mut sent, &format!("bytes */{}", form.size_bytes));
                Ok(sent)
            }
        }
    }

    async fn send_extent(
        &self,
        form: &Representation,
        extent: Extent,
        status: StatusCode,
        is_head: bool,
    ) -> Result<Response<EdgeBody>, PlatformError> {
        let headers = form.headers.clone();
        if is_head {
            let mut sent = response(status, headers, EdgeBody::empty());
            sent.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(extent.length));
            return Ok(sent);
        }
        let body = match self.cache.get(&form.digest) {
            Some(content) => EdgeBody::full(cut(content.bytes(), extent)),
            None => Box::pin(self.load(form, extent)).await?,
        };
        Ok(response(status, headers, body))
    }

    /// The bytes from disk: into memory if they are few, else piece by piece.
    async fn load(&self, form: &Representation, extent: Extent) -> Result<EdgeBody, PlatformError> {
        if self.cache.keeps(form.size_bytes) {
            let content = self.cache.load(&self.store, form.digest).await.map_err(|error| blame(&error))?;
            return Ok(EdgeBody::full(cut(content.bytes(), extent)));
        }
        let (store, digest) = (self.store.clone(), form.digest);
        let opened = bill_elsewhere(move || store.blobs().open(&digest)).await;
        let blob = match opened {
            Ok(opened) => opened.map_err(|error| blame(&ContentError::Blob(error)))?,
            Err(_) => return Err(PlatformError::Internal),
        };
        Ok(EdgeBody::file(FileBody::new(blob.into_verified(), extent.first, extent.length)))
    }

    /// A page in development: with the script in it, and never kept.
    async fn serve_scripted(
        &self,
        asset: &PreparedAsset,
        script: &PageScript,
        request: &AssetRequest<'_>,
    ) -> Result<Response<EdgeBody>, PlatformError> {
        let page = self.content(asset.identity.digest).await?;
        let body = script.added_to(&page);
        let mut headers = asset.identity.headers.clone();
        for name in [header::ETAG, header::VARY, header::ACCEPT_RANGES] {
            headers.remove(name);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response(request.status.unwrap_or(StatusCode::OK), headers, EdgeBody::full(body)))
    }

    /// The bytes of a blob, in memory from now on if it is small.
    pub(crate) async fn content(&self, digest: Digest) -> Result<Bytes, PlatformError> {
        self.cache.load(&self.store, digest).await.map(Content::into_bytes).map_err(|error| blame(&error))
    }
}

/// The codings in which an asset may be sent. Parts are sent of the bytes as they are: offsets into a variant would mean
/// nothing to a visitor.
fn accepted_codings(asset: &PreparedAsset, headers: &HeaderMap) -> AcceptedCodings {
    if asset.is_compressible() && !headers.contains_key(header::RANGE) {
        AcceptedCodings::of(headers)
    } else {
        AcceptedCodings::IDENTITY_ONLY
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: EdgeBody) -> Response<EdgeBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn requested_range(form: &Representation, request: &AssetRequest<'_>) -> ByteRange {
    let value = request.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match value {
        Some(value) if !request.is_head && range_applies(request.headers, &form.etag) => {
            ByteRange::parse(value, form.size_bytes)
        }
        _ => ByteRange::Whole,
    }
}

fn set_content_range(response: &mut Response<EdgeBody>, value: &str) {
    let value = HeaderValue::from_str(value).expect("a content range is words and numbers");
    response.headers_mut().insert(header::CONTENT_RANGE, value);
}

fn cut(bytes: &Bytes, extent: Extent) -> Bytes {
    let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(position(extent.first)..position(extent.first + extent.length))
}

/// What a visitor is told when the bytes cannot be had; the operator finds the rest in the host's own log.
fn blame(error: &ContentError) -> PlatformError {
    tracing::error!(error = error as &dyn std::error::Error, "an asset cannot be sent");
    match error {
        ContentError::Blob(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => PlatformError::BlobCorrupt,
        ContentError::Blob(_) | ContentError::Stopping => PlatformError::Internal,
    }
}
