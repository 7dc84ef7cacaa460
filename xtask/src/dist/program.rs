//! The program of a release: ship, linked with all that it needs.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::DistError;
use super::release::{Release, ask};
use crate::step::{Step, StepError, workspace_root};

/// Builds it below cargo's output, apart from the program that is built for this machine alone.
pub(crate) fn build(release: &Release, output: &Path) -> Result<PathBuf, StepError> {
    let target = release.machine.target;
    // The target is named, or macros, which compilers load, would be linked statically as well.
    Step::cargo(["build", "--release", "--locked", "--package", "ship", "--target", target])
        .and("--target-dir")
        .and(output)
        .with("RUSTFLAGS", flags())
        .run()?;
    let program = output.join(target).join("release/ship");
    check(&program)?;
    Ok(program)
}

/// The C library is linked in, and no path of the machine that builds stays in the program.
fn flags() -> String {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let cargo = home.map(|home| format!(" --remap-path-prefix={home}/registry/src=/cargo")).unwrap_or_default();
    format!("-C target-feature=+crt-static --remap-path-prefix={}=/ship{cargo}", workspace_root().display())
}

/// A program that is linked statically asks for no interpreter and for no library.
fn check(program: &Path) -> Result<(), DistError> {
    let bytes = fs::read(program).map_err(|source| DistError::File { path: program.to_owned(), source })?;
    // What a dynamic program is started by stands near the beginning.
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned();
    match head.find("/ld-linux") {
        Some(_) => Err(DistError::Dynamic { path: program.to_owned(), needed: "ld-linux".to_owned() }),
        None => Ok(()),
    }
}

/// The C library that is linked in, as `getconf` says: `glibc 2.36`.
pub(super) fn c_library() -> Result<String, DistError> {
    Ok(ask("getconf", &["GNU_LIBC_VERSION"])?.trim().to_owned())
}
