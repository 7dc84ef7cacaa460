//! How much one request may make of a table. Each pattern is bounded by itself; what many of them do together must be, too.

/// How many routes are tried: all of the largest table, ten times. A route with `check` has the phases behind it walked once more.
const ROUTES_TRIED: u32 = 100_000;

/// How many patterns that may backtrack are tried.
const HARD_PATTERNS_TRIED: u32 = 256;

/// How many bytes destinations and headers may have when what was caught stands in them, four times a visitor's whole head. A route
/// that writes twice what it caught, and goes on, doubles the path: forty of them would fill any memory.
const FILLED_BYTES: usize = 256 * 1024;

/// What is left for one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Effort {
    routes: u32,
    hard_patterns: u32,
    bytes: usize,
}

/// Nothing is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spent;

impl Effort {
    pub(super) const OF_A_REQUEST: Self =
        Self { routes: ROUTES_TRIED, hard_patterns: HARD_PATTERNS_TRIED, bytes: FILLED_BYTES };

    /// One more route is looked at.
    pub(super) fn try_route(&mut self) -> Result<(), Spent> {
        self.routes = self.routes.checked_sub(1).ok_or(Spent)?;
        Ok(())
    }

    /// So many patterns that may backtrack are tried.
    pub(super) fn try_hard_patterns(&mut self, count: usize) -> Result<(), Spent> {
        let count = u32::try_from(count).map_err(|_| Spent)?;
        self.hard_patterns = self.hard_patterns.checked_sub(count).ok_or(Spent)?;
        Ok(())
    }

    /// So many bytes are written.
    pub(super) fn write(&mut self, bytes: usize) -> Result<(), Spent> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Spent)?;
        Ok(())
    }
}
