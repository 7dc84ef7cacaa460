//! Functions in TypeScript and JavaScript: finding what answers, bundling all of them in one run, and packing each.

mod build;
mod bundle;
mod external;
mod inputs;
mod launcher;
mod layer;
mod locate;
mod message;
mod place;
mod plugin;
mod record;
mod scan;

pub use message::BundleError;

pub(crate) use build::build;
pub(crate) use inputs::{NodeInputs, NodeSource, is_source, near_export};
