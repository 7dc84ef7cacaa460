//! What an edge is told when it is made, and with each request.

use std::sync::Arc;

use crate::external::ExternalReach;
use crate::gate::Gate;
use crate::live_deployment::LiveDeployment;
use crate::server_timing::ServerTiming;

/// What an edge does differently from host to host.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// A script element that is added to pages, which are then never kept: for development only.
    pub page_script: Option<String>,
    /// The largest request body that is passed to another host, in bytes. What functions take is theirs to say.
    pub max_body_bytes: u64,
    /// How many bytes of assets are kept in memory.
    pub cache_bytes: usize,
    /// How many bytes of prerendered pages are kept in memory.
    pub page_cache_bytes: usize,
    /// What becomes of traces that visitors are a part of.
    pub traces: Traces,
    /// How far routes that lead to other hosts may reach.
    pub external_reach: ExternalReach,
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self {
            page_script: None,
            // Uploads of photos and short videos pass.
            max_body_bytes: 100 * 1024 * 1024,
            // The host at rest fits into 30 MiB with it.
            cache_bytes: 8 * 1024 * 1024,
            // A thousand pages of a usual size. It fills with what functions have made, and with nothing before that.
            page_cache_bytes: 32 * 1024 * 1024,
            traces: Traces::PassedOn,
            external_reach: ExternalReach::Public,
        }
    }
}

/// What becomes of traces that visitors are a part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Traces {
    /// Functions see what the visitor sent, and nothing of this host is in between.
    PassedOn,
    /// Each request is a part of a trace, and what functions do for it is a part of that.
    Joined,
}

/// A deployment as a visitor reaches it.
#[derive(Clone)]
pub struct Site {
    /// What answers.
    pub deployment: Arc<LiveDeployment>,
    /// Whether an origin is one of the project's own URLs: what `self` means in a cross-origin rule.
    pub own_origins: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Whether answers say where their time went.
    pub timing: ServerTiming,
    /// Whether search engines may show it.
    pub indexing: Indexing,
    /// Who decides whether a visitor may see it, where not everybody may.
    pub gate: Option<Arc<dyn Gate>>,
}

/// Whether search engines may show a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Indexing {
    /// Its own files and functions say so.
    Allowed,
    /// They may not: what is tried out is found by who is shown it.
    Forbidden,
}
