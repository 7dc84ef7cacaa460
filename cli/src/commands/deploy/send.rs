//! Delivering a build: one request if the host knows it, else only the blobs that the host lacks.

use std::time::{Duration, Instant};

use ship_api::{Client, ClientError, ErrorCode, PublishOptions, PublishRequest, PublishedView, Republish};
use ship_core::Manifest;

use super::upload::{Sent, Upload};
use crate::building::Built;
use crate::output::Output;
use crate::tries::Tries;

/// What was sent, and what came of it.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The deployment.
    pub(super) published: PublishedView,
    /// Whether the host had to be told what it is.
    pub(super) is_new: bool,
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
    let is_known = async || client.publish_known(&built.name, (&id, manifest), options).await;
    if let Some(published) = known(persist(Tries::of_first_question(output), options, output, is_known).await)? {
        return Ok(Delivery {
            published,
            is_new: false,
            new_blobs: 0,
            new_bytes: 0,
            reused_blobs: blobs.len() as u64,
            upload_time: Duration::ZERO,
            publish_time: started.elapsed(),
        });
    }
    let mut upload = Upload::new(client, built, output);
    let mut sent = upload.send(blobs.iter().map(|(digest, _)| *digest).collect()).await?;
    let upload_time = started.elapsed();
    let request = PublishRequest { manifest: Manifest::clone(manifest), publish: options.clone() };
    let publishing = Instant::now();
    let published = match publish(client, built, &request, output).await {
        // Only now did the host look closer at what it had, and found it damaged.
        Err(ClientError::Refused { detail, .. }) if detail.code == ErrorCode::MissingBlobs => {
            let more = upload.send(detail.missing).await?;
            sent = Sent { blobs: sent.blobs + more.blobs, bytes: sent.bytes + more.bytes };
            publish(client, built, &request, output).await?
        }
        published => published?,
    };
    let publish_time = publishing.elapsed();
    let reused_blobs = (blobs.len() as u64).saturating_sub(sent.blobs);
    let Sent { blobs: new_blobs, bytes: new_bytes } = sent;
    Ok(Delivery { published, is_new: true, new_blobs, new_bytes, reused_blobs, upload_time, publish_time })
}

async fn publish(
    client: &Client,
    built: &Built,
    request: &PublishRequest,
    output: &Output,
) -> Result<PublishedView, ClientError> {
    persist(Tries::new(output), &request.publish, output, async || client.publish(&built.name, request).await).await
}

/// Has the host publish something, and again where the way to it was cut or the answer was lost: the same content is the same deployment. What is
/// to be noted in any case is noted once, so there a lost answer is an error.
async fn persist<A>(
    mut tries: Tries<'_>,
    options: &PublishOptions,
    output: &Output,
    question: impl AsyncFn() -> Result<A, ClientError>,
) -> Result<A, ClientError> {
    let _waiting = output.progress("Waiting for the host");
    let is_repeatable = |error: &ClientError| {
        options.republish == Republish::IfChanged || matches!(error, ClientError::Unreachable { .. })
    };
    loop {
        match question().await {
            Err(error) if is_repeatable(&error) => tries.pause_after(error).await?,
            answer => return answer,
        }
    }
}

/// A host that knows the deployment may have lost a blob of it. Then it is as good as unknown, and sent.
fn known(answer: Result<Option<PublishedView>, ClientError>) -> Result<Option<PublishedView>, ClientError> {
    match answer {
        Err(ClientError::Refused { detail, .. }) if detail.code == ErrorCode::MissingBlobs => Ok(None),
        answer => answer,
    }
}
