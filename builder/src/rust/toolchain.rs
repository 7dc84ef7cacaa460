//! The Rust toolchain: the cargo on the search path, and what tells it from others without starting it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ship_core::{Digest, DigestHasher};

use super::compile::RustError;
use crate::environment::{Architecture, BuildEnvironment};
use crate::tree::FileStat;

/// Variables that change what is compiled.
const DECIDING: [&str; 3] = ["RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO_BUILD_RUSTFLAGS"];

/// A cargo, and perhaps the program that links for older systems.
#[derive(Clone, Debug)]
pub(super) struct Toolchain {
    pub(super) cargo: PathBuf,
    /// Whether `cargo zigbuild` works here: it links against the glibc of old systems, for any processor.
    pub(super) has_zigbuild: bool,
}

impl Toolchain {
    /// The one on the search path.
    pub(super) fn find(environment: &BuildEnvironment) -> Result<Self, RustError> {
        let cargo = on_path(environment, "cargo").ok_or(RustError::NoCargo)?;
        let has_zig = on_path(environment, "zig").is_some() || on_path(environment, "python-zig").is_some();
        Ok(Self { cargo, has_zigbuild: has_zig && on_path(environment, "cargo-zigbuild").is_some() })
    }

    /// What it compiles for.
    pub(super) const fn target(arch: Architecture) -> &'static str {
        match arch {
            Architecture::Amd64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Changes when another compiler would be used. Starting one to ask for its version would cost more than all the rest of a
    /// build in which nothing changed.
    pub(super) fn identity(&self, environment: &BuildEnvironment) -> Digest {
        let mut hasher = DigestHasher::new();
        let mut add = |path: &Path| {
            hasher.update_field(path.as_os_str().as_encoded_bytes());
            if let Ok(metadata) = path.metadata() {
                let stat = FileStat::of(&metadata);
                hasher.update_field(&stat.size_bytes.to_be_bytes());
                hasher.update_field(&stat.modified_nanos.to_be_bytes());
            }
        };
        add(&self.cargo);
        if let Some(rustc) = on_path(environment, "rustc") {
            add(&rustc);
        }
        let rustup = home(environment, "RUSTUP_HOME", ".rustup");
        if let Some(folder) = &rustup {
            let mut toolchains: Vec<PathBuf> = std::fs::read_dir(folder.join("toolchains"))
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path().join("lib/rustlib/components")))
                .collect();
            toolchains.sort_unstable();
            toolchains.iter().for_each(|toolchain| add(toolchain));
        }
        for file in [rustup.map(|folder| folder.join("settings.toml")), cargo_home(environment).map(config_of)] {
            hasher.update_field(&file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default());
        }
        for name in DECIDING {
            hasher.update_field(environment.variable(name).unwrap_or_default().as_encoded_bytes());
        }
        hasher.update_field(if self.has_zigbuild { b"zig" } else { b"own" });
        hasher.finish()
    }
}

fn config_of(folder: PathBuf) -> PathBuf {
    folder.join("config.toml")
}

/// Where cargo keeps what it downloads.
pub(super) fn cargo_home(environment: &BuildEnvironment) -> Option<PathBuf> {
    home(environment, "CARGO_HOME", ".cargo")
}

fn home(environment: &BuildEnvironment, variable: &str, folder: &str) -> Option<PathBuf> {
    let own = environment.variable(variable).map(PathBuf::from);
    own.or_else(|| Some(Path::new(environment.variable("HOME")?).join(folder)))
}

fn on_path(environment: &BuildEnvironment, program: &str) -> Option<PathBuf> {
    let is_executable =
        |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    environment.search_path().map(|folder| folder.join(program)).find(is_executable)
}
