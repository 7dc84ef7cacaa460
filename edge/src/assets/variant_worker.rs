//! Compresses assets in the background, each blob once, on a thread that yields to everything else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use ship_core::Digest;
use ship_store::Store;

use crate::live_deployment::LiveDeployment;

/// How many deployments may wait. Beyond it a deployment is served uncompressed until it is prepared again, which a host does
/// each time it loads one.
const MAX_WAITING: usize = 1024;

/// How many blobs are compressed and stored together, so that the disk is not asked to make each durable by itself.
const AT_ONCE: usize = 16;

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
    store: Store,
    generation: AtomicU64,
    is_stopping: AtomicBool,
}

impl VariantWorker {
    /// A worker on a store; its thread starts with the first deployment.
    pub(crate) fn new(store: Store) -> Self {
        let shared = Shared { store, generation: AtomicU64::new(1), is_stopping: AtomicBool::new(false) };
        Self { shared: Arc::new(shared), thread: Mutex::new(None) }
    }

    /// Notes that what the store said of a deployment's variants does not hold any more: one was found damaged. It is made anew.
    pub(crate) fn look_again(&self, deployment: &Arc<LiveDeployment>) {
        self.shared.count_change();
        self.prepare(deployment);
    }

    /// Counts, from 1, how often what the store says of variants has changed.
    pub(crate) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Makes the variants that a deployment lacks, in time.
    pub(crate) fn prepare(&self, deployment: &Arc<LiveDeployment>) {
        if self.shared.is_stopping() {
            return;
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            *thread = self.start();
        }
        let Some((deployments, _)) = thread.as_ref() else { return };
        match deployments.try_send(Arc::clone(deployment)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                tracing::warn!(deployment = %deployment.id(), "too many deployments wait for compression");
            }
        }
    }

    fn start(&self) -> Option<Thread> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("ship-variants".to_owned());
        match thread.spawn(move || shared.work(&receiver)) {
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
        if !matches!(tokio::task::spawn_blocking(move || handle.join()).await, Ok(Ok(()))) {
            tracing::error!("the compression thread panicked");
        }
    }
}

impl Drop for VariantWorker {
    /// Nobody waits for the thread here: it sees that it is to stop, or that nobody is left to send to it.
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Release);
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    fn count_change(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    fn work(&self, deployments: &Receiver<Arc<LiveDeployment>>) {
        // On Linux the priority is the calling thread's alone.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!(%error, "cannot lower the priority of the compression thread");
        }
        while let Ok(deployment) = deployments.recv() {
            self.compress(&deployment);
        }
    }

    fn compress(&self, deployment: &LiveDeployment) {
        let assets = deployment.manifest().assets().iter().filter(|asset| asset.media_type.is_compressible());
        let lacking: Vec<Digest> = assets
            .map(|asset| asset.digest)
            .filter(|digest| !self.is_stopping() && self.store.blobs().needs_variants(digest))
            .collect();
        for some in lacking.chunks(AT_ONCE) {
            if self.is_stopping() {
                return;
            }
            if let Err(error) = self.store.blobs().make_all_variants(some, || self.is_stopping()) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(deployment = %deployment.id(), error, "assets cannot be compressed");
            }
            self.count_change();
        }
    }
}
