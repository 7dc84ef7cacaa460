//! Programs and packages from the npm registry: what ship's build of TypeScript is compared to, and what is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the functions import: the packages of budget D6.
const LIBRARIES: [(&str, &str); 3] = [("zod", "4.6.7"), ("date-fns", "4.4.0"), ("lodash-es", "4.18.1")];
/// What builds the same functions.
const PEERS: [(&str, &str); 2] = [("esbuild", "0.28.2"), ("@netlify/zip-it-and-ship-it", "14.7.1")];

/// Why packages are not there.
#[derive(Debug)]
pub(crate) struct NotInstalled(String);

impl std::fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Installs what the functions import into the project in `folder`, which so gets a manifest and a lock file.
pub(crate) fn install_libraries(folder: &Path) -> Result<(), NotInstalled> {
    install(folder, &LIBRARIES)
}

/// Tools that build functions.
pub(crate) struct Peers {
    modules: PathBuf,
}

impl Peers {
    /// Installs them into `folder`.
    pub(crate) fn install(folder: &Path) -> Result<Self, NotInstalled> {
        install(folder, &PEERS)?;
        Ok(Self { modules: folder.join("node_modules") })
    }

    /// esbuild's own program, without the script that starts it.
    pub(crate) fn esbuild(&self) -> PathBuf {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        self.modules.join(format!("@esbuild/linux-{architecture}/bin/esbuild"))
    }

    /// The command of zip-it-and-ship-it.
    pub(crate) fn zip_it_and_ship_it(&self) -> PathBuf {
        self.modules.join(".bin/zip-it-and-ship-it")
    }
}

fn install(folder: &Path, packages: &[(&str, &str)]) -> Result<(), NotInstalled> {
    let dependencies: serde_json::Map<_, _> =
        packages.iter().map(|(name, version)| ((*name).to_owned(), (*version).into())).collect();
    let manifest = serde_json::json!({ "name": "measured", "private": true, "dependencies": dependencies });
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("package.json"), manifest.to_string())
    };
    write().map_err(|error| NotInstalled(format!("{} cannot be written: {error}", folder.display())))?;
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| NotInstalled(format!("npm does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(NotInstalled(format!("npm install failed: {}", said.lines().next().unwrap_or_default())))
}
