//! Functions in TypeScript and JavaScript: finding what answers, bundling all of them in one run, and packing each.

mod external;
mod locate;
mod place;
mod scan;

pub(crate) use scan::{NodeScan, scan};
