//! What was counted since the host began.

use std::collections::HashMap;

use ship_core::{BUCKETS, ProjectName};
use ship_edge::{EdgeCounts, ProjectCounts};
use ship_store::Sample;

/// What was counted of all, and of each project that is told apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) host: Total,
    pub(super) projects: HashMap<ProjectName, Total>,
}

/// What was counted of a project.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    durations: [u64; BUCKETS],
    refused: u64,
    failed: u64,
    cold_starts: u64,
}

impl Totals {
    pub(super) fn of(counts: &EdgeCounts) -> Self {
        let mut totals = Self::default();
        for (project, counts) in &counts.projects {
            let total = Total::of(counts);
            totals.host.add(&total);
            if let Some(project) = project {
                totals.projects.insert(project.clone(), total);
            }
        }
        totals
    }
}

impl Total {
    fn of(counts: &ProjectCounts) -> Self {
        let mut total = Self::default();
        for (_, class, durations) in &counts.answered {
            for (sum, count) in total.durations.iter_mut().zip(durations.buckets) {
                *sum += count;
            }
            match *class {
                "4xx" => total.refused += durations.count(),
                "5xx" => total.failed += durations.count(),
                _ => {}
            }
        }
        total.cold_starts = counts.functions.iter().map(|(_, function)| function.cold_starts).sum();
        total
    }

    fn add(&mut self, other: &Self) {
        for (sum, count) in self.durations.iter_mut().zip(other.durations) {
            *sum += count;
        }
        self.refused += other.refused;
        self.failed += other.failed;
        self.cold_starts += other.cold_starts;
    }

    /// What was counted since an earlier look. A project that was removed meanwhile, and is back, begins anew.
    pub(super) fn since(&self, before: &Self) -> Sample {
        let more = |now: u64, before: u64| u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
        Sample {
            durations: std::array::from_fn(|at| more(self.durations[at], before.durations[at])),
            refused: more(self.refused, before.refused),
            failed: more(self.failed, before.failed),
            cold_starts: more(self.cold_starts, before.cold_starts),
            ..Sample::default()
        }
    }
}
