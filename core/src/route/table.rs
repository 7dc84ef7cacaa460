//! The route table: what `config.json` of the Build Output API v3 holds under `routes`.

use std::collections::{BTreeMap, HashSet};

use super::condition::{Condition, ConditionValue};
use super::pattern::{CaseRule, Pattern, PatternError};
use crate::limits::SiteLimits;
use crate::path::FunctionName;

/// How many elements a list may have: the routes of a deployment, and the marks of the phases.
const MAX_ENTRIES: usize = SiteLimits::DEFAULT.routes + Phase::ALL.len();

/// When a group of routes is tried.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before anything is looked up. Written without a `handle`.
    #[serde(skip)]
    Null,
    /// After no asset or function was found at the path.
    Filesystem,
    /// After something was found: headers only.
    Hit,
    /// After nothing was found in the filesystem phase either.
    Miss,
    /// After the miss phase: dynamic routes.
    Rewrite,
    /// When the answer is an error.
    Error,
}

impl Phase {
    /// All phases, in the order in which they are written.
    pub const ALL: [Self; 6] = [Self::Null, Self::Filesystem, Self::Hit, Self::Miss, Self::Rewrite, Self::Error];
}

/// One route: a pattern, conditions, and what follows from a match.
#[derive(Clone, PartialEq, Debug)]
pub struct Route {
    /// Which paths it is about.
    pub src: Pattern,
    /// Where the request goes: a path, with `$1` and `$name` from the pattern, or the URL of another host.
    pub dest: Option<String>,
    /// Response headers to set; `location` with a 3xx status is a redirect.
    pub headers: BTreeMap<String, String>,
    /// The methods it is about, in upper case; all of them when empty.
    pub methods: Vec<String>,
    /// Whether the routes behind it are still tried.
    pub continues: bool,
    /// Whether the destination must exist: if it does not, the routes behind are tried with the new path. Together with
    /// `continues` they are tried with the old one: the destination is taken only where it exists.
    pub check: bool,
    /// The status of the response.
    pub status: Option<u16>,
    /// Conditions that must all hold.
    pub has: Vec<Condition>,
    /// Conditions of which none may hold.
    pub missing: Vec<Condition>,
    /// A function that is asked before the routes behind it are tried.
    pub middleware: Option<FunctionName>,
}

impl Route {
    /// A route that matches `src` and, until more is said, does nothing.
    pub fn new(src: Pattern) -> Self {
        Self {
            src,
            dest: None,
            headers: BTreeMap::new(),
            methods: Vec::new(),
            continues: false,
            check: false,
            status: None,
            has: Vec::new(),
            missing: Vec::new(),
            middleware: None,
        }
    }

    /// All patterns in it.
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let conditions = self.has.iter().chain(&self.missing).filter_map(|condition| condition.value.as_ref());
        std::iter::once(&self.src).chain(conditions.filter_map(ConditionValue::pattern))
    }
}

/// The routes of a deployment by phase. On the wire it is the list of the Build Output API, `{"handle": …}` between phases.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "BoundedEntries", into = "Vec<RouteEntry>")]
pub struct RouteTable {
    phases: BTreeMap<Phase, Vec<Route>>,
}

impl RouteTable {
    /// A table without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a route to a phase.
    pub fn push(&mut self, phase: Phase, route: Route) {
        self.phases.entry(phase).or_default().push(route);
    }

    /// The routes of a phase, in the order in which they are tried.
    pub fn phase(&self, phase: Phase) -> &[Route] {
        self.phases.get(&phase).map_or(&[], Vec::as_slice)
    }

    /// Says whether every pattern compiles within its bounds. To be asked once, where a table enters the system.
    pub fn check_sizes(&self) -> Result<(), PatternError> {
        self.phases.values().flatten().flat_map(Route::patterns).try_for_each(Pattern::check_size)
    }

    /// The patterns that may take many steps on a short text, each once: requests that they take too many on are answered with
    /// `ROUTE_PATTERN_EXHAUSTED`.
    pub fn hard_patterns(&self) -> Vec<&str> {
        let patterns = self.phases.values().flatten().flat_map(Route::patterns).filter(|pattern| pattern.is_hard());
        let mut seen = HashSet::new();
        patterns.map(Pattern::as_str).filter(|written| seen.insert(*written)).collect()
    }

    /// The functions that are asked before others.
    pub fn middleware(&self) -> impl Iterator<Item = &FunctionName> {
        self.phases.values().flatten().filter_map(|route| route.middleware.as_ref())
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.phases.values().map(Vec::len).sum()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.phases.values().all(Vec::is_empty)
    }
}

/// One element of `routes` as it is written: a route, or the mark of a phase.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct RouteEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    methods: Vec<String>,
    #[serde(rename = "continue", skip_serializing_if = "std::ops::Not::not")]
    continues: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    case_sensitive: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has: Vec<Condition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Condition>,
    #[serde(rename = "middlewarePath", skip_serializing_if = "Option::is_none")]
    middleware: Option<FunctionName>,
}

/// The list as it is read: no longer than a deployment's routes may be, so that a list of millions is refused at its first
/// element too many.
struct BoundedEntries(Vec<RouteEntry>);

impl<'de> serde::Deserialize<'de> for BoundedEntries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> serde::de::Visitor<'de> for Entries {
            type Value = BoundedEntries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a list of at most {MAX_ENTRIES} routes")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<BoundedEntries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    if entries.len() == MAX_ENTRIES {
                        return Err(serde::de::Error::custom(format!("more than {MAX_ENTRIES} routes")));
                    }
                    entries.push(entry);
                }
                Ok(BoundedEntries(entries))
            }
        }

        deserializer.deserialize_seq(Entries)
    }
}

/// The list is not a route table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteTableError {
    /// An element is neither a route nor the mark of a phase.
    #[error("routes[{index}]: a route needs `src`, or else `handle` and nothing beside it")]
    NeitherRouteNorHandle {
        /// Its place in the list.
        index: usize,
    },
    /// A phase is opened twice.
    #[error("routes[{index}]: this phase was opened before")]
    PhaseTwice {
        /// Its place in the list.
        index: usize,
    },
    /// A route does what its phase does not allow.
    #[error("routes[{index}]: {reason}")]
    NotInThisPhase {
        /// Its place in the list.
        index: usize,
        /// What the phase asks for.
        reason: &'static str,
    },
    /// A status that no response ends with: 1xx announce one, and beyond 599 there are none.
    #[error("routes[{index}]: {status} is not the status of a response")]
    Status {
        /// Its place in the list.
        index: usize,
        /// What was written.
        status: u16,
    },
    /// A header that cannot be sent.
    #[error("routes[{index}]: the header {name:?} has a name or value that cannot stand in a response")]
    Header {
        /// Its place in the list.
        index: usize,
        /// Its name.
        name: String,
    },
    /// A `src` is not a pattern.
    #[error("routes[{index}]: {error}")]
    Pattern {
        /// Its place in the list.
        index: usize,
        /// Why.
        #[source]
        error: PatternError,
    },
}

impl TryFrom<BoundedEntries> for RouteTable {
    type Error = RouteTableError;

    fn try_from(BoundedEntries(entries): BoundedEntries) -> Result<Self, Self::Error> {
        let mut table = Self::new();
        let mut phase = Phase::Null;
        for (index, entry) in entries.into_iter().enumerate() {
            match (entry.handle, &entry.src) {
                (Some(next), None) => {
                    if table.phases.contains_key(&next) {
                        return Err(RouteTableError::PhaseTwice { index });
                    }
                    table.phases.insert(next, Vec::new());
                    phase = next;
                }
                (None, Some(_)) => table.push(phase, entry.into_route(index, phase)?),
                _ => return Err(RouteTableError::NeitherRouteNorHandle { index }),
            }
        }
        Ok(table)
    }
}

impl RouteEntry {
    fn into_route(self, index: usize, phase: Phase) -> Result<Route, RouteTableError> {
        let not_here = |reason| Err(RouteTableError::NotInThisPhase { index, reason });
        match phase {
            Phase::Null if self.middleware.is_some() && (self.dest.is_some() || self.status.is_some()) => {
                return not_here("a route with `middlewarePath` has neither `dest` nor `status`");
            }
            Phase::Null => {}
            _ if self.middleware.is_some() => {
                return not_here("`middlewarePath` stands before the first `handle`");
            }
            Phase::Hit if self.dest.is_some() || self.status.is_some() => {
                return not_here("after `handle: hit` a route has neither `dest` nor `status`");
            }
            Phase::Hit if !self.continues => return not_here("after `handle: hit` a route says `continue`"),
            Phase::Miss if self.dest.is_some() && !self.check => {
                return not_here("after `handle: miss` a route with `dest` says `check`");
            }
            Phase::Miss if self.dest.is_none() && !self.continues => {
                return not_here("after `handle: miss` a route without `dest` says `continue`");
            }
            _ => {}
        }
        if let Some(status) = self.status.filter(|status| !(200..600).contains(status)) {
            return Err(RouteTableError::Status { index, status });
        }
        if let Some((name, _)) = self.headers.iter().find(|(name, value)| !is_header(name, value)) {
            return Err(RouteTableError::Header { index, name: name.clone() });
        }
        let case = if self.case_sensitive { CaseRule::Sensitive } else { CaseRule::Insensitive };
        let src = Pattern::anchored(&self.src.unwrap_or_default(), case)
            .map_err(|error| RouteTableError::Pattern { index, error })?;
        Ok(Route {
            src,
            dest: self.dest,
            headers: self.headers,
            methods: self.methods,
            continues: self.continues,
            check: self.check,
            status: self.status,
            has: self.has,
            missing: self.missing,
            middleware: self.middleware,
        })
    }
}

/// Whether a name and a value can stand in a response's head (RFC 9110, section 5).
pub(crate) fn is_header(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token) && !value.chars().any(char::is_control)
}

impl From<Route> for RouteEntry {
    fn from(route: Route) -> Self {
        Self {
            handle: None,
            src: Some(route.src.as_str().to_owned()),
            dest: route.dest,
            headers: route.headers,
            methods: route.methods,
            continues: route.continues,
            case_sensitive: route.src.case() == CaseRule::Sensitive,
            check: route.check,
            status: route.status,
            has: route.has,
            missing: route.missing,
            middleware: route.middleware,
        }
    }
}

impl From<RouteTable> for Vec<RouteEntry> {
    fn from(table: RouteTable) -> Self {
        let mut entries = Self::new();
        for (phase, routes) in table.phases {
            if phase != Phase::Null {
                entries.push(RouteEntry { handle: Some(phase), ..RouteEntry::default() });
            }
            entries.extend(routes.into_iter().map(RouteEntry::from));
        }
        entries
    }
}
