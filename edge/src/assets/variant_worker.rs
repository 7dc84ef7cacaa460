//! Compresses assets in the background, each blob once, on a thread that yields to everything else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use ship_store::Store;

use crate::live_deployment::LiveDeployment;

/// How many deployments may wait. Beyond it a deployment is served uncompressed until it is prepared again, which a host does
/// each time it loads one.
const MAX_WAITING: usize = 1024;

/// The least favoured priority: a visitor never waits for a compression.
const NICE: i32 = 19;

/// The thread, and what it is told.
pub(crate) struct VariantWorker {
    shared: Arc<Shared>,
    thread: Mutex<Option<Thread>>,
}

/// The way to the thread, and its handle.
type Thread = (SyncSender<Arc<LiveDeployment>>, JoinHandle<()>);

struct Shared {
    generation: AtomicU64,
    is_stopping: AtomicBool,
}

impl VariantWorker {
    /// A worker on a store; its thread starts with the first deployment.
    pub(crate) fn new() -> Self {
        let shared = Shared { generation: AtomicU64::new(1), is_stopping: AtomicBool::new(false) };
        Self { shared: Arc::new(shared), thread: Mutex::new(None) }
    }

    /// Counts the blobs that variants were made of, from 1.
    pub(crate) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Makes the variants that a deployment lacks, in time.
    pub(crate) fn prepare(&self, store: &Store, deployment: &Arc<LiveDeployment>) {
        if self.shared.is_stopping.load(Ordering::Acquire) {
            return;
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            *thread = self.start(store.clone());
        }
        let Some((deployments, _)) = thread.as_ref() else { return };
        match deployments.try_send(Arc::clone(deployment)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                tracing::warn!(deployment = %deployment.id(), "too many deployments wait for compression");
            }
        }
    }

    fn start(&self, store: Store) -> Option<Thread> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("ship-variants".to_owned());
        match thread.spawn(move || work(&store, &shared, &receiver)) {
            Ok(handle) => Some((sender, handle)),
            Err(error) => {
                tracing::warn!(%error, "cannot start the compression thread");
                None
            }
        }
    }

    /// Ends the thread, after the blob it is at.
    pub(crate) async fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        let taken = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((sender, handle)) = taken else { return };
        drop(sender);
        match tokio::task::spawn_blocking(move || handle.join()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => tracing::error!("the compression thread panicked"),
        }
    }
}

impl Drop for VariantWorker {
    /// Nobody waits for the thread here: it sees that it is to stop, or that nobody is left to send to it.
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Release);
    }
}

fn work(store: &Store, shared: &Shared, deployments: &Receiver<Arc<LiveDeployment>>) {
    // On Linux the priority is the calling thread's alone.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "cannot lower the priority of the compression thread");
    }
    while let Ok(deployment) = deployments.recv() {
        for asset in deployment.manifest().assets().iter().filter(|asset| asset.media_type.is_compressible()) {
            if shared.is_stopping.load(Ordering::Acquire) {
                return;
            }
            if !store.blobs().needs_variants(&asset.digest) {
                continue;
            }
            match store.blobs().make_variants(&asset.digest) {
                Ok(_) => {
                    shared.generation.fetch_add(1, Ordering::AcqRel);
                }
                Err(error) => {
                    tracing::warn!(path = %asset.path, error = &error as &dyn std::error::Error, "cannot compress an asset");
                }
            }
        }
    }
}
