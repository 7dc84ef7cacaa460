//! What is asked and said about blobs on their way to a host.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ship_core::{Digest, FunctionName, SitePath};
use utoipa::ToSchema;

use crate::chunks::Chunk;

/// The question which blobs a host lacks.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingBlobsRequest {
    /// The digests asked about, at most 250,000.
    #[schema(value_type = Vec<String>)]
    pub digests: Vec<Digest>,
}

/// The blobs a host lacks, of those asked about.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct MissingBlobs {
    /// Their digests, in the order of the question.
    #[schema(value_type = Vec<String>)]
    pub missing: Vec<Digest>,
    /// Of which of them it has the beginning, from uploads that were cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun: Vec<BegunBlob>,
    /// The newest form of pack that the host reads: 1 is the plain one, 2 the one in frames, which may go on with what is begun and have the
    /// host copy.
    #[serde(default = "plain_pack")]
    pub pack: u32,
}

const fn plain_pack() -> u32 {
    1
}

/// A blob of which a host has the beginning. Nobody sees it before it is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct BegunBlob {
    /// The digest of the whole.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// How many bytes of it are there.
    pub bytes: u64,
}

/// A blob in chunks, whose bytes can be named in a pack in place of being sent.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ChunkList {
    /// The blob, if there is one.
    #[schema(value_type = Option<String>)]
    pub blob: Option<Digest>,
    /// Its chunks in their order: together all of it.
    pub chunks: Vec<Chunk>,
}

/// Of what chunks are asked for: what stands there in the newest deployment that has something there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ChunksOf {
    /// A static file.
    File(SitePath),
    /// The artifact of a function.
    Function(FunctionName),
    /// A layer, by the folder in which functions see it.
    Layer(SitePath),
}

impl ChunksOf {
    /// The question as the query of an address.
    pub fn to_query(&self) -> String {
        let (what, name) = match self {
            Self::File(path) => ("file", path.as_str()),
            Self::Function(name) => ("function", name.as_str()),
            Self::Layer(mount) => ("layer", mount.as_str()),
        };
        format!("{what}={}", utf8_percent_encode(name, NON_ALPHANUMERIC))
    }
}

/// What an upload came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct UploadReport {
    /// Blobs that are stored now and were not before.
    pub stored_blobs: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Blobs that were there already.
    pub reused_blobs: u64,
}
