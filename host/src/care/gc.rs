//! Collecting garbage: first the deployments that do not stay, then what nobody needs any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use ship_api::{ErrorCode, ErrorDetail, GcRequest, GcView, HeapView, RemovedDeploymentView};
use ship_core::DeploymentId;
use ship_runtime::{CodeSweep, Runtime};
use ship_store::{AuditNote, CollectError, Collection, DeploymentRecord, Garbage, Heap, Retention, Store};

use super::CareMeters;
use crate::blocking::blocking;
use crate::control::ApiError;
use crate::publisher::Publisher;

/// Collects garbage.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) store: Store,
    pub(crate) publisher: Publisher,
    pub(crate) runtime: Runtime,
    /// Which deployments stay, if not all of them do.
    pub(crate) retention: Option<Retention>,
    pub(crate) meters: Arc<CareMeters>,
    /// One collection at a time.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
}

impl Collector {
    /// Collects garbage, or says what would be collected. It goes on when whoever asked has gone: what was removed has to be
    /// forgotten.
    pub(crate) async fn collect(&self, request: GcRequest, note: AuditNote) -> Result<GcView, ApiError> {
        let (this, change) = (self.clone(), self.publisher.changes.go_on());
        let collecting = self.publisher.tasks.spawn(async move {
            let _change = change;
            this.collect_now(request, note).await
        });
        match collecting.await {
            Ok(collected) => collected,
            Err(_panicked) => Err(ApiError::new(ErrorCode::Internal, "garbage could not be collected")),
        }
    }

    async fn collect_now(&self, request: GcRequest, note: AuditNote) -> Result<GcView, ApiError> {
        let _turn = self.turn.lock().await;
        let retention = self.retention_of(&request)?;
        let collection = if request.dry_run { Collection::DryRun } else { Collection::Remove };
        let expired = match (retention, collection) {
            (None, _) => Vec::new(),
            (Some(retention), Collection::DryRun) => self.expired(retention).await?,
            (Some(retention), Collection::Remove) => self.publisher.remove_expired(retention, note).await?,
        };
        let gone: HashSet<DeploymentId> = expired.iter().map(|record| record.id).collect();
        let store = self.store.clone();
        let (garbage, in_use) = blocking(move || {
            let garbage = store.collect_garbage(collection, &gone)?;
            Ok::<_, ApiError>((garbage, store.deployments().functions_in_use(&gone)?))
        })
        .await?;
        let sweep = if request.dry_run { CodeSweep::DryRun } else { CodeSweep::Remove };
        let code = self.runtime.sweep_code(in_use, sweep).await;
        let code = Heap { number: code.number, bytes: code.bytes };
        if collection == Collection::Remove {
            self.count(expired.len() as u64, &garbage, code);
        }
        Ok(view(request.dry_run, &expired, &garbage, code))
    }

    fn retention_of(&self, request: &GcRequest) -> Result<Option<Retention>, ApiError> {
        let usual = self.retention;
        match (request.keep.or(usual.map(|usual| usual.keep)), request.keep_days) {
            (Some(keep), days) => {
                let usual_days = usual.map_or(Retention::USUAL_DAYS, |usual| usual.keep_days);
                Ok(Some(Retention { keep, keep_days: days.unwrap_or(usual_days) }))
            }
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(ErrorDetail::new(ErrorCode::BadRequest, "`keep_days` says nothing without `keep`").into())
            }
        }
    }

    async fn expired(&self, retention: Retention) -> Result<Vec<DeploymentRecord>, ApiError> {
        let store = self.store.clone();
        Ok(blocking(move || store.deployments().expired(retention, Timestamp::now())).await?)
    }

    fn count(&self, deployments: u64, garbage: &Garbage, code: Heap) {
        let meters = &self.meters;
        let add = |meter: &AtomicU64, number: u64| meter.fetch_add(number, Ordering::Relaxed);
        add(&meters.collections, 1);
        add(&meters.removed_deployments, deployments);
        add(&meters.removed_blobs, garbage.blobs.number);
        add(&meters.removed_functions, garbage.functions.number);
        add(&meters.removed_code, code.number);
        let bytes = garbage.blobs.bytes + garbage.functions.bytes + garbage.set_aside.bytes + code.bytes;
        add(&meters.removed_bytes, bytes);
        if deployments + garbage.blobs.number + garbage.functions.number + code.number > 0 {
            tracing::info!(deployments, blobs = garbage.blobs.number, bytes, "garbage was collected");
        }
    }
}

fn view(dry_run: bool, expired: &[DeploymentRecord], garbage: &Garbage, code: Heap) -> GcView {
    let heap = |heap: Heap| HeapView { number: heap.number, bytes: heap.bytes };
    let deployment = |record: &DeploymentRecord| RemovedDeploymentView {
        id: record.id,
        project: record.project.clone(),
        branch: record.source.branch.clone(),
        created_at: record.created_at,
    };
    GcView {
        dry_run,
        deployments: expired.iter().map(deployment).collect(),
        blobs: heap(garbage.blobs),
        variants: heap(garbage.variants),
        functions: heap(garbage.functions),
        compiled_code: heap(code),
        set_aside: heap(garbage.set_aside),
        spared: heap(garbage.spared),
    }
}

impl From<CollectError> for ApiError {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::UnknownNeeds { .. } => ErrorDetail::new(ErrorCode::BlobCorrupt, error.to_string())
                .with_hint("`ship fsck` shows what is damaged; deploying that content again heals it")
                .into(),
            CollectError::Kept => {
                ErrorDetail::new(ErrorCode::Upgrading, error.to_string()).with_hint("ask again later").into()
            }
            CollectError::State(error) => error.into(),
        }
    }
}
