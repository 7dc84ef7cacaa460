//! Answers for which nothing has to be waited for, and calls that wait for nothing but their function: see
//! [the fast path](crate::fast_path).

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use ship_core::{AssetIndex, Found, FunctionIndex};

use super::decision::direct;
use super::{Edge, Site, Traces};
use crate::caching::Asks;
use crate::fast_path::{
    Announcement, AnswerHead, Audience, CrossOrigin, PlainCall, PlainRequest, Prompt, ReadyAnswer, write_function_head,
};
use crate::meters::RequestKind;
use crate::request_log::{Moment, RequestLog, Visit};
use crate::server_timing::{self, ServerTiming};
use crate::visitor::Visitor;

impl Edge {
    /// The answer to a plain request for `site`, if it asks for a file that is in memory or for a function that is awake, and nothing else
    /// has a say in it. It is the one that [`Edge::respond`] would give.
    pub fn respond_at_once(&self, site: Site, request: &PlainRequest<'_>, visitor: Visitor) -> Option<Prompt> {
        // Traces are made of headers, and a page in development is made anew for each visitor.
        let is_plain = site.gate.is_none() && self.traces == Traces::PassedOn && self.assets.page_script.is_none();
        let found = direct(&site.deployment, request.path()).filter(|_| is_plain)?;
        let began = Moment::now();
        match found {
            Found::Asset(asset) => self.file_at_once(&site, asset, request, began).map(Prompt::Answer),
            Found::Function(function) => {
                self.call_at_once(site, function, request, began, visitor).map(|call| Prompt::Call(Box::new(call)))
            }
        }
    }

    fn file_at_once(
        &self,
        site: &Site,
        asset: AssetIndex,
        request: &PlainRequest<'_>,
        began: Moment,
    ) -> Option<ReadyAnswer> {
        if request.audience != Audience::Anybody || cross_origin(site, request.path()) != CrossOrigin::NoRule {
            return None;
        }
        let deployment = &site.deployment;
        let (lines, body) = self.assets.at_once(deployment, asset, request.accept_encoding)?;
        let visit = Visit::of_plain(began, request)?;
        if deployment.asset(asset).is_page() {
            self.functions.wake(deployment);
        }
        let timing = (site.timing == ServerTiming::Shown).then(|| {
            visit.findings.routed(visit.started.elapsed());
            server_timing::entries(&visit.findings.so_far())
        });
        let mut log = RequestLog::begin(visit, Arc::clone(deployment), Arc::clone(&self.desk));
        (log.status, log.kind) = (StatusCode::OK, RequestKind::Static);
        let (timing, announcement) = (timing.flatten(), Announcement::default());
        let head = AnswerHead::Kept { lines, indexing: site.indexing, timing, announcement };
        Some(ReadyAnswer { head, body, log })
    }

    fn call_at_once(
        &self,
        site: Site,
        function: FunctionIndex,
        request: &PlainRequest<'_>,
        began: Moment,
        visitor: Visitor,
    ) -> Option<PlainCall> {
        let deployment = &site.deployment;
        let cors = cross_origin(&site, request.path());
        let is_for_rules = cors != CrossOrigin::NoRule && request.audience == Audience::FunctionsOfNoRule;
        // Where answers may be kept, others may be waiting for this one.
        let is_alone = deployment.prerender(function).is_none() && deployment.habit(function).asks() == Asks::Never;
        if is_for_rules || !is_alone {
            return None;
        }
        let spec = deployment.known_function_spec(function)?;
        let visit = Visit::of_plain(began, request)?;
        if site.timing == ServerTiming::Shown {
            visit.findings.routed(visit.started.elapsed());
        }
        let asked = Instant::now();
        let write_head = |head: &mut Vec<u8>| write_function_head(head, request, &visitor);
        let call = self.functions.runtime.call_at_once(spec, visit.id, write_head)?;
        visit.findings.asks(function);
        let log = RequestLog::begin(visit, Arc::clone(deployment), Arc::clone(&self.desk));
        let functions = Arc::clone(&self.functions);
        Some(PlainCall { call, function, functions, site, cors, asked, announcement: Announcement::default(), log })
    }
}

fn cross_origin(site: &Site, path: &str) -> CrossOrigin {
    let has_rule = site.deployment.manifest().cors().iter().any(|rule| rule.matches_path(path));
    if has_rule { CrossOrigin::Varies } else { CrossOrigin::NoRule }
}
