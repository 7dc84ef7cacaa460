//! The scrubber: everything is read again in the background, so slowly that nobody notices, and what is damaged is found
//! before somebody asks for it.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ship_store::{FsckReport, Progress, StateError, Store};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::CareMeters;
use crate::blocking::blocking;
use crate::options::ScrubPace;

/// How much is read at once, between two pauses.
const STEP_BYTES: u64 = 1024 * 1024;

/// How long it rests between two passes.
const REST: Duration = Duration::from_hours(24);

/// Reads everything again and again until it is stopped.
pub(crate) async fn scrub(store: Store, pace: ScrubPace, meters: Arc<CareMeters>, stop: CancellationToken) {
    let work = async {
        sleep(pace.first).await;
        loop {
            match pass(&store, pace.bytes_a_second, &meters).await {
                Ok(report) => tell(&report),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "what is kept cannot be read again");
                }
            }
            sleep(REST).await;
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Reads everything once.
async fn pass(store: &Store, bytes_a_second: NonZeroU64, meters: &CareMeters) -> Result<FsckReport, StateError> {
    let examined = store.clone();
    let mut examination = blocking(move || examined.examine()).await?;
    loop {
        let (stepped, bytes, progress) = blocking(move || {
            let before = examination.read_bytes();
            let progress = examination.advance(STEP_BYTES);
            let bytes = examination.read_bytes() - before;
            (examination, bytes, progress)
        })
        .await;
        examination = stepped;
        meters.scrubbed_bytes.fetch_add(bytes, Ordering::Relaxed);
        if progress == Progress::Done {
            break;
        }
        sleep(Duration::from_micros(bytes.saturating_mul(1_000_000) / bytes_a_second)).await;
    }
    let report = blocking(move || examination.finish()).await?;
    meters.scrubs.fetch_add(1, Ordering::Relaxed);
    Ok(report)
}

/// Each damaged blob was logged when it was found; this says whom it touches, and that everything was read.
fn tell(report: &FsckReport) {
    let (blobs, bytes, damaged) = (report.blobs, report.bytes, report.damaged.len());
    tracing::info!(blobs, bytes, damaged, "everything that is kept was read again");
    for problem in &report.state {
        tracing::error!(problem, "the state database is damaged");
    }
    for blob in &report.damaged {
        let touched: Vec<String> = blob.touches.iter().map(|touched| touched.id.to_string()).collect();
        tracing::error!(digest = %blob.digest, fault = ?blob.fault, deployments = touched.join(", "), "a blob is damaged");
    }
}

#[cfg(test)]
mod tests {
    use ship_core::Digest;
    use ship_store::Durability;
    use tokio::time::Instant;

    use super::*;

    fn put(store: &Store, content: &[u8]) {
        let mut batch = store.blobs().batch().unwrap();
        let mut writer = batch.begin(Digest::of(content), content.len() as u64).unwrap();
        writer.write(content).unwrap();
        writer.finish().unwrap();
        batch.commit().unwrap();
    }

    fn file_of(folder: &tempfile::TempDir, content: &[u8]) -> std::path::PathBuf {
        let name = Digest::of(content).to_hex();
        folder.path().join("blobs").join(&name[..2]).join(&name[2..])
    }

    const PACE: ScrubPace =
        ScrubPace { first: Duration::from_hours(1), bytes_a_second: NonZeroU64::new(8 * 1024 * 1024).unwrap() };

    /// Everything is read at its rate, damage is set aside and counted, and it begins anew after a rest.
    #[tokio::test(start_paused = true)]
    async fn slowly() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        let contents: Vec<Vec<u8>> = (0..4).map(|number| vec![number; 5 * 1024 * 1024]).collect();
        for content in &contents {
            put(&store, content);
        }
        std::fs::write(file_of(&folder, &contents[2]), "damaged").unwrap();
        let meters = Arc::<CareMeters>::default();
        let began = Instant::now();
        let report = pass(&store, PACE.bytes_a_second, &meters).await.unwrap();
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(1_600) && took < Duration::from_secs(3), "{took:?}");
        assert_eq!((report.damaged.len(), report.damaged[0].digest), (1, Digest::of(&contents[2])));
        assert_eq!(store.blobs().missing(&[Digest::of(&contents[2])]).len(), 1);
        assert_eq!(store.blobs().damages_seen(), 1);
        assert_eq!(meters.counts().scrubbed_bytes, 15 * 1024 * 1024 + 7);

        let stop = CancellationToken::new();
        let scrubbing = tokio::spawn(scrub(store.clone(), PACE, Arc::clone(&meters), stop.clone()));
        sleep(PACE.first + REST * 2).await;
        assert_eq!(meters.counts().scrubs, 3);
        stop.cancel();
        scrubbing.await.unwrap();
    }
}
