//! Which project a command means: a folder, what was found in it, and its name.

use std::path::Path;

use ship_builder::{ProjectConfig, ProjectDir, detect};
use ship_core::ProjectName;

use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// A project folder and what was found in it.
#[derive(Debug)]
pub(crate) struct Project {
    /// The folder.
    pub(crate) folder: ProjectDir,
    /// What a person wrote and what is there.
    pub(crate) config: ProjectConfig,
    /// Its name: given, else written in `ship.toml`, else the folder's.
    pub(crate) name: ProjectName,
}

impl Project {
    /// Opens the project at `path`, seen from where the command works.
    pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Self, CommandError> {
        let folder = ProjectDir::open(&settings.absolute(path))?;
        let config = detect(&folder)?;
        let name = name(&folder, &config, settings)?;
        Ok(Self { folder, config, name })
    }

    /// Says what a person should know although it is no error.
    pub(crate) fn warn(&self, output: &Output) {
        for warning in &self.config.warnings {
            output.warning(warning);
        }
    }
}

/// The name of a project.
pub(crate) fn name(
    folder: &ProjectDir,
    config: &ProjectConfig,
    settings: &Settings,
) -> Result<ProjectName, CommandError> {
    match settings.project.as_ref().or(config.name.as_ref()) {
        Some(name) => Ok(name.clone()),
        None => Ok(folder.name_from_folder()?),
    }
}

/// The name of the project that the current folder is, or that was given.
pub(crate) fn name_here(settings: &Settings) -> Result<ProjectName, CommandError> {
    match &settings.project {
        Some(name) => Ok(name.clone()),
        None => Ok(Project::open(Path::new("."), settings)?.name),
    }
}
