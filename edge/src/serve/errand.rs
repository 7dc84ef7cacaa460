//! Whom a request is waiting for.

use std::sync::Arc;

use http::Extensions;

use super::state::ConnectionState;

/// In the extensions of a request of HTTP/1.1, where the end of what its visitor sends may not be a departure.
#[derive(Clone)]
pub(crate) struct Errand(Arc<ConnectionState>);

impl Errand {
    pub(super) const fn of(state: Arc<ConnectionState>) -> Self {
        Self(state)
    }

    /// Notes that somebody else is asked for the visitor, who is not to work for nobody: from now on who sends nothing more has left.
    pub(crate) fn begins(extensions: &Extensions) {
        if let Some(Self(state)) = extensions.get() {
            state.asks_others();
        }
    }
}
