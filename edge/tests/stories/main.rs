//! Stories about the edge, told over real sockets: what a visitor sends, and every byte of what comes back.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on ends where it stands")]

mod assets;
mod connections;
mod cors;
mod errors;
mod external;
mod fast_path;
mod functions;
mod half_closed;
mod hostile;
mod http2;
mod routes;
mod secure;
mod stage;
mod visitor;
