//! Programs and packages from the npm registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{NotThere, Peer};

/// What the functions of D6 import.
const LIBRARIES: [(&str, &str); 3] = [("zod", "4.6.7"), ("date-fns", "4.4.0"), ("lodash-es", "4.18.1")];

/// Installs what the functions import into the project in `folder`, which so gets a manifest and a lock file.
pub(crate) fn install_libraries(folder: &Path) -> Result<(), NotThere> {
    install(folder, &LIBRARIES)
}

/// Installs a peer, unless an earlier run has. The folder of its `node_modules`.
pub(crate) fn installed(peer: Peer) -> Result<PathBuf, NotThere> {
    let package = peer.package().ok_or_else(|| NotThere(format!("{} is no package of npm's", peer.name())))?;
    let folder = folder(package);
    if !folder.join(COMPLETE).is_file() {
        install(&folder, &[package])?;
        fs::write(folder.join(COMPLETE), "").map_err(|error| NotThere(format!("{}: {error}", folder.display())))?;
    }
    Ok(folder.join("node_modules"))
}

/// Whether a peer was installed, now or by an earlier run.
pub(crate) fn is_installed(peer: Peer) -> bool {
    peer.package().is_some_and(|package| folder(package).join(COMPLETE).is_file())
}

/// A command of a peer, as npm links it.
pub(crate) fn command(peer: Peer, name: &str) -> Result<Command, NotThere> {
    let mut command = Command::new(installed(peer)?.join(".bin").join(name));
    // They would ask questions, send statistics and look for newer versions of themselves.
    command.envs([
        ("CI", "1"),
        ("NO_UPDATE_NOTIFIER", "1"),
        ("VERCEL_TELEMETRY_DISABLED", "1"),
        ("NETLIFY_TELEMETRY_DISABLED", "1"),
        ("WRANGLER_SEND_METRICS", "false"),
        // Where a visitor of Cloudflare's comes from, which it asks for at each start.
        ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ]);
    command.stdin(Stdio::null());
    Ok(command)
}

/// The file that says that an installation has come to its end.
const COMPLETE: &str = "complete";

fn folder((name, version): (&str, &str)) -> PathBuf {
    crate::machine::kept_folder().join("peers").join(format!("{}-{version}", name.replace('/', "-")))
}

fn install(folder: &Path, packages: &[(&str, &str)]) -> Result<(), NotThere> {
    let dependencies: serde_json::Map<_, _> =
        packages.iter().map(|(name, version)| ((*name).to_owned(), (*version).into())).collect();
    let manifest = serde_json::json!({ "name": "measured", "private": true, "dependencies": dependencies });
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("package.json"), manifest.to_string())
    };
    write().map_err(|error| NotThere(format!("{} cannot be written: {error}", folder.display())))?;
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| NotThere(format!("npm does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(NotThere(format!("npm install failed: {}", said.lines().next().unwrap_or_default())))
}
