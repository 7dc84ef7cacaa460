//! Sending what a host lacks, over links that break: what is missing is asked again, and only that is sent.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use ship_api::{
    BegunBlob, BlobSource, CHUNKED_BYTES, ChunksOf, Client, ClientError, Copies, MissingBlobs, MissingBlobsRequest,
    PackForm, UploadBlob, UploadId,
};
use ship_core::{Digest, Manifest};

use crate::building::Built;
use crate::output::{Output, Progress, size};
use crate::tries::{Tries, is_lost};

/// Of how many large files it is asked what the host has of them: each is read once more for it, here and there. The largest ones are asked about.
const COMPARED_FILES: usize = 64;

/// How often it is looked whether there is something to be said of an upload under way.
const TICK: Duration = Duration::from_secs(1);

/// How many blobs the host lacked when it was first asked, and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sent {
    pub(super) blobs: u64,
    pub(super) bytes: u64,
}

/// One upload, over as many connections as it takes.
pub(super) struct Upload<'a> {
    client: &'a Client,
    built: &'a Built,
    output: &'a Output,
    id: UploadId,
    sizes: HashMap<Digest, u64>,
    /// What the host can copy, of the large files that were compared.
    copies: HashMap<Digest, Option<Copies>>,
}

impl<'a> Upload<'a> {
    pub(super) fn new(client: &'a Client, built: &'a Built, output: &'a Output) -> Self {
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the system gives random bytes to every process once it has started");
        let id = UploadId::from_random(random);
        let sizes = built.output.manifest().blobs().into_iter().collect();
        Self { client, built, output, id, sizes, copies: HashMap::new() }
    }

    /// Sends those of `digests` that the host lacks. A connection that breaks is made again until nothing gets on any more.
    pub(super) async fn send(&mut self, digests: Vec<Digest>) -> Result<Sent, ClientError> {
        let request = MissingBlobsRequest { digests };
        let mut tries = Tries::new(self.output);
        let mut first = None;
        loop {
            let outcome = match self.client.missing(&self.id, &request).await {
                Ok(answer) => {
                    first.get_or_insert_with(|| self.lacking(&answer));
                    tries.are_left(self.bytes_left(&answer));
                    self.send_missing(answer).await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => return Ok(first.unwrap_or_default()),
                Err(error) => {
                    if is_lost(&error) {
                        self.copies.clear();
                    }
                    tries.pause_after(error).await?;
                }
            }
        }
    }

    fn lacking(&self, answer: &MissingBlobs) -> Sent {
        let bytes = answer.missing.iter().filter_map(|digest| self.sizes.get(digest)).sum();
        Sent { blobs: answer.missing.len() as u64, bytes }
    }

    /// How many bytes the host lacks: what becomes less from one try to the next.
    fn bytes_left(&self, answer: &MissingBlobs) -> u64 {
        let begun: u64 = answer.begun.iter().map(|begun| begun.bytes).sum();
        self.lacking(answer).bytes.saturating_sub(begun)
    }

    async fn send_missing(&mut self, answer: MissingBlobs) -> Result<(), ClientError> {
        if answer.missing.is_empty() {
            return Ok(());
        }
        let form = PackForm::newest(answer.pack);
        let missing: HashSet<&Digest> = answer.missing.iter().collect();
        // In the order of the manifest, so that neighbouring files are compressed together.
        let blobs = self.built.output.manifest().blobs().into_iter().filter(|(digest, _)| missing.contains(digest));
        let mut blobs: Vec<UploadBlob> = blobs
            .filter_map(|(digest, size_bytes)| Some(UploadBlob::new(digest, size_bytes, self.source(&digest)?)))
            .collect();
        if form == PackForm::Framed {
            self.compare(&blobs).await?;
            for blob in &mut blobs {
                self.shorten(blob, &answer.begun);
            }
        }
        let bytes = blobs.iter().map(UploadBlob::bytes_to_send).sum();
        let progress = self.output.bytes_progress("Sending", Some(bytes));
        let moved = progress.clone();
        let uploading = self.client.upload(&self.id, form, blobs, move |sent| moved.advance(sent));
        let report = tokio::select! {
            report = uploading => report,
            // The last bytes may be on their way for long, and somebody is waiting.
            never = tick(&progress) => match never {},
        };
        progress.finish();
        report.map(drop)
    }

    /// Leaves out of a blob what the host has of it, or can copy.
    fn shorten(&self, blob: &mut UploadBlob, begun: &[BegunBlob]) {
        let begun = begun.iter().find(|begun| begun.digest == blob.digest && begun.bytes <= blob.size_bytes);
        blob.begun_bytes = begun.map_or(0, |begun| begun.bytes);
        blob.copies = self.copies.get(&blob.digest).cloned().flatten();
    }

    /// Finds out what the host can copy of the largest files: they may be what they were at the last deployment, but for a little.
    async fn compare(&mut self, blobs: &[UploadBlob]) -> Result<(), ClientError> {
        let is_new = |blob: &&UploadBlob| blob.size_bytes > CHUNKED_BYTES && !self.copies.contains_key(&blob.digest);
        let mut large: Vec<&UploadBlob> = blobs.iter().filter(is_new).collect();
        large.sort_unstable_by_key(|blob| std::cmp::Reverse(blob.size_bytes));
        large.truncate(COMPARED_FILES.saturating_sub(self.copies.len()));
        if large.is_empty() {
            return Ok(());
        }
        let places = places(self.built.output.manifest());
        for blob in large {
            let copies = match places.get(&blob.digest) {
                Some(of) => self.copies_of(blob, of).await?,
                None => None,
            };
            self.copies.insert(blob.digest, copies);
        }
        Ok(())
    }

    async fn copies_of(&self, blob: &UploadBlob, of: &ChunksOf) -> Result<Option<Copies>, ClientError> {
        let listed = match self.client.chunks(&self.built.name, of).await {
            Ok(listed) => listed,
            Err(error) if error.is_cut() => return Err(error),
            // Without an answer the file is sent as it is.
            Err(_) => return Ok(None),
        };
        let source = blob.source.clone();
        let found = tokio::task::spawn_blocking(move || Copies::find(&source, &listed)).await;
        let copies = found.ok().and_then(Result::ok).flatten();
        if let Some(copies) = &copies {
            let shorter = UploadBlob { copies: Some(copies.clone()), ..blob.clone() };
            let (new, all) = (size(shorter.bytes_to_send()), size(blob.size_bytes));
            self.output.detail(format_args!("{new} of a file of {all} are new"));
        }
        Ok(copies)
    }

    fn source(&self, digest: &Digest) -> Option<BlobSource> {
        Some(match self.built.output.blob_source(digest)? {
            ship_builder::BlobSource::File(path) => BlobSource::File(path),
            ship_builder::BlobSource::Bytes(bytes) => BlobSource::Bytes(bytes),
        })
    }
}

async fn tick(progress: &Progress) -> Infallible {
    loop {
        tokio::time::sleep(TICK).await;
        progress.tick();
    }
}

/// Where each large blob of a manifest stands.
fn places(manifest: &Manifest) -> HashMap<Digest, ChunksOf> {
    let is_large = |size_bytes: u64| size_bytes > CHUNKED_BYTES;
    let files = manifest.assets().iter().filter(|asset| is_large(asset.size_bytes));
    let files = files.map(|asset| (asset.digest, ChunksOf::File(asset.path.clone())));
    let functions = manifest.functions().iter().filter(|function| is_large(function.size_bytes));
    let functions = functions.map(|function| (function.digest, ChunksOf::Function(function.name.clone())));
    let layers = manifest.functions().iter().flat_map(|function| &function.layers);
    let layers = layers.filter(|layer| is_large(layer.size_bytes));
    let layers = layers.map(|layer| (layer.digest, ChunksOf::Layer(layer.mount.clone())));
    files.chain(functions).chain(layers).collect()
}
