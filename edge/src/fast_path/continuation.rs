//! What was begun on the fast path and goes on where all other requests are answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::Extensions;
use http::Response;
use ship_runtime::{BegunCall, FunctionBody};

use crate::edge::Site;
use crate::request_log::RequestLog;

/// A request that was begun: hyper reads its bytes as it reads any other's, and whoever answers it finds with it what was done already. It
/// belongs to the deployment that it was begun with, and its function is not asked twice.
#[derive(Clone)]
pub(crate) struct Continuation(Arc<Mutex<Rest>>);

struct Rest {
    beginning: Option<(Site, RequestLog)>,
    call: Option<GivenCall>,
}

/// A call that was made of a request.
pub(crate) struct GivenCall {
    /// When the function was asked.
    pub(crate) asked: Instant,
    /// How far it is.
    pub(crate) going: Going,
}

/// How far a call is.
pub(crate) enum Going {
    /// The function is not done.
    Begun(BegunCall),
    /// It has answered.
    Answered(Response<FunctionBody>),
}

impl Continuation {
    pub(super) fn new(site: Site, log: RequestLog, asked: Instant, going: Going) -> Self {
        let (beginning, call) = (Some((site, log)), Some(GivenCall { asked, going }));
        Self(Arc::new(Mutex::new(Rest { beginning, call })))
    }

    /// The site that was asked, and the log of the request so far, if this one was begun.
    pub(crate) fn beginning(extensions: &Extensions) -> Option<(Site, RequestLog)> {
        Self::rest(extensions, |rest| rest.beginning.take())
    }

    /// The call that was made, if one was.
    pub(crate) fn call(extensions: &Extensions) -> Option<GivenCall> {
        Self::rest(extensions, |rest| rest.call.take())
    }

    fn rest<T>(extensions: &Extensions, take: impl FnOnce(&mut Rest) -> Option<T>) -> Option<T> {
        let Self(rest) = extensions.get()?;
        take(&mut rest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a connection leaves a request that goes on, for whoever gets the request from hyper.
#[derive(Clone, Default)]
pub(crate) struct Handover(Arc<Mutex<Option<Continuation>>>);

impl Handover {
    /// Leaves the request that hyper reads next.
    pub(crate) fn leave(&self, continuation: Continuation) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(continuation);
    }

    /// Gives the request that hyper has read what was left for it.
    pub(crate) fn give(&self, extensions: &mut Extensions) {
        if let Some(continuation) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            extensions.insert(continuation);
        }
    }
}
