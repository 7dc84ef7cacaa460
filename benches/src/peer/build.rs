//! Programs that build functions: esbuild, zip-it-and-ship-it, and `vercel build`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{NotThere, Peer, npm};

/// esbuild's own program, without the script that starts it.
pub(crate) fn esbuild() -> Result<PathBuf, NotThere> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    Ok(npm::installed(Peer::Esbuild)?.join(format!("@esbuild/linux-{architecture}/bin/esbuild")))
}

/// zip-it-and-ship-it of the functions in `functions`, into `output`.
pub(crate) fn zip_it_and_ship_it(functions: &Path, output: &Path) -> Result<Command, NotThere> {
    let mut command = npm::command(Peer::ZipItAndShipIt, "zip-it-and-ship-it")?;
    command.arg(functions).arg(output);
    Ok(command)
}

/// `vercel build` of a project. It wants one that is linked, so the folder gets the file that says so.
pub(crate) fn vercel_build(project: &Path) -> Result<Command, NotThere> {
    link(project)?;
    let mut command = npm::command(Peer::Vercel, "vercel")?;
    command.args(["build", "--yes"]).current_dir(project);
    Ok(command)
}

/// Writes what `vercel link` writes.
pub(super) fn link(project: &Path) -> Result<(), NotThere> {
    let folder = project.join(".vercel");
    let linked = r#"{"projectId":"prj_bench","orgId":"team_bench","settings":{}}"#;
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("project.json"), linked))
        .map_err(|error| NotThere(format!("{}: {error}", folder.display())))
}

/// Runs a build to its end; if it fails, the line in which it says why.
pub(crate) fn run(command: &mut Command) -> Result<(), NotThere> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| NotThere(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
    let reason = said.lines().find(|line| line.to_lowercase().contains("error")).or_else(|| said.lines().next());
    Err(NotThere(format!("it fails: {}", reason.unwrap_or_default().trim())))
}
