//! An examination of a data directory, in the words of the control API. The host does it when it is asked, and the command
//! line by itself where no host runs.

use std::error::Error as _;
use std::path::Path;

use ship_api::{DamagedBlobView, DamagedFunctionView, FsckView, LeftoversView, TouchedView};
use ship_store::{
    BlobFault, DamagedBlob, DamagedFolder, FsckReport, Leftovers, OpenError, Progress, StateError, Store, Touched,
};
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::error::HostError;

/// How much is read between two looks whether the host stops.
const STEP_BYTES: u64 = 64 * 1024 * 1024;

/// Reads everything again that a store keeps; nothing if the host stops meanwhile.
pub(crate) async fn examine(store: Store, stop: &CancellationToken) -> Result<Option<FsckView>, StateError> {
    let mut examination = blocking(move || store.examine()).await?;
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let reading = blocking(move || {
            let progress = examination.advance(STEP_BYTES);
            (examination, progress)
        });
        let (stepped, progress) = reading.await;
        if progress == Progress::Done {
            return Ok(Some(view(blocking(move || stepped.finish()).await?)));
        }
        examination = stepped;
    }
}

/// The same at once, for a data directory that no host has open. Blocks for as long as it takes. One whose database is no database any more is damaged.
pub fn examine_at(data: &Path) -> Result<FsckView, HostError> {
    match Store::open_existing(data) {
        Ok(store) => Ok(view(store.fsck()?)),
        Err(OpenError::Database { path, source }) if source.is_damage() => {
            let reason = source.source().map(ToString::to_string).unwrap_or_default();
            let state = vec![format!("{} cannot be opened: {reason}", path.display())];
            Ok(view(FsckReport { state, ..FsckReport::default() }))
        }
        Err(error) => Err(error.into()),
    }
}

fn view(report: FsckReport) -> FsckView {
    let clean = report.is_clean();
    let FsckReport { state, deployments, blobs, bytes, damaged, functions, leftovers } = report;
    let Leftovers { blobs: unneeded, blob_bytes, functions: unneeded_functions, set_aside, set_aside_bytes, strays } =
        leftovers;
    FsckView {
        clean,
        deployments,
        blobs,
        bytes,
        state,
        damaged: damaged.into_iter().map(blob).collect(),
        functions: functions.into_iter().map(function).collect(),
        leftovers: LeftoversView {
            blobs: unneeded,
            blob_bytes,
            functions: unneeded_functions,
            set_aside,
            set_aside_bytes,
            strays,
        },
    }
}

fn blob(DamagedBlob { digest, fault, variant_of, touches }: DamagedBlob) -> DamagedBlobView {
    let (fault, reason) = match fault {
        BlobFault::Missing => ("missing", None),
        BlobFault::Corrupt => ("corrupt", None),
        BlobFault::Unreadable(reason) => ("unreadable", Some(reason)),
    };
    let touched = |Touched { id, project, used_as }| TouchedView { id, project, used_as };
    let deployments = touches.into_iter().map(touched).collect();
    DamagedBlobView { digest, fault: fault.to_owned(), reason, variant_of, deployments }
}

fn function(DamagedFolder { artifact, difference, .. }: DamagedFolder) -> DamagedFunctionView {
    DamagedFunctionView { artifact, difference }
}
