//! Compiling: all functions of one workspace in one run of cargo, so that what they share is compiled once.

use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ship_core::FunctionName;

use super::generated::{self, HandlerPlace};
use super::linker::ReadyLinker;
use super::manifest::{MANIFEST, Manifest};
use super::message::{Places, compiler_folder, progress};
use super::mirror::Mirror;
use super::snapshot::{Content, Workspace};
use super::toolchain::{Toolchain, cargo_home};
use crate::detect::SiteFolder;
use crate::environment::{Architecture, BuildEnvironment};
use crate::event::BuildEvent;
use crate::excerpt::excerpt;

/// What cargo, and whatever it starts, says when the disk is full. Linkers write through memory, where that is a signal.
const DISK_FULL: [&str; 2] = ["No space left on device", "[Bus error]"];

/// How functions are compiled in one build.
pub(super) struct Compiler<'c> {
    pub(super) toolchain: &'c Toolchain,
    pub(super) linker: ReadyLinker,
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
        events(BuildEvent::Compiling { functions: functions.iter().map(|name| (*name).clone()).collect() });
        let mut command = self.command(workspace, mirror);
        let names: Vec<&str> = functions.iter().map(|name| mirror.binaries[*name].as_str()).collect();
        for name in &names {
            command.arg("--bin").arg(name);
        }
        // Not the command itself: its variables hold passwords.
        tracing::debug!(arguments = ?command.get_args(), "compiling");
        let (succeeded, said) = run(command, events).map_err(|source| self.not_started(source))?;
        if !succeeded {
            return Err(refusal(&said, &self.translated(&said, workspace, mirror)));
        }
        events(BuildEvent::Compiled { functions: functions.len() });
        let programs = self.target_folder(mirror).join(Toolchain::target(self.arch)).join("release");
        Ok(names.iter().map(|name| programs.join(name)).collect())
    }

    /// What cargo `said`, with the paths that a person knows.
    fn translated(&self, said: &str, workspace: &Workspace, mirror: &Mirror) -> String {
        let places = Places {
            folder: &compiler_folder(&mirror.folder, &workspace.folder),
            cargo_folder: &workspace.cargo_folder(self.site),
            mirror: (&mirror.folder, &workspace.root),
            project: &self.site.project,
        };
        let handlers: Vec<HandlerPlace> = workspace
            .handlers()
            .map(|(path, text, place)| {
                let file = workspace.shown(&path, self.site);
                let written = text.lines().nth(place.0 - 1).unwrap_or_default();
                let excerpt = excerpt(written, place.0, place.1 - 1, generated::HANDLER.len());
                HandlerPlace { file, lines: text.lines().count(), place, excerpt }
            })
            .collect();
        places.translate(said, &handlers)
    }

    /// `cargo build` with everything but the binaries. It runs in a person's own folder, whose settings and toolchain it finds
    /// there, and compiles the mirror.
    fn command(&self, workspace: &Workspace, mirror: &Mirror) -> Command {
        let target = Toolchain::target(self.arch);
        let mut command = self.linker.command(self.toolchain, self.arch, self.environment);
        command.current_dir(workspace.cargo_folder(self.site)).stdin(Stdio::null());
        command.env("CARGO_TARGET_DIR", self.target_folder(mirror)).env("CARGO_TERM_COLOR", "never");
        command.env("CARGO_INCREMENTAL", "0").env("LC_ALL", "C");
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
            let mut prefixes = vec![(self.target_folder(mirror), "/target"), (mirror.folder.clone(), "/site")];
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

    /// Where cargo writes. Who deploys here and elsewhere by turns would compile everything anew each time, were it one folder.
    fn target_folder(&self, mirror: &Mirror) -> PathBuf {
        match self.linker {
            ReadyLinker::Own => mirror.target.clone(),
            ReadyLinker::Found | ReadyLinker::Pinned { .. } => mirror.target.with_file_name("target-any"),
        }
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

/// What `said`, as a person is to read it in `message`, is about: the functions, or the disk.
fn refusal(said: &str, message: &str) -> RustError {
    // Where cargo fetches from, an address may hold a password.
    let message = crate::pypi::without_users(message);
    if DISK_FULL.iter().any(|sign| said.contains(sign)) {
        return RustError::DiskFull { message };
    }
    RustError::Refused { message }
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
    /// The disk is full. What the compiler says then is about the disk, not about the functions.
    #[error("the disk is full, so the functions cannot be compiled: make room and run the command again\n{message}")]
    DiskFull {
        /// The compiler's messages, which name the files.
        message: String,
    },
    /// There is no standard library for the wanted processor.
    #[error("there is no Rust standard library for {target}: `rustup target add {target}` installs it")]
    NoStandardLibrary {
        /// The target.
        target: &'static str,
    },
    /// There is no linker for other machines that could be fetched for this one.
    #[error(
        "ship has no linker to fetch for {platform}: install `cargo-zigbuild` and `zig`, which build for other machines"
    )]
    NoLinker {
        /// The operating system and processor.
        platform: String,
    },
    /// It could not be fetched.
    #[error(
        "the linker that builds functions in Rust for other machines could not be fetched from {address}: install `cargo-zigbuild` and \
         `zig`, or set UV_DEFAULT_INDEX"
    )]
    LinkerUnreachable {
        /// What was asked.
        address: String,
        /// Why it gave nothing.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What arrived is something else.
    #[error("what {address} gave is not the linker that was asked for: its digest is {found}, not {expected}")]
    LinkerDigest {
        /// Where it came from.
        address: String,
        /// Its digest.
        found: String,
        /// The digest it should have.
        expected: &'static str,
    },
    /// A folder for tools cannot be written.
    #[error("`{}` cannot be written", path.display())]
    Storage {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A full disk is none of the functions' mistakes, however it is said; and nothing that is said holds a password.
    #[test]
    fn refusals() {
        for said in ["cannot write x: No space left on device (os error 28)", "ld terminated with signal 7 [Bus error]"]
        {
            let full = "the disk is full, so the functions cannot be compiled: make room and run the command again\n";
            assert_eq!(refusal(said, said).to_string(), format!("{full}{said}"));
        }
        let said = "unable to update http://me:secret@git.example/x.git";
        let expected = "the Rust compiler refuses the functions:\nunable to update http://****@git.example/x.git";
        assert_eq!(refusal(said, said).to_string(), expected);
    }
}
