//! Functions in Rust: finding their handlers, copying what they are made of, and compiling all of them in one run of cargo.

mod build;
mod compile;
mod generated;
mod linker;
mod manifest;
mod message;
mod mirror;
mod scan;
mod signature;
mod snapshot;
mod toolchain;

pub use compile::RustError;
pub use scan::RustFlaw;

pub(crate) use build::build;
pub(crate) use manifest::{is_of_package, is_server};
pub(crate) use scan::{NearRustHandler, is_rust_source, scan};
pub(crate) use snapshot::{RustInputs, RustSource};
