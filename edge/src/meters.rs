//! What an edge counts: requests by project, by what answered and by class of status; calls of functions by name.
//!
//! Nothing here is a label that a visitor can choose: no path, no host name, no id. What a project's owner can choose, names of
//! projects and functions, is bounded in number; what is beyond is counted together.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use ship_core::{CacheState, Counter, FunctionName, Histogram, HistogramView, PlatformError, ProjectName};
use ship_runtime::Course;

/// How many projects are told apart.
const PROJECTS: usize = 1000;

/// How many functions of one project are told apart, in all deployments that were asked since the host began.
const FUNCTIONS: usize = 200;

/// What answered a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestKind {
    /// A file.
    Static,
    /// A function, middleware included.
    Function,
    /// A page that a function made for everybody, kept or made now.
    Prerendered,
    /// An answer of a function that was kept because the function asked for that.
    Cached,
    /// Another server.
    External,
    /// The routes themselves: redirects, statuses, preflights, and that there is nothing.
    Routing,
}

impl RequestKind {
    const ALL: [Self; 6] =
        [Self::Static, Self::Function, Self::Prerendered, Self::Cached, Self::External, Self::Routing];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Function => "function",
            Self::Prerendered => "prerendered",
            Self::Cached => "cached",
            Self::External => "external",
            Self::Routing => "routing",
        }
    }
}

/// The classes of statuses, as they are called.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What an edge counts, by project.
#[derive(Default)]
pub(crate) struct Meters {
    projects: Book<ProjectName, ProjectMeters>,
    /// Requests for host names where no deployment stands.
    pub(crate) homeless: Counter,
}

/// What is counted of one project. What never happened takes no memory.
#[derive(Default)]
pub(crate) struct ProjectMeters {
    begun: Counter,
    answered: [[OnceLock<Box<Histogram>>; CLASSES.len()]; RequestKind::ALL.len()],
    functions: Book<FunctionName, FunctionMeters>,
    /// Answers that may be kept, by where they came from.
    caching: OnceLock<Box<[Counter; CacheState::ALL.len()]>>,
}

/// What is counted of one function.
#[derive(Default)]
pub(crate) struct FunctionMeters {
    durations: Histogram,
    cold_starts: Counter,
    errors: Counter,
    timeouts: Counter,
    throttled: Counter,
}

/// What an edge has counted.
#[derive(Clone, Debug, Default)]
pub struct EdgeCounts {
    /// By project; `None` is all that are beyond what is told apart.
    pub projects: Vec<(Option<ProjectName>, ProjectCounts)>,
    /// Requests for host names where no deployment stands.
    pub homeless: u64,
    /// How many answers of functions are kept in memory.
    pub kept_answers: u64,
    /// What they take there, in bytes.
    pub kept_bytes: u64,
}

/// What was counted of one project.
#[derive(Clone, Debug, Default)]
pub struct ProjectCounts {
    /// Requests whose answer has not ended.
    pub in_flight: u64,
    /// How long answers took until they had ended, by what answered and the class of the status (`2xx`).
    pub answered: Vec<(RequestKind, &'static str, HistogramView)>,
    /// Answers that may be kept for more than one visitor, by where they came from.
    pub caching: Vec<(CacheState, u64)>,
    /// By function; `None` is all that are beyond what is told apart.
    pub functions: Vec<(Option<FunctionName>, FunctionCounts)>,
}

/// What was counted of one function.
#[derive(Clone, Debug, Default)]
pub struct FunctionCounts {
    /// How long calls took until the head of their answer, waiting for a start included.
    pub durations: HistogramView,
    /// Calls that waited for a start.
    pub cold_starts: u64,
    /// Calls that failed, those that ran into a time or were turned away not among them.
    pub errors: u64,
    /// Calls that ran into the function's time.
    pub timeouts: u64,
    /// Calls that were turned away because all instances were busy.
    pub throttled: u64,
}

impl Meters {
    /// What is counted of a project.
    pub(crate) fn of(&self, project: &ProjectName) -> Arc<ProjectMeters> {
        self.projects.of(project, PROJECTS)
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> EdgeCounts {
        let projects = self.projects.all().into_iter().map(|(name, meters)| (name, meters.counts())).collect();
        EdgeCounts { projects, homeless: self.homeless.value(), ..EdgeCounts::default() }
    }

    /// Forgets a project that was removed.
    pub(crate) fn forget(&self, project: &ProjectName) {
        self.projects.forget(project);
    }
}

impl ProjectMeters {
    /// A request has come.
    pub(crate) fn begin(&self) {
        self.begun.increment();
    }

    /// An answer has ended, `duration` after its request came.
    pub(crate) fn end(&self, kind: RequestKind, status: u16, duration: Duration) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        self.answered[kind as usize][class].get_or_init(Box::default).record(duration);
    }

    /// An answer that may be kept came from there.
    pub(crate) fn came_from(&self, state: CacheState) {
        self.caching.get_or_init(Box::default)[state as usize].increment();
    }

    /// What is counted of a function.
    pub(crate) fn function(&self, name: &FunctionName) -> Arc<FunctionMeters> {
        self.functions.of(name, FUNCTIONS)
    }

    fn counts(&self) -> ProjectCounts {
        let mut answered = Vec::new();
        for (kind, classes) in RequestKind::ALL.into_iter().zip(&self.answered) {
            for (class, histogram) in CLASSES.into_iter().zip(classes) {
                answered.extend(histogram.get().map(|histogram| (kind, class, histogram.view())));
            }
        }
        let ended: u64 = answered.iter().map(|(_, _, durations)| durations.count()).sum();
        let functions = self.functions.all().into_iter().map(|(name, meters)| (name, meters.counts())).collect();
        let caching =
            self.caching.get().into_iter().flat_map(|counters| CacheState::ALL.into_iter().zip(counters.iter()));
        let caching = caching.map(|(state, counter)| (state, counter.value())).collect();
        ProjectCounts { in_flight: self.begun.value().saturating_sub(ended), answered, caching, functions }
    }
}

impl FunctionMeters {
    /// A call was answered, `duration` after it was made.
    pub(crate) fn answered(&self, duration: Duration, course: Course) {
        self.durations.record(duration);
        if course.cold.is_some() {
            self.cold_starts.increment();
        }
    }

    /// A call was not answered. What is the visitor's own fault is no failure of the function.
    pub(crate) fn failed(&self, duration: Duration, error: Option<PlatformError>) {
        self.durations.record(duration);
        match error {
            Some(PlatformError::FunctionInvocationTimeout) => self.timeouts.increment(),
            Some(PlatformError::FunctionThrottled) => self.throttled.increment(),
            Some(error) if error.status() >= 500 => self.errors.increment(),
            _ => {}
        }
    }

    fn counts(&self) -> FunctionCounts {
        FunctionCounts {
            durations: self.durations.view(),
            cold_starts: self.cold_starts.value(),
            errors: self.errors.value(),
            timeouts: self.timeouts.value(),
            throttled: self.throttled.value(),
        }
    }
}

/// Meters by name, so many and no more.
struct Book<N, M> {
    named: RwLock<BTreeMap<N, Arc<M>>>,
    others: OnceLock<Arc<M>>,
}

impl<N, M> Default for Book<N, M> {
    fn default() -> Self {
        Self { named: RwLock::default(), others: OnceLock::new() }
    }
}

impl<N: Ord + Hash + Clone, M: Default> Book<N, M> {
    fn of(&self, name: &N, most: usize) -> Arc<M> {
        if let Some(known) = self.named.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(known);
        }
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= most && !named.contains_key(name) {
            return Arc::clone(self.others.get_or_init(Arc::default));
        }
        Arc::clone(named.entry(name.clone()).or_default())
    }

    fn all(&self) -> Vec<(Option<N>, Arc<M>)> {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        let named = named.iter().map(|(name, meters)| (Some(name.clone()), Arc::clone(meters)));
        named.chain(self.others.get().map(|others| (None, Arc::clone(others)))).collect()
    }

    fn forget(&self, name: &N) {
        self.named.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever names there are, no more are told apart than the bound says, and the others are counted together.
    #[test]
    fn bounded() {
        let meters = Meters::default();
        for number in 0..PROJECTS + 10 {
            let project = meters.of(&format!("p{number}").parse().unwrap());
            project.begin();
            project.end(RequestKind::Static, 200, Duration::ZERO);
        }
        let counts = meters.counts();
        assert_eq!(counts.projects.len(), PROJECTS + 1);
        let (name, others) = &counts.projects[PROJECTS];
        assert_eq!((name, others.answered[0].2.count()), (&None, 10));
    }

    /// Answers are counted by what answered and their class; what has not ended is in flight.
    #[test]
    fn requests() {
        let project = ProjectMeters::default();
        for _ in 0..5 {
            project.begin();
        }
        for (kind, status) in [
            (RequestKind::Static, 200),
            (RequestKind::Static, 304),
            (RequestKind::Function, 503),
            (RequestKind::Static, 206),
        ] {
            project.end(kind, status, Duration::from_millis(1));
        }
        let counts = project.counts();
        let answered: Vec<_> =
            counts.answered.iter().map(|(kind, class, view)| (kind.as_str(), *class, view.count())).collect();
        assert_eq!(answered, [("static", "2xx", 2), ("static", "3xx", 1), ("function", "5xx", 1)]);
        assert_eq!(counts.in_flight, 1);
    }
}
