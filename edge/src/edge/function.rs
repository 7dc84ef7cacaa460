//! Requests that functions answer: each anew, or a page that is kept.

use std::sync::Arc;

use http::header::IF_NONE_MATCH;
use ship_core::{CacheState, FunctionIndex};

use super::{Asked, Edge, Reply, status_code};
use crate::caching::{Answered, Callee, Sharing};
use crate::functions::FunctionRequest;
use crate::kept;
use crate::live_deployment::LiveDeployment;
use crate::meters::RequestKind;
use crate::prerender::{PageRequest, Served, is_for_kept};
use crate::protocol::accept_page::ErrorForm;

/// How a function is asked, by the routes.
pub(super) struct Call {
    pub(super) function: FunctionIndex,
    /// The visitor's query, and what routes made of the path.
    pub(super) query: Option<String>,
    /// The status, where a route sets one.
    pub(super) status: Option<u16>,
}

impl Edge {
    /// Answers with a function, or with what is kept of it.
    pub(super) async fn function(&self, deployment: &Arc<LiveDeployment>, call: Call, asked: Asked<'_>) -> Reply {
        let form = ErrorForm::of(&asked.parts.headers, ErrorForm::Json);
        let (visit, status, function) = (asked.visit, call.status, call.function);
        let prerender = deployment.prerender(function);
        let (invoked, state) = match prerender {
            Some(prerender) if is_for_kept(prerender, &asked.parts) => {
                let Asked { visit, visitor, mut parts, .. } = asked;
                if status.is_some() {
                    // An answer with a status of the route's own is always sent whole.
                    parts.headers.remove(IF_NONE_MATCH);
                }
                let (query, parts) = (call.query.as_deref(), &parts);
                let request = PageRequest { deployment, function, prerender, query, parts, visitor, visit };
                let Served { answer, state } = self.prerendered.serve(&request).await;
                (answer, Some(state))
            }
            Some(_) => {
                let Asked { visit, visitor, parts, body, .. } = asked;
                let request = FunctionRequest { visit, parts, body, query: call.query, visitor };
                let invoked = self.functions.invoke(deployment, function, request).await;
                (invoked, Some(CacheState::Bypass))
            }
            None => {
                let Asked { visit, visitor, parts, body, sharing, .. } = asked;
                let request = FunctionRequest { visit, parts, body, query: call.query, visitor };
                // A status of the route's own is sent with a whole answer.
                let sharing = if status.is_some() { Sharing::Forbidden } else { sharing };
                let callee = Callee { deployment, function };
                let Answered { answer, state } = self.cached.serve(callee, request, sharing).await;
                (answer, state)
            }
        };
        let (mut response, error) = match invoked {
            Ok(response) => (response, None),
            Err(failure) => {
                let page = self.pages.respond(failure, visit.id, form, self.assets.page_script.as_ref());
                (page, failure.error)
            }
        };
        if let Some(state) = state {
            visit.findings.came_from(state);
            kept::tell(state, response.headers_mut());
        }
        if let (Some(Ok(status)), None) = (status.map(status_code), error) {
            *response.status_mut() = status;
        }
        let is_asked = state.is_none_or(CacheState::is_of_function);
        let kind = match prerender {
            Some(_) => RequestKind::Prerendered,
            None if is_asked => RequestKind::Function,
            None => RequestKind::Cached,
        };
        Reply { response, kind, function: is_asked.then_some(function), error }
    }
}
