//! Functions in Go: finding their handlers, knowing what each is made of, and compiling those that changed.

mod build;
mod closure;
mod compile;
mod constraint;
mod fetch;
mod gomod;
mod lexer;
mod message;
mod names;
mod scan;
mod settings;
mod stage;
mod toolchain;
mod unpack;

pub use compile::CompileError;
pub use constraint::Exclusion;
pub use scan::HandlerFlaw;
pub use toolchain::ToolchainError;

pub(crate) use build::build;
pub(crate) use closure::{GoInputs, InputError};
pub(crate) use fetch::{client as http_client, sweep};
pub(crate) use scan::{GoFile, Handler, NearHandler, is_go_source, mentions, scan};
