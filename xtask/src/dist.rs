//! `cargo xtask dist`: the files of a release, for the machine that this runs on.
//!
//! Each is made of the commit alone: names sorted, one time, no owners of this machine. What needs no build is a pure function of its input and
//! has tests; the one program that is built is linked statically.

mod bill;
mod debian_package;
mod error;
mod files;
mod image;
mod materials;
mod notices;
mod packages;
mod program;
mod release;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use self::error::DistError;
use self::materials::Materials;
use self::packages::Packages;
use self::release::Release;
use crate::step::{StepError, cargo_output, say, workspace_root};

/// Makes every file of the release in a folder, which is emptied before.
pub(crate) fn run(folder: Option<&str>) -> Result<(), StepError> {
    let release = Release::of_workspace()?;
    let folder = folder.map_or_else(|| output().join("dist"), PathBuf::from);
    let program = program::build(&release, &output())?;
    let packages = Packages::of_workspace(&release)?;
    let materials = Materials::gather(&program, &packages)?;
    let made = files::make(&release, &materials, &packages)?;
    write(&folder, made)?;
    say(&format!("ship {} is in {}", release.version, folder.display()));
    Ok(())
}

fn output() -> PathBuf {
    cargo_output().unwrap_or_else(|| workspace_root().join("target"))
}

/// Writes files into a folder that has nothing else afterwards, with their digests beside them.
fn write(folder: &Path, made: Vec<(String, Vec<u8>)>) -> Result<(), DistError> {
    let unusable = |source| DistError::File { path: folder.to_owned(), source };
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(unusable)?;
    }
    fs::create_dir_all(folder).map_err(unusable)?;
    for (name, content) in made {
        let path = folder.join(&name);
        fs::write(&path, content).map_err(|source| DistError::File { path, source })?;
    }
    Ok(())
}
