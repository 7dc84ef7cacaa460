//! The benchmark: what it compares ship to is installed where possible, then the measuring program takes over.

use crate::debian::{self, Needed};
use crate::step::{Step, StepError, say};

/// What ship is compared to. Without one of them the figures that need it are left out, with the reason.
const COMPARED_TO: [Needed; 3] = [
    Needed { program: "git", package: "git" },
    Needed { program: "nginx", package: "nginx-light" },
    Needed { program: "rsync", package: "rsync" },
];

/// Builds ship and the measuring program for release, and measures what `arguments` name.
pub(crate) fn run(arguments: &[&str]) -> Result<(), StepError> {
    if let Err(error) = debian::install(&COMPARED_TO, &[]) {
        say(&format!("xtask: {error}; what is compared to them is left out"));
    }
    // One after the other: together they would have the features of both, and what is measured is what users build.
    Step::cargo(["build", "--release", "--package", "ship"]).run()?;
    Step::cargo(["build", "--release", "--package", "ship-bench"]).run()?;
    let run = ["run", "--quiet", "--release", "--package", "ship-bench", "--"];
    Step::cargo([run.as_slice(), arguments].concat()).run()
}
