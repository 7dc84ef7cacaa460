//! Projects on a host, with a deployment in each.

use super::Curve;
use super::deployments::Study;
use crate::bench::Bench;

/// How many projects there are.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// G3: what is looked at while deployments become more, with a project for each of them.
pub(crate) fn grow(bench: &Bench) -> Vec<Curve> {
    let project = |number: usize| if number == 0 { "many".to_owned() } else { format!("project-{number}") };
    Study { of: "projects on a host", project, sizes: &SIZES }.grow(bench)
}
