//! What a function is asked for a page: nothing of the visitor but what tells one answer from another.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Empty;
use ship_core::{FunctionIndex, PlatformError, Prerender, QueryPlace, RequestId};

use crate::kept::AnswerKey;
use crate::live_deployment::LiveDeployment;
use crate::passage;
use crate::protocol::headers::{PRERENDER_REVALIDATE, ROUTE_MATCHES, set_forwarded_host};
use crate::request_log::Visit;
use crate::visitor::Scheme;

/// The host name that a function is asked under where nobody has said which it has.
const NAMELESS: &str = "localhost";

/// A page, as any visitor asks for it.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) key: AnswerKey,
    pub(super) deployment: Arc<LiveDeployment>,
    pub(super) function: FunctionIndex,
    uri: Uri,
    headers: HeaderMap,
}

impl Page {
    /// The page that `query`, the visitor's and what routes made of the path, asks for.
    pub(super) fn new(
        deployment: &Arc<LiveDeployment>,
        function: FunctionIndex,
        prerender: &Prerender,
        query: Option<&str>,
        scheme: Scheme,
    ) -> Result<Self, PlatformError> {
        let telling = prerender.telling_query(query);
        let mut headers = HeaderMap::new();
        // Not the visitor's: a page with a wrong name in it would be kept for everybody.
        let host = HeaderValue::from_str(deployment.main_host().unwrap_or(NAMELESS));
        headers.insert(HOST, host.map_err(|_| PlatformError::Internal)?);
        // No address: the visitor's is none of the page's business, and one of this machine could pass for its owner's.
        set_forwarded_host(&mut headers, scheme.as_str());
        passage::mark(&mut headers);
        let mut target = prerender.path();
        match prerender.query_place {
            _ if telling.is_empty() => {}
            QueryPlace::Url => target = format!("{target}?{telling}"),
            QueryPlace::Header => {
                let value = HeaderValue::from_str(&telling).map_err(|_| PlatformError::MalformedRequest)?;
                headers.insert(ROUTE_MATCHES, value);
            }
        }
        let uri = target.parse().map_err(|_| PlatformError::MalformedRequest)?;
        let key = AnswerKey {
            deployment: *deployment.id(),
            environment: deployment.environment_edition(),
            function,
            asked: telling.into(),
        };
        Ok(Self { key, deployment: Arc::clone(deployment), function, uri, headers })
    }

    /// The same, asked for by somebody who may have it made anew.
    pub(super) fn asked_anew(mut self, token: HeaderValue) -> Self {
        self.headers.insert(PRERENDER_REVALIDATE, token);
        self
    }

    /// The page that is asked for when no parameter is given: the one that was made with the site.
    pub(super) fn is_plain(&self) -> bool {
        self.key.asked.is_empty()
    }

    /// The call that makes it, as the log knows it.
    pub(super) fn visit(&self, id: RequestId) -> Visit {
        Visit::of_host(id, self.uri.clone(), self.headers.get(HOST).cloned())
    }

    pub(super) fn prerender(&self) -> Option<&Prerender> {
        self.deployment.prerender(self.function)
    }

    /// The request that its function gets.
    pub(super) fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// How long the function may take for all of its answer.
    pub(super) fn deadline(&self) -> Duration {
        self.deployment.deadline(self.function)
    }
}
