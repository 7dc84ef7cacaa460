//! Requests that functions answer: each anew, or a page that is kept.

use std::sync::Arc;

use http::header::IF_NONE_MATCH;
use ship_core::FunctionIndex;

use super::{Asked, Edge, Reply, status_code};
use crate::functions::FunctionRequest;
use crate::live_deployment::LiveDeployment;
use crate::meters::RequestKind;
use crate::prerender::{CacheState, PageRequest, Served, is_for_kept};
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
        let (id, status, function) = (asked.visit.id, call.status, call.function);
        let (invoked, state) = match deployment.prerender(function) {
            Some(prerender) if is_for_kept(prerender, &asked.parts) => {
                let Asked { visit, visitor, mut parts, .. } = asked;
                if status.is_some() {
                    // An answer with a status of the route's own is always sent whole.
                    parts.headers.remove(IF_NONE_MATCH);
                }
                let (query, parts) = (call.query.as_deref(), &parts);
                let request = PageRequest { deployment, function, prerender, query, parts, visitor, visit };
                let Served { answer, state } = self.prerendered.serve(&request).await;
                visit.findings.came_from(state);
                (answer, Some(state))
            }
            prerender => {
                let Asked { visit, visitor, parts, body, .. } = asked;
                let request = FunctionRequest { visit, parts, body, query: call.query, visitor };
                let invoked = self.functions.invoke(deployment, function, request).await;
                (invoked, prerender.map(|_| CacheState::Bypass))
            }
        };
        let (mut response, error) = match invoked {
            Ok(response) => (response, None),
            Err(failure) => {
                let page = self.pages.respond(failure, id, form, self.assets.page_script.as_ref());
                (page, failure.error)
            }
        };
        if let Some(state) = state {
            state.tell(response.headers_mut());
        }
        if let (Some(Ok(status)), None) = (status.map(status_code), error) {
            *response.status_mut() = status;
        }
        let is_asked = state.is_none_or(CacheState::is_of_function);
        let kind = if state.is_some() { RequestKind::Prerendered } else { RequestKind::Function };
        Reply { response, kind, function: is_asked.then_some(function), error }
    }
}
