//! What a large file was at its place in the newest deployment, in chunks: whoever deploys it changed sends what is new and names the rest.
//!
//! Nothing is remembered of chunks: they are cut anew from the blob whenever somebody asks, which takes as long as reading it.

use axum::Json;
use ship_api::{CHUNKED_BYTES, ChunkList, ChunksOf, ErrorBody, ErrorCode, chunks_of};
use ship_core::{Digest, FunctionName, Manifest, ProjectName, SitePath};
use ship_store::{BlobError, Store};

use super::super::extract::{Path, Query};
use super::super::{ApiError, State};
use super::own::DEPLOYMENTS_SEEN;
use crate::access::Actor;
use crate::blocking::blocking;

/// Of what chunks are asked for: of one of these.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::control) struct ChunksQuery {
    /// The path of a static file.
    #[param(value_type = Option<String>)]
    file: Option<SitePath>,
    /// The name of a function: its artifact.
    #[param(value_type = Option<String>)]
    function: Option<FunctionName>,
    /// The folder in which functions see a layer.
    #[param(value_type = Option<String>)]
    layer: Option<SitePath>,
}

impl ChunksQuery {
    fn of(self) -> Option<ChunksOf> {
        match (self.file, self.function, self.layer) {
            (Some(path), None, None) => Some(ChunksOf::File(path)),
            (None, Some(name), None) => Some(ChunksOf::Function(name)),
            (None, None, Some(mount)) => Some(ChunksOf::Layer(mount)),
            _ => None,
        }
    }
}

/// The chunks of what stands at a place in the newest deployment of a project that has something there. None of a blob that is sent as soon as
/// asked about, or that is damaged.
#[utoipa::path(get, path = "/v1/projects/{project}/chunks", params(("project" = String, Path), ChunksQuery),
    responses((status = 200, body = ChunkList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(in crate::control) async fn list(
    axum::extract::State(control): State,
    actor: Actor,
    Path(project): Path<ProjectName>,
    Query(query): Query<ChunksQuery>,
) -> Result<Json<ChunkList>, ApiError> {
    let wrong = || ApiError::new(ErrorCode::BadRequest, "chunks are asked for by `file`, `function` or `layer`");
    let of = query.of().ok_or_else(wrong)?;
    let store = control.store.clone();
    // One after the other: each reads as fast as a disk and a processor can.
    let _turn = control.chunking.lock().await;
    let listed = blocking(move || {
        let Some(digest) = newest(&store, &project, &of)? else { return Ok(ChunkList::default()) };
        if actor.projects().only().is_some() {
            // It is in a deployment of the project, so whoever has to do with that alone may put it into another.
            store.project_blobs().add(&project, &[digest])?;
        }
        match store.blobs().open(&digest) {
            Ok(blob) => {
                let chunks = chunks_of(blob.into_file()).map_err(|error| ApiError::internal(&error))?;
                Ok(ChunkList { blob: Some(digest), chunks })
            }
            Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => Ok(ChunkList::default()),
            Err(error) => Err(ApiError::from(error)),
        }
    });
    listed.await.map(Json)
}

/// The large blob that stands at a place in the newest deployment that has one there.
fn newest(store: &Store, project: &ProjectName, of: &ChunksOf) -> Result<Option<Digest>, ApiError> {
    for summary in store.deployments().list(Some(project), DEPLOYMENTS_SEEN)? {
        // One that cannot be read has nothing to give.
        let Ok(manifest) = store.deployments().manifest(&summary.record.id) else { continue };
        if let Some((digest, size_bytes)) = at(&manifest, of) {
            return Ok((size_bytes > CHUNKED_BYTES).then_some(digest));
        }
    }
    Ok(None)
}

fn at(manifest: &Manifest, of: &ChunksOf) -> Option<(Digest, u64)> {
    match of {
        ChunksOf::File(path) => {
            let asset = manifest.assets().iter().find(|asset| asset.path == *path)?;
            Some((asset.digest, asset.size_bytes))
        }
        ChunksOf::Function(name) => {
            let function = manifest.functions().iter().find(|function| function.name == *name)?;
            Some((function.digest, function.size_bytes))
        }
        ChunksOf::Layer(mount) => {
            let layer = manifest.functions().iter().flat_map(|function| &function.layers);
            layer.into_iter().find(|layer| layer.mount == *mount).map(|layer| (layer.digest, layer.size_bytes))
        }
    }
}
