//! Compiling: all functions of one workspace in one run of cargo, so that what they share is compiled once.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ship_core::FunctionName;

use super::manifest::{MANIFEST, Manifest};
use super::message::{Places, compiler_folder, progress};
use super::mirror::Mirror;
use super::snapshot::{Content, Workspace};
use super::toolchain::{Toolchain, cargo_home};
use crate::detect::SiteFolder;
use crate::environment::{Architecture, BuildEnvironment};
use crate::event::BuildEvent;

/// The oldest glibc that programs run with: that of CentOS 7, and the oldest that Rust itself supports.
const GLIBC: &str = "2.17";

/// How functions are compiled in one build.
pub(super) struct Compiler<'c> {
    pub(super) toolchain: &'c Toolchain,
    pub(super) arch: Architecture,
    pub(super) site: &'c SiteFolder,
    pub(super) environment: &'c BuildEnvironment,
}

impl Compiler<'_> {
    /// Compiles `functions` of `workspace` and gives their programs.
    pub(super) fn compile(
        &self,
        workspace: &Workspace,
        mirror: &Mirror,
        functions: &[&FunctionName],
        events: &dyn Fn(BuildEvent),
    ) -> Result<Vec<PathBuf>, RustError> {
        self.require_standard_library(workspace)?;
        events(BuildEvent::Compiling { functions: functions.iter().map(|name| (*name).clone()).collect() });
        let mut command = self.command(workspace, mirror);
        let names: Vec<&str> = functions.iter().map(|name| mirror.binaries[*name].as_str()).collect();
        names.iter().for_each(|name| {
            command.arg("--bin").arg(name);
        });
        tracing::debug!(?command, "compiling");
        let (succeeded, said) = run(command, events).map_err(|source| self.not_started(source))?;
        if !succeeded {
            let folder = compiler_folder(&mirror.folder, &workspace.folder);
            let mirror = (mirror.folder.as_path(), workspace.root.as_path());
            let message = Places { folder: &folder, mirror, project: &self.site.project }.translate(&said);
            return Err(RustError::Refused { message });
        }
        events(BuildEvent::Compiled { functions: functions.len() });
        let programs = mirror.target.join(Toolchain::target(self.arch)).join("release");
        Ok(names.iter().map(|name| programs.join(name)).collect())
    }

    /// `cargo build` with everything but the binaries. It runs in a person's own folder, whose settings and toolchain it finds
    /// there, and compiles the mirror.
    fn command(&self, workspace: &Workspace, mirror: &Mirror) -> Command {
        let target = Toolchain::target(self.arch);
        let mut command = Command::new(&self.toolchain.cargo);
        command.current_dir(self.folder(workspace)).stdin(Stdio::null());
        command.env_clear().envs(self.environment.variables());
        command.env("CARGO_TARGET_DIR", &mirror.target).env("CARGO_TERM_COLOR", "never").env("LC_ALL", "C");
        command.env("CARGO_INCREMENTAL", "0");
        if self.toolchain.has_zigbuild {
            command.args(["zigbuild", "--target", &format!("{target}.{GLIBC}")]);
        } else {
            command.args(["build", "--target", target]);
        }
        command.arg("--release").arg("--manifest-path").arg(mirror.folder.join(&workspace.folder).join(MANIFEST));
        for setting in self.settings(workspace, mirror, target) {
            command.arg("--config").arg(setting);
        }
        command
    }

    /// What makes programs the same wherever they are compiled: no paths of this machine, and no table of symbols.
    fn settings(&self, workspace: &Workspace, mirror: &Mirror, target: &str) -> Vec<String> {
        let mut settings = Vec::new();
        let manifest = workspace.files.get(&workspace.folder.join(MANIFEST));
        let says_strip = manifest.is_some_and(|content| match content {
            Content::Bytes(bytes) => Manifest::parse(&String::from_utf8_lossy(bytes)).says_strip(),
            Content::Link(_) => false,
        });
        if !says_strip {
            settings.push("profile.release.strip=\"symbols\"".to_owned());
        }
        if self.environment.variable("RUSTFLAGS").is_none() {
            let mut prefixes = vec![(mirror.target.clone(), "/target"), (mirror.folder.clone(), "/site")];
            prefixes.extend(cargo_home(self.environment).map(|folder| (folder, "/cargo")));
            let flags = prefixes.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
            let flags = toml::Value::from(flags.collect::<Vec<_>>());
            // Of flags for a target and flags for all, cargo takes only the first.
            let is_by_target = |text: &Vec<u8>| {
                let text = String::from_utf8_lossy(text);
                text.contains("[target.") && text.contains("rustflags")
            };
            let own = workspace.files.iter().filter(|(path, _)| path.iter().any(|part| part == ".cargo"));
            let own = own.filter_map(|(_, content)| match content {
                Content::Bytes(bytes) => Some(bytes),
                Content::Link(_) => None,
            });
            let key = if own.chain(&workspace.settings).any(is_by_target) {
                format!("target.{target}")
            } else {
                "build".into()
            };
            settings.push(format!("{key}.rustflags={flags}"));
        }
        settings
    }

    fn folder(&self, workspace: &Workspace) -> PathBuf {
        let folder = workspace.root.join(&workspace.folder);
        if folder.is_dir() { folder } else { self.site.base.clone() }
    }

    /// Another processor's standard library is there only where somebody has installed it.
    fn require_standard_library(&self, workspace: &Workspace) -> Result<(), RustError> {
        if self.arch == Architecture::default() {
            return Ok(());
        }
        let target = Toolchain::target(self.arch);
        let mut command = Command::new(self.toolchain.cargo.with_file_name("rustc"));
        command.current_dir(self.folder(workspace)).env_clear().envs(self.environment.variables());
        let output = command.args(["--print", "target-libdir", "--target", target]).stdin(Stdio::null()).output();
        let folder = output.map_err(|source| self.not_started(source))?.stdout;
        let folder = PathBuf::from(String::from_utf8_lossy(&folder).trim());
        let has_core = |folder: &Path| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
        };
        if has_core(&folder) { Ok(()) } else { Err(RustError::NoStandardLibrary { target }) }
    }

    fn not_started(&self, source: io::Error) -> RustError {
        RustError::NotStarted { program: self.toolchain.cargo.clone(), source }
    }
}

/// Runs cargo to its end, telling what it compiles. Gives whether it succeeded, and what it said.
fn run(mut command: Command, events: &dyn Fn(BuildEvent)) -> io::Result<(bool, String)> {
    let mut cargo = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut said = String::new();
    let mut lines = BufReader::new(cargo.stderr.take().expect("it was just asked for"));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if let Some(name) = progress(&text).filter(|_| text.contains("Compiling")) {
            events(BuildEvent::CompilingCrate { name: name.to_owned() });
        }
        said += &text;
        line.clear();
    }
    Ok((cargo.wait()?.success(), said))
}

/// Functions in Rust could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum RustError {
    /// There is no cargo.
    #[error(
        "there is no cargo on the search path, and functions in Rust need one: install Rust from https://rustup.rs, or your \
         system's package `cargo`"
    )]
    NoCargo,
    /// The compiler found mistakes.
    #[error("the Rust compiler refuses the functions:\n{message}")]
    Refused {
        /// Its messages, with the user's paths.
        message: String,
    },
    /// There is no standard library for the wanted processor.
    #[error(
        "there is no Rust standard library for {target}: `rustup target add {target}` installs it, and `cargo-zigbuild` with \
         `zig`, or a C compiler for {target}, links with it"
    )]
    NoStandardLibrary {
        /// The target.
        target: &'static str,
    },
    /// The compiler cannot be started.
    #[error("`{}` cannot be started", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The copy for the compiler cannot be written.
    #[error("no build folder can be made below `{}`", folder.display())]
    Mirror {
        /// The cache folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
