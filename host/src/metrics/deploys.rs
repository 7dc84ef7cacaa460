//! How long the parts of deploys take on the host.

use std::time::Instant;

use ship_core::{Histogram, HistogramView};

/// A part of a deploy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Blobs arrive and are made durable.
    Upload,
    /// The manifest is checked and stored.
    Stage,
    /// Functions are started to see whether they do.
    Start,
    /// Aliases move.
    Publish,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Upload, Self::Stage, Self::Start, Self::Publish];

    /// The word in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Stage => "stage",
            Self::Start => "start",
            Self::Publish => "publish",
        }
    }
}

/// What is counted of deploys.
#[derive(Debug, Default)]
pub(crate) struct DeployMeters([Histogram; Phase::ALL.len()]);

/// How long each part took, how often.
pub(crate) type DeployCounts = Vec<(Phase, HistogramView)>;

impl DeployMeters {
    /// Waits for a part of a deploy that may fail, and counts it if it does not.
    pub(crate) async fn time<T, E>(&self, phase: Phase, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let began = Instant::now();
        let done = work.await?;
        self.0[phase as usize].record(began.elapsed());
        Ok(done)
    }

    pub(crate) fn counts(&self) -> DeployCounts {
        Phase::ALL.iter().zip(&self.0).map(|(phase, durations)| (*phase, durations.view())).collect()
    }
}
