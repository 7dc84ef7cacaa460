//! What CI runs: formatting, lints, documentation, unit tests, stories.

use std::path::PathBuf;

use crate::debian::{self, Foreign, Needed};
use crate::step::{Step, StepError, cargo_output};

/// What the page test drives, what runs programs for another processor, and what kills a process at a system call. Everything else the tests need is either Rust or
/// fetched by ship itself.
const NEEDED: [Needed; 5] = [
    Needed { program: "chromium", package: "chromium" },
    Needed { program: "chromedriver", package: "chromium-driver" },
    Needed { program: "qemu-aarch64-static", package: "qemu-user-static" },
    Needed { program: "/usr/bin/cargo", package: "cargo-web" },
    Needed { program: "strace", package: "strace" },
];

/// What Debian's Rust compiles functions for 64-bit ARM with: rustup's own libraries cannot be fetched everywhere.
const FOREIGN: [Foreign; 1] = [Foreign {
    architecture: "arm64",
    package: "libstd-rust-web-dev",
    folder: "/usr/lib/rustlib/aarch64-unknown-linux-gnu",
}];

/// The variable that makes the document test write what it would compare.
const WRITE_DOCUMENTS: &str = "SHIP_WRITE_DOCUMENTS";

/// The variable that names the binary which the stories run, so that they need not ask cargo for it.
const BINARY: &str = "SHIP_TEST_BINARY";

/// Installs what is missing and runs every check. Ordered so that the cheapest failure comes first.
pub(crate) fn test() -> Result<(), StepError> {
    debian::install(&NEEDED, &FOREIGN)?;
    Step::cargo(["fmt", "--all", "--check"]).run()?;
    Step::cargo(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]).run()?;
    // The stories run the release binary: it is what people run, and the README's first command needs it built anyway.
    Step::cargo(["build", "--release", "--package", "ship"]).run()?;
    Step::cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()?;
    Step::cargo(["doc", "--workspace", "--no-deps", "--document-private-items"])
        .with("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    let stories = Step::cargo(["test", "--workspace", "--no-fail-fast"]);
    match release_binary() {
        Some(binary) => stories.with(BINARY, binary).run(),
        None => stories.run(),
    }
}

/// The release build of ship, if it is where this program's own build says that it should be.
fn release_binary() -> Option<PathBuf> {
    cargo_output().map(|output| output.join("release/ship")).filter(|binary| binary.is_file())
}

/// Writes the generated documents. The test that compares them knows how to make them.
pub(crate) fn write_documents() -> Result<(), StepError> {
    Step::cargo(["test", "--package", "ship-tests", "--test", "documents"]).with(WRITE_DOCUMENTS, "1").run()
}
