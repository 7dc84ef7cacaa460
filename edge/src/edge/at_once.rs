//! Answers for which nothing has to be waited for: see [the fast path](crate::fast_path).

use std::sync::Arc;

use http::StatusCode;

use super::decision::direct_asset;
use super::{Edge, Site, Traces};
use crate::fast_path::{PlainRequest, ReadyAnswer};
use crate::meters::RequestKind;
use crate::request_log::{Moment, RequestLog, Visit};
use crate::server_timing::{self, ServerTiming};

impl Edge {
    /// The answer to a plain request for `site`, if it asks for a file that is in memory and nothing else has a say in it. It is the one
    /// that [`Edge::respond`] would give.
    pub fn respond_at_once(&self, site: &Site, request: &PlainRequest<'_>) -> Option<ReadyAnswer> {
        let began = Moment::now();
        let (deployment, path) = (&site.deployment, request.path());
        // Traces are made of headers, and a page in development is made anew for each visitor.
        let is_plain = site.gate.is_none() && self.traces == Traces::PassedOn && self.assets.page_script.is_none();
        let asset = direct_asset(deployment, path).filter(|_| is_plain)?;
        if deployment.manifest().cors().iter().any(|rule| rule.matches_path(path)) {
            return None;
        }
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
        Some(ReadyAnswer {
            lines,
            indexing: site.indexing,
            timing: timing.flatten(),
            promise: None,
            alternative: None,
            body,
            log,
        })
    }
}
