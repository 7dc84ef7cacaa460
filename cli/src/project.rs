//! Which project a command means: a folder, what was found in it, and its name.

use std::path::{Path, PathBuf};

use ship_api::{Client, DeploymentDetail, DeploymentReference, ProjectView};
use ship_builder::{ProjectConfig, ProjectDir, detect, detect_prebuilt};
use ship_core::ProjectName;

use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;
use crate::settings::environment::HOME;

/// The file that says that a folder is a project, whichever folder it is.
const CONFIG_FILE: &str = "ship.toml";

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
        let folder = open_folder(path, settings)?;
        let config = detect(&folder)?;
        let name = name(&folder, &config, settings)?;
        Ok(Self { folder, config, name })
    }

    /// Opens the project at `path` for the output that was built in it before.
    pub(crate) fn open_prebuilt(path: &Path, settings: &Settings) -> Result<Self, CommandError> {
        let folder = open_folder(path, settings)?;
        let config = detect_prebuilt(&folder)?;
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

/// Opens the folder of a project. A home folder and the whole file system hold what nobody wants to publish, so they are
/// projects only if a `ship.toml` in them says so.
pub(crate) fn open_folder(path: &Path, settings: &Settings) -> Result<ProjectDir, CommandError> {
    let folder = ProjectDir::open(&settings.absolute(path))?;
    if let Some(home) = home_within(folder.root(), settings) {
        let (home, root) = (home.display(), folder.root().display());
        return Err(CommandError::project(format!("what ship keeps stands in {home}, within the project {root}"))
            .hint(
                "it holds tokens and what is deployed, which nobody wants to publish: SHIP_HOME names another folder",
            ));
    }
    let what = match folder.root() {
        root if root.parent().is_none() => "the whole file system",
        root if is_home(root, settings) => "your home folder",
        _ => return Ok(folder),
    };
    if folder.root().join(CONFIG_FILE).exists() {
        return Ok(folder);
    }
    Err(CommandError::project(format!("{} is {what}, and no project", folder.root().display()))
        .hint("`ship deploy PATH` or `ship dev PATH` takes the folder of a project; a `ship.toml` makes this one"))
}

/// The folder with what ship keeps, if it stands in a project where it could be taken for a part of it. What is below `.ship` is nobody's.
fn home_within(root: &Path, settings: &Settings) -> Option<PathBuf> {
    let home = settings.home.folder();
    // It may be made only by this command.
    let home =
        home.canonicalize().ok().or_else(|| Some(home.parent()?.canonicalize().ok()?.join(home.file_name()?)))?;
    let below = home.strip_prefix(root).ok()?;
    let is_apart = below.components().next().is_some_and(|first| first.as_os_str() == ".ship");
    (!is_apart).then_some(home)
}

fn is_home(root: &Path, settings: &Settings) -> bool {
    settings.environment.path(HOME).and_then(|home| home.canonicalize().ok()).is_some_and(|home| home == root)
}

/// The name of a project.
pub(crate) fn name(
    folder: &ProjectDir,
    config: &ProjectConfig,
    settings: &Settings,
) -> Result<ProjectName, CommandError> {
    // What was said of the folder in which ship works says nothing of another one.
    let linked = settings.link.project.as_ref().filter(|_| folder.root() == settings.canonical_folder());
    match settings.project.as_ref().or(linked).or(config.name.as_ref()) {
        Some(name) => Ok(name.clone()),
        None => Ok(folder.name_from_folder()?),
    }
}

/// How alike names have to be for one to be taken for the other (1 is equal, 0 has nothing in common).
const SIMILAR_ENOUGH: f64 = 0.85;

/// What somebody wants of a project that the host may not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// To look at it, or to work with it: one that is not there can be made.
    There,
    /// That it goes.
    Gone,
}

/// What the host knows of a project.
pub(crate) async fn on_host(client: &Client, name: &ProjectName, wanted: Wanted) -> Result<ProjectView, CommandError> {
    let mut projects = client.projects().await?.projects;
    match projects.iter().position(|project| project.name == *name) {
        Some(at) => Ok(projects.swap_remove(at)),
        None => Err(unknown(name, projects.iter().map(|project| &project.name), wanted)),
    }
}

/// The host has another project, or none.
fn unknown<'p>(name: &ProjectName, known: impl Iterator<Item = &'p ProjectName>, wanted: Wanted) -> CommandError {
    let error = CommandError::project(format!("the host has no project `{name}`")).code("NOT_FOUND");
    let likeness = |known: &ProjectName| strsim::jaro_winkler(known.as_str(), name.as_str());
    let nearest = known.max_by(|left, right| likeness(left).total_cmp(&likeness(right)));
    match (nearest.filter(|nearest| likeness(nearest) > SIMILAR_ENOUGH), wanted) {
        (Some(nearest), _) => error.hint(format!("did you mean `--project {nearest}`?")),
        (None, Wanted::There) => error.hint("`ship deploy` makes it, `ship ls` shows those there are"),
        (None, Wanted::Gone) => error.hint("`ship ls` shows those there are"),
    }
}

/// A deployment, which has to be one of `project` if that is given.
pub(crate) async fn deployment_of(
    client: &Client,
    reference: &DeploymentReference,
    project: Option<&ProjectName>,
) -> Result<DeploymentDetail, CommandError> {
    let detail = client.deployment(reference).await?;
    let owner = &detail.deployment.project;
    match project.filter(|project| *project != owner) {
        None => Ok(detail),
        Some(other) => {
            Err(CommandError::project(format!("`{reference}` is a deployment of `{owner}`, not of `{other}`")))
        }
    }
}

/// The name of the project that the current folder is, or that was given.
pub(crate) fn name_here(settings: &Settings) -> Result<ProjectName, CommandError> {
    match &settings.project {
        Some(name) => Ok(name.clone()),
        None => Ok(Project::open(Path::new("."), settings)?.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::environment::{Environment, SHIP_HOME};

    /// What ship keeps is no part of a project, whether it is there already or not; below `.ship` nobody takes it for one.
    #[test]
    fn home_of_ship() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().canonicalize().unwrap();
        let settings = |home: &str| {
            let home = project.join(home);
            Settings::for_tests(&project, Environment::from([(SHIP_HOME, home.to_str().unwrap())]))
        };
        for (home, is_opened) in [("kept", false), (".ship/home", true), ("../kept", true)] {
            assert_eq!(open_folder(Path::new("."), &settings(home)).is_ok(), is_opened, "{home}");
        }
        fs_err::create_dir(project.join("kept")).unwrap();
        assert!(open_folder(Path::new("."), &settings("kept")).is_err());
    }

    /// A home folder is no project, until a `ship.toml` says that it is; a folder below it is one as it stands.
    #[test]
    fn home_folder() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        fs_err::create_dir(home.join("site")).unwrap();
        let settings = Settings::for_tests(&home, Environment::from([(HOME, home.to_str().unwrap())]));
        assert!(open_folder(Path::new("site"), &settings).is_ok());
        for refused in [".", "/"] {
            let error = open_folder(Path::new(refused), &settings).unwrap_err();
            assert_eq!(error.kind().exit_code(), 1);
        }
        fs_err::write(home.join(CONFIG_FILE), "").unwrap();
        assert!(open_folder(Path::new("."), &settings).is_ok());
    }
}
