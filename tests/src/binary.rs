//! Where the binary under test comes from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The variable that names a binary to test instead of the one that is built here.
const BINARY_VARIABLE: &str = "SHIP_TEST_BINARY";

/// The folder that holds the workspace.
pub fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the harness stands in a folder of the workspace")
}

/// The `ship` that the stories run: what `SHIP_TEST_BINARY` names, else the release build, brought up to date once per
/// test binary. Release, because that is what people run and what the README's first command has built already.
pub fn ship_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os(BINARY_VARIABLE).map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // What cargo tells this test about its own package would look like a change to the build scripts of others.
    let own = std::env::vars_os().map(|(name, _)| name);
    let own = own.filter(|name| {
        ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
    });
    let mut command = Command::new(cargo);
    for name in own {
        command.env_remove(name);
    }
    let output = command
        .args(["build", "--release", "--package", "ship", "--message-format", "json-render-diagnostics"])
        .current_dir(workspace_root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "ship does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .expect("cargo names the executable that it built")
}
