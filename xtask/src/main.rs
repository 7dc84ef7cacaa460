//! `cargo xtask`: what CI does, the benchmark, the generated documents and the files of a release, each one command.
//!
//! Only programs are started here, one after the other. Nothing of ship is built into it, so it compiles in a moment and can
//! never be the reason why ship does not build.

mod bench;
mod checks;
mod debian;
mod dist;
mod fuzz;
mod step;

use std::process::ExitCode;

use step::StepError;

const USAGE: &str = "\
cargo xtask COMMAND

  test            install what the tests need, then run every check that CI runs
  test --fuzz [SECONDS]
                  feed every parser that meets strangers with hostile input, for a minute each or for so many seconds
  bench [NAME…] [--against PEER] [--load GENERATOR] [--json FILE [--resume]]
                  build for release, measure, print the table (--list names the figures, and whom they can be measured against)
  performance [FILE]
                  write docs/performance.md, docs/scale.md and their plots: of a file that `bench --json` has written, or anew
  dist [DIR]      make the files of a release: the static program, its archive, package, image and bill of materials
  docs            write the generated documents: docs/cli.md, docs/openapi.json
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => checks::test(),
        ["test", "--fuzz"] => fuzz::run(None),
        ["test", "--fuzz", seconds] => fuzz::run(Some(seconds)),
        ["bench", rest @ ..] => bench::run(rest),
        ["performance"] => bench::write_pages(None),
        ["performance", record] => bench::write_pages(Some(record)),
        ["dist"] => dist::run(None),
        ["dist", folder] => dist::run(Some(folder)),
        ["docs"] => checks::write_documents(),
        _ => Err(StepError::Usage),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(StepError::Usage) => {
            step::say(USAGE);
            ExitCode::from(2)
        }
        Err(error) => {
            step::say(&format!("xtask: {error}"));
            ExitCode::FAILURE
        }
    }
}
