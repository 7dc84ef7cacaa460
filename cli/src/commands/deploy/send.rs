//! Delivering a build: one request if the host knows it, else only the blobs that the host lacks.

use std::time::{Duration, Instant};

use ship_api::{BlobSource, Client, ClientError, ErrorCode, PublishOptions, PublishRequest, PublishedView, UploadBlob};
use ship_builder::BuildOutput;
use ship_core::{Digest, Manifest};

use crate::building::Built;
use crate::output::Output;

/// What was sent, and what came of it.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The deployment.
    pub(super) published: PublishedView,
    /// How many blobs were sent.
    pub(super) new_blobs: u64,
    /// Their bytes.
    pub(super) new_bytes: u64,
    /// How many the host had already.
    pub(super) reused_blobs: u64,
    /// How long finding out what was missing and sending it took.
    pub(super) upload_time: Duration,
    /// How long publishing took.
    pub(super) publish_time: Duration,
}

/// Publishes a build.
pub(super) async fn deliver(
    client: &Client,
    built: &Built,
    options: &PublishOptions,
    output: &Output,
) -> Result<Delivery, ClientError> {
    let manifest = built.output.manifest();
    let blobs = manifest.blobs();
    let started = Instant::now();
    let id = Manifest::deployment_id_of(&built.name, built.output.canonical_json());
    if let Some(published) = known(client.publish_known(&built.name, &id, options).await)? {
        return Ok(Delivery {
            published,
            new_blobs: 0,
            new_bytes: 0,
            reused_blobs: blobs.len() as u64,
            upload_time: Duration::ZERO,
            publish_time: started.elapsed(),
        });
    }
    let missing = client.missing(blobs.iter().map(|(digest, _)| *digest).collect()).await?;
    let mut new_blobs = missing.len() as u64;
    let mut new_bytes = upload(client, &built.output, &blobs, &missing, output).await?;
    let upload_time = started.elapsed();
    let request = PublishRequest { manifest: Manifest::clone(manifest), publish: options.clone() };
    let publishing = Instant::now();
    let published = match client.publish(&built.name, &request).await {
        // Only now did the host look closer at what it had, and found it damaged.
        Err(ClientError::Refused { detail, .. }) if detail.code == ErrorCode::MissingBlobs => {
            new_blobs += detail.missing.len() as u64;
            new_bytes += upload(client, &built.output, &blobs, &detail.missing, output).await?;
            client.publish(&built.name, &request).await?
        }
        published => published?,
    };
    let publish_time = publishing.elapsed();
    let reused_blobs = blobs.len() as u64 - new_blobs;
    Ok(Delivery { published, new_blobs, new_bytes, reused_blobs, upload_time, publish_time })
}

/// A host that knows the deployment may have lost a blob of it. Then it is as good as unknown, and sent.
fn known(answer: Result<Option<PublishedView>, ClientError>) -> Result<Option<PublishedView>, ClientError> {
    match answer {
        Err(ClientError::Refused { detail, .. }) if detail.code == ErrorCode::MissingBlobs => Ok(None),
        answer => answer,
    }
}

/// Sends the missing blobs and gives the number of their bytes.
async fn upload(
    client: &Client,
    build: &BuildOutput,
    blobs: &[(Digest, u64)],
    missing: &[Digest],
    output: &Output,
) -> Result<u64, ClientError> {
    if missing.is_empty() {
        return Ok(0);
    }
    let missing: std::collections::HashSet<&Digest> = missing.iter().collect();
    let blobs: Vec<UploadBlob> = blobs
        .iter()
        .filter(|(digest, _)| missing.contains(digest))
        .filter_map(|(digest, size_bytes)| {
            Some(UploadBlob { digest: *digest, size_bytes: *size_bytes, source: source(build, digest)? })
        })
        .collect();
    let bytes = blobs.iter().map(|blob| blob.size_bytes).sum();
    let progress = output.bytes_progress("Sending", bytes);
    let moved = progress.clone();
    let report = client.upload(blobs, move |sent| moved.advance(sent)).await;
    progress.finish();
    report.map(|_| bytes)
}

fn source(build: &BuildOutput, digest: &Digest) -> Option<BlobSource> {
    Some(match build.blob_source(digest)? {
        ship_builder::BlobSource::File(path) => BlobSource::File(path),
        ship_builder::BlobSource::Bytes(bytes) => BlobSource::Bytes(bytes),
    })
}
