//! The Rust toolchain: the cargo on the search path, and what tells it from others without starting it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ship_core::{Digest, DigestHasher};

use super::compile::RustError;
use super::linker::{Linker, is_native};
use crate::environment::{Architecture, Audience, BuildEnvironment};
use crate::tree::FileStat;

/// Variables that change what is compiled.
const DECIDING: [&str; 2] = ["RUSTFLAGS", "RUSTUP_TOOLCHAIN"];

/// A cargo.
#[derive(Clone, Debug)]
pub(super) struct Toolchain {
    pub(super) cargo: PathBuf,
}

impl Toolchain {
    /// The one on the search path.
    pub(super) fn find(environment: &BuildEnvironment) -> Result<Self, RustError> {
        Ok(Self { cargo: on_path(environment, "cargo").ok_or(RustError::NoCargo)? })
    }

    /// What it compiles for.
    pub(super) const fn target(arch: Architecture) -> &'static str {
        match arch {
            Architecture::Amd64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Another processor's standard library is there only where somebody has installed it. `folder` is the one that cargo runs
    /// in, where a file may name another toolchain.
    pub(super) fn require_standard_library(
        &self,
        arch: Architecture,
        folder: &Path,
        environment: &BuildEnvironment,
    ) -> Result<(), RustError> {
        if is_native(arch) {
            return Ok(());
        }
        let (target, rustc) = (Self::target(arch), self.cargo.with_file_name("rustc"));
        let mut command = Command::new(&rustc);
        command.current_dir(folder).env_clear().envs(environment.variables(Audience::Rust));
        let output = command.args(["--print", "target-libdir", "--target", target]).stdin(Stdio::null()).output();
        let folder = output.map_err(|source| RustError::NotStarted { program: rustc, source })?.stdout;
        let folder = PathBuf::from(String::from_utf8_lossy(&folder).trim());
        let mut entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let has_core = entries.any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"));
        if has_core { Ok(()) } else { Err(RustError::NoStandardLibrary { target }) }
    }

    /// Changes when another compiler or linker would be used. Starting one to ask for its version would cost more than all the rest of a
    /// build in which nothing changed.
    pub(super) fn identity(&self, linker: Linker, environment: &BuildEnvironment) -> Digest {
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
            for toolchain in &toolchains {
                add(toolchain);
            }
        }
        for file in [
            rustup.map(|folder| folder.join("settings.toml")),
            cargo_home(environment).map(|folder| folder.join("config.toml")),
        ] {
            hasher.update_field(&file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default());
        }
        for name in DECIDING {
            hasher.update_field(environment.variable(name).unwrap_or_default().as_encoded_bytes());
        }
        hasher.update_field(linker.label().as_bytes());
        hasher.finish()
    }
}

/// Where cargo keeps what it downloads.
pub(super) fn cargo_home(environment: &BuildEnvironment) -> Option<PathBuf> {
    home(environment, "CARGO_HOME", ".cargo")
}

fn home(environment: &BuildEnvironment, variable: &str, folder: &str) -> Option<PathBuf> {
    let own = environment.variable(variable).map(PathBuf::from);
    own.or_else(|| Some(Path::new(environment.variable("HOME")?).join(folder)))
}

/// The program of this name on the search path.
pub(super) fn on_path(environment: &BuildEnvironment, program: &str) -> Option<PathBuf> {
    let is_executable =
        |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    environment.search_path().map(|folder| folder.join(program)).find(is_executable)
}
