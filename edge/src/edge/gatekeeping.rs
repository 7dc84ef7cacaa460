//! Requests for sites that not everybody may see.

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Method};

use super::{Edge, Reply, error_form};
use crate::error_page::TypedPassword;
use crate::failure::Failure;
use crate::gate::{Gate, Knock, Refusal, Shown, Verdict, come_back, seal_off};
use crate::meters::RequestKind;
use crate::protocol::accept_page::ErrorForm;
use crate::request_log::Visit;
use crate::visitor::Visitor;
use crate::visitor_body::VisitorBody;

/// A request before a gate.
pub(super) struct Arrival<'a> {
    pub(super) visit: &'a Visit,
    pub(super) visitor: &'a Visitor,
    pub(super) parts: &'a Parts,
    pub(super) shown: &'a Shown,
    pub(super) body: &'a mut VisitorBody,
}

impl Edge {
    /// Asks the gate about a request. `None` lets it pass.
    pub(super) async fn pass_gate(&self, gate: &dyn Gate, arrival: Arrival<'_>) -> Option<Reply> {
        let Arrival { visit, visitor, parts, shown, body } = arrival;
        let (method, headers) = (&parts.method, &parts.headers);
        let verdict = gate.judge(Knock { method, host: host_of(headers), headers, visitor, shown, body }).await;
        match verdict {
            Verdict::Pass => None,
            Verdict::Admit { cookie, max_age_secs } => {
                // A secret lets any request through; what else lets one in is a login.
                let is_login = parts.method == Method::POST && shown.bypass.is_empty();
                let response = come_back(parts, visitor.scheme, &cookie, max_age_secs, is_login)?;
                Some(Reply { response, kind: RequestKind::Routing, function: None, error: None })
            }
            Verdict::Refuse(refusal) => Some(self.refuse(refusal, visit, parts)),
        }
    }

    fn refuse(&self, refusal: Refusal, visit: &Visit, parts: &Parts) -> Reply {
        let mut failure = Failure::from(refusal.error());
        if let Refusal::TooManyAttempts { retry_after_secs } = refusal {
            failure.retry_after_secs = Some(retry_after_secs);
        }
        let id = visit.id;
        let form = error_form(parts.uri.path(), &parts.headers);
        let mut response = match (refusal, form) {
            (Refusal::AskPassword, ErrorForm::Page) => self.pages.ask_password(failure, id, TypedPassword::Nothing),
            (Refusal::WrongPassword, ErrorForm::Page) => self.pages.ask_password(failure, id, TypedPassword::Wrong),
            (_, form) => self.pages.respond(failure, id, form, None),
        };
        seal_off(response.headers_mut());
        Reply { response, kind: RequestKind::Routing, function: None, error: failure.error }
    }
}

fn host_of(headers: &HeaderMap) -> &str {
    headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}
