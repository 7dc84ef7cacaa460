//! Fuzzing: every target of `fuzz/` is built with coverage and run for a while, from its seeds and from what earlier runs have found.
//!
//! The stable compiler does all of it. What `cargo fuzz` adds with a nightly one are sanitizers, and this project's `unsafe` code, which they are
//! for, parses nothing. The flags are those that `cargo fuzz build --sanitizer none` passes.

use std::fs;
use std::path::Path;

use crate::debian::{self, Needed};
use crate::step::{Step, StepError, cargo_output, workspace_root};

/// libFuzzer is C++.
const NEEDED: [Needed; 1] = [Needed { program: "c++", package: "g++" }];

/// How long each target runs where nothing else is said.
const USUAL_SECS: u32 = 60;

/// The memory that one target may take, in MiB: a tenth would do, and a parser that takes more for a few kilobytes has a hole.
const MEMORY_MB: u32 = 1024;

/// How long one input may take, in seconds. They are some kilobytes, and take some microseconds.
const INPUT_SECS: u32 = 10;

/// What makes coverage visible to libFuzzer.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                         -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                         -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Fuzzes every target for `seconds`, as they are written on the command line.
pub(crate) fn run(seconds: Option<&str>) -> Result<(), StepError> {
    let seconds = seconds.map_or(Ok(USUAL_SECS), |text| text.parse().map_err(|_| StepError::Usage))?;
    debian::install(&NEEDED, &[])?;
    let fuzz = workspace_root().join("fuzz");
    let output = cargo_output().unwrap_or_else(|| workspace_root().join("target")).join("fuzz");
    cargo("build", &fuzz, &output).run()?;
    for target in targets(&fuzz)? {
        run_one(&fuzz, &output, &target, seconds)?;
    }
    Ok(())
}

/// The names of the targets.
fn targets(fuzz: &Path) -> Result<Vec<String>, StepError> {
    let folder = fuzz.join("fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|source| StepError::Folder { path: folder, source })?;
    let names =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// Cargo in the workspace of the targets. For a named processor, so that what runs while building (macros, build scripts) is compiled without the
/// flags.
fn cargo(command: &str, fuzz: &Path, output: &Path) -> Step {
    let step = Step::cargo([command, "--quiet", "--release", "--locked", "--target", "host-tuple"]);
    let step = step.and("--manifest-path").and(fuzz.join("Cargo.toml")).and("--target-dir").and(output);
    step.with("RUSTFLAGS", RUSTFLAGS)
}

fn run_one(fuzz: &Path, output: &Path, target: &str, seconds: u32) -> Result<(), StepError> {
    // What is found stays outside of the clone. The next run begins with it, first with what has failed.
    let (corpus, failed) = (output.join("corpus").join(target), output.join("failed").join(target));
    for folder in [&corpus, &failed] {
        fs::create_dir_all(folder).map_err(|source| StepError::Folder { path: folder.clone(), source })?;
    }
    let options = [
        format!("-max_total_time={seconds}"),
        format!("-rss_limit_mb={MEMORY_MB}"),
        format!("-timeout={INPUT_SECS}"),
        format!("-artifact_prefix={}/", failed.display()),
        "-print_final_stats=1".to_owned(),
    ];
    let run = cargo("run", fuzz, output).and("--bin").and(target).and("--");
    let run = options.into_iter().fold(run, Step::and);
    let run = [corpus, fuzz.join("seeds").join(target), failed.clone()].into_iter().fold(run, Step::and);
    run.run().map_err(|_| StepError::Fuzzed { target: target.to_owned(), failed })
}
