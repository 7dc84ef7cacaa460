//! Programs that a fresh Debian machine lacks, from Debian's own packages.

use std::path::{Path, PathBuf};

use crate::step::{Step, StepError, say};

/// A program, and the package it comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    /// The name of the program.
    pub(crate) program: &'static str,
    /// The name of the package.
    pub(crate) package: &'static str,
}

/// A package for another processor than this machine's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign {
    /// Debian's name of the processor.
    pub(crate) architecture: &'static str,
    /// The name of the package.
    pub(crate) package: &'static str,
    /// A folder that it brings.
    pub(crate) folder: &'static str,
}

/// Installs the packages of the programs that are not on `PATH`, and those for other processors that are not there. Does nothing
/// where all are.
pub(crate) fn install(needed: &[Needed], foreign: &[Foreign]) -> Result<(), StepError> {
    let lacking = needed.iter().filter(|needed| !is_on_path(needed.program)).map(|needed| needed.package.to_owned());
    let absent: Vec<&Foreign> = foreign.iter().filter(|foreign| !Path::new(foreign.folder).is_dir()).collect();
    let of_others = absent.iter().map(|foreign| format!("{}:{}", foreign.package, foreign.architecture));
    let lacking: Vec<String> = lacking.chain(of_others).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    say(&format!("xtask: installing {} from Debian's packages", lacking.join(" ")));
    let not_root = || StepError::NotRoot { packages: lacking.join(" ") };
    for foreign in absent {
        as_root("dpkg", &["--add-architecture", foreign.architecture]).ok_or_else(not_root)?.run()?;
    }
    as_root("apt-get", &["update", "--quiet=2"]).ok_or_else(not_root)?.run()?;
    let install = ["install", "--quiet=2", "--yes", "--no-install-recommends"];
    let packages: Vec<&str> = lacking.iter().map(String::as_str).collect();
    as_root("apt-get", &[install.as_slice(), &packages].concat()).ok_or_else(not_root)?.run()
}

/// A program as root: directly, or through a `sudo` that asks for no password. `None` where neither is possible.
fn as_root(program: &str, arguments: &[&str]) -> Option<Step> {
    let step = if rustix::process::geteuid().is_root() {
        Step::program(program, arguments)
    } else if is_on_path("sudo") {
        Step::program("sudo", [["--non-interactive", program].as_slice(), arguments].concat())
    } else {
        return None;
    };
    Some(step.with("DEBIAN_FRONTEND", "noninteractive"))
}

/// Whether a program can be started by its name. Servers stand in folders that only root has on its `PATH`.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}
