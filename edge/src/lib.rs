//! One visitor request to one response, for one deployment.
//!
//! [`serve()`] takes visitors' connections under limits; a host decides from the `Host` header which [`Site`] is meant;
//! [`Edge::respond`] finds what answers there (an asset, a function, another host, a redirect, an error) and answers. The host and the dev
//! server call the same edge, so development cannot differ from production.
//!
//! The edge never decides which deployment a host name means, never changes the store (but for compressed variants of what is
//! there), and never trusts a path: what is served is looked up in the manifest, not in a folder.

mod assets;
mod body;
mod caching;
mod client_connections;
mod cors;
mod early_hints;
mod edge;
mod error_page;
mod external;
mod failure;
mod fast_path;
mod findings;
mod functions;
mod gate;
mod inbound_body;
mod kept;
mod live_deployment;
mod log_allowance;
mod meters;
mod middleware;
mod passage;
mod prerender;
mod protocol;
mod request_id;
mod request_log;
mod serve;
mod server_timing;
mod site_environment;
mod trace;
mod visitor;
mod visitor_body;

pub use body::{BodyError, EdgeBody};
pub use client_connections::ClientConnections;
pub use edge::{Edge, EdgeOptions, Indexing, Site, Traces};
pub use external::ExternalReach;
pub use fast_path::{Announcement, PlainCall, PlainRequest, Prompt, ReadyAnswer};
pub use gate::{Gate, Knock, MAX_LOGIN_BYTES, Refusal, Shown, Verdict};
pub use live_deployment::{FunctionSpecError, LiveDeployment, LoadError};
pub use meters::{EdgeCounts, FunctionCounts, ProjectCounts, RequestKind};
pub use protocol::authority::{host_label, host_name, request_authority};
pub use serve::{
    Answer, Closing, ConnectionLimits, Crew, EndOfSending, QuicDoor, QuicHandover, QuicSecrets, ShareRules, Shares,
    serve, serve_http3, serve_tls,
};
pub use server_timing::ServerTiming;
pub use site_environment::SiteEnvironment;
pub use visitor::{Scheme, Visitor};
pub use visitor_body::{VisitorBody, VisitorBodyError};

/// What must hold of any bytes that a visitor sends. For tests and for fuzzing, for which `cargo fuzz` and `cargo xtask test --fuzz` set
/// this condition.
#[cfg(any(test, fuzzing))]
pub mod laws {
    pub use crate::protocol::laws::{header_map, header_value};
    pub use crate::serve::frame_guard::laws::frames;
    pub use crate::serve::head_guard::laws::request_heads;
    pub use crate::serve::http3::frames::laws::http3_frames;
}
