//! Programs that a fresh Debian machine lacks, from Debian's own packages.

use std::path::PathBuf;

use crate::step::{Step, StepError, say};

/// A program, and the package it comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    /// The name of the program.
    pub(crate) program: &'static str,
    /// The name of the package.
    pub(crate) package: &'static str,
}

/// Installs the packages of the programs that are not on `PATH`. Does nothing where all are there.
pub(crate) fn install(needed: &[Needed]) -> Result<(), StepError> {
    let lacking: Vec<&str> =
        needed.iter().filter(|needed| !is_on_path(needed.program)).map(|needed| needed.package).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    say(&format!("xtask: installing {} from Debian's packages", lacking.join(" ")));
    let not_root = || StepError::NotRoot { packages: lacking.join(" ") };
    apt_get(&["update", "--quiet=2"]).ok_or_else(not_root)?.run()?;
    let install = ["install", "--quiet=2", "--yes", "--no-install-recommends"];
    apt_get(&[install.as_slice(), &lacking].concat()).ok_or_else(not_root)?.run()
}

/// `apt-get` as root: directly, or through a `sudo` that asks for no password. `None` where neither is possible.
fn apt_get(arguments: &[&str]) -> Option<Step> {
    let step = if rustix::process::geteuid().is_root() {
        Step::program("apt-get", arguments)
    } else if is_on_path("sudo") {
        Step::program("sudo", [["--non-interactive", "apt-get"].as_slice(), arguments].concat())
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
