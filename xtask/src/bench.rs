//! The benchmark: what it compares ship to is installed where possible, then the measuring program takes over.

use crate::debian::{self, Needed};
use crate::step::{Step, StepError, say};

/// What ship is compared to by itself. Without one of them the figures that need it are left out, with the reason.
const COMPARED_TO: [Needed; 5] = [
    Needed { program: "git", package: "git" },
    Needed { program: "nginx", package: "nginx-light" },
    Needed { program: "rsync", package: "rsync" },
    // What nginx serves to visitors who take compressed files.
    Needed { program: "brotli", package: "brotli" },
    Needed {
        program: "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so",
        package: "libnginx-mod-http-brotli-static",
    },
];

/// What is needed where the command line names it. What comes from npm or crates.io the measuring program installs itself.
const ON_REQUEST: [Needed; 3] = [
    Needed { program: "caddy", package: "caddy" },
    Needed { program: "h2o", package: "h2o" },
    Needed { program: "wrk", package: "wrk" },
];

/// Builds ship and the measuring program for release, and measures what `arguments` name.
pub(crate) fn run(arguments: &[&str]) -> Result<(), StepError> {
    let is_named = |needed: &&Needed| arguments.iter().any(|words| words.split(',').any(|word| word == needed.program));
    let needed: Vec<Needed> = COMPARED_TO.iter().chain(ON_REQUEST.iter().filter(is_named)).copied().collect();
    for needed in needed {
        // One by one: a package that is nowhere must not keep the others away.
        if let Err(error) = debian::install(&[needed], &[]) {
            say(&format!("xtask: {error}; what is compared to it is left out"));
        }
    }
    // One after the other: together they would have the features of both, and what is measured is what users build.
    Step::cargo(["build", "--release", "--package", "ship"]).run()?;
    Step::cargo(["build", "--release", "--package", "ship-bench"]).run()?;
    let run = ["run", "--quiet", "--release", "--package", "ship-bench", "--"];
    Step::cargo([run.as_slice(), arguments].concat()).run()
}

/// Makes the pages of figures: of a new record, which becomes the one in the repository, or of the one that is there. It is not a part of
/// `docs`, since documents say what the program at hand does, and these what some binary did on some machine.
pub(crate) fn write_pages(record: Option<&str>) -> Result<(), StepError> {
    let run = ["run", "--quiet", "--package", "ship-bench", "--", "write-pages"];
    let record = record.map(std::path::absolute).transpose();
    let record = record.map_err(|source| StepError::Folder { path: "the record".into(), source })?;
    record.into_iter().fold(Step::cargo(run), Step::and).run()
}
