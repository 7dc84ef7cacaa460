//! Where a project is made: an empty folder, a new one, or one that is a project already.

use std::path::{Path, PathBuf};

use ship_builder::{ProjectConfig, ProjectDir, detect};
use ship_core::ProjectName;

use crate::error::CommandError;
use crate::output::shell_word;
use crate::project;
use crate::settings::Settings;

/// What may stand in a folder that counts as empty: what version control, its hosts and editors put there first. Lower case; names that only
/// begin like this count too.
const HARMLESS: [&str; 9] =
    [".git", ".gitattributes", ".editorconfig", ".idea", ".vscode", ".ds_store", "license", "licence", "readme"];

/// What says that a folder is a project, whatever else is in it.
const OF_PROJECTS: [&str; 6] = ["ship.toml", "vercel.json", "now.json", "package.json", "index.html", "public"];

/// How many names of a folder that is not empty are shown.
const SHOWN: usize = 5;

/// Where a project is made.
#[derive(Debug)]
pub(super) enum Place {
    /// A folder that is absent or empty, and the name that it gives a project, if it gives one.
    Vacant { folder: PathBuf, name: Option<ProjectName> },
    /// A new folder in this one, with the project's name.
    Below { folder: PathBuf },
    /// A folder with a project in it.
    Project(Box<Existing>),
}

/// A project that is there already.
#[derive(Debug)]
pub(super) struct Existing {
    pub(super) folder: ProjectDir,
    pub(super) config: ProjectConfig,
}

/// Where `ship init DIR` is to work.
pub(super) fn find(dir: Option<&Path>, settings: &Settings) -> Result<Place, CommandError> {
    let folder = settings.absolute(dir.unwrap_or(Path::new(".")));
    let others = others(&folder)?;
    if others.is_empty() {
        return Ok(Place::Vacant { name: name_of(&folder), folder });
    }
    if let Some(project) = existing(&folder, &others, settings)? {
        return Ok(Place::Project(Box::new(project)));
    }
    if dir.is_none() {
        return Ok(Place::Below { folder });
    }
    Err(not_empty(&folder, &others))
}

/// The new folder for a project in one that holds other things.
pub(super) fn below(folder: &Path, name: &ProjectName) -> Result<PathBuf, CommandError> {
    let folder = folder.join(name.as_str());
    let others = others(&folder)?;
    if others.is_empty() { Ok(folder) } else { Err(not_empty(&folder, &others)) }
}

/// The way from where the command works to a folder, `None` if it is that.
pub(super) fn relative(folder: &Path, settings: &Settings) -> Option<String> {
    let here = settings.canonical_folder();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let way = folder.strip_prefix(&here).unwrap_or(&folder);
    (!way.as_os_str().is_empty()).then(|| way.to_string_lossy().into_owned())
}

/// What a template would stand beside, in order. Nothing of a folder that is absent.
fn others(folder: &Path) -> Result<Vec<String>, CommandError> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(file) if file.kind() == std::io::ErrorKind::NotADirectory => {
            let message = format!("`{}` is a file, and a project is a folder", folder.display());
            return Err(
                CommandError::project(message).hint("`ship init DIR` takes the name of a folder that may be new")
            );
        }
        Err(error) => {
            return Err(CommandError::project(error).hint("`ship init DIR` takes a folder that you may read and write"));
        }
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<Result<_, std::io::Error>>().map_err(CommandError::project)?;
    let mut others: Vec<String> = names.into_iter().filter(|name| !is_harmless(name)).collect();
    others.sort();
    Ok(others)
}

fn is_harmless(name: &str) -> bool {
    let name = name.to_lowercase();
    HARMLESS.iter().any(|harmless| name.starts_with(harmless))
}

/// The project in a folder that is not empty, if it is one. A home folder or a whole file system never is, unless they say so.
fn existing(folder: &Path, names: &[String], settings: &Settings) -> Result<Option<Existing>, CommandError> {
    let Ok(folder) = project::open_folder(folder, settings) else { return Ok(None) };
    let config = detect(&folder)?;
    let says_so = names.iter().any(|name| OF_PROJECTS.contains(&name.as_str()));
    let is_project = says_so || config.framework().is_some() || !config.functions().is_empty();
    Ok(is_project.then_some(Existing { folder, config }))
}

fn name_of(folder: &Path) -> Option<ProjectName> {
    // Of a folder that is only to be made, the last part is all that is known.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    ProjectName::from_folder_name(&folder.file_name()?.to_string_lossy())
}

fn not_empty(folder: &Path, others: &[String]) -> CommandError {
    let shown = others.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = others.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    CommandError::project(format!("`{}` is not empty: {shown}{more}", folder.display()))
        .hint("`ship init DIR` makes the project in another folder; nothing was written")
}

/// The folder's name can name no project.
pub(super) fn nameless(folder: &Path) -> CommandError {
    CommandError::usage(format!("`{}` cannot name a project: it has none of a to z and 0 to 9", folder.display()))
        .hint("`--project NAME` gives the project another name than its folder")
}

/// A template was asked for where a project is.
pub(super) fn is_a_project(project: &Existing) -> CommandError {
    let folder = project.folder.root();
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    CommandError::project(format!("`{}` is a project already, and a template needs an empty folder", folder.display()))
        .hint("`ship init` without `--template` takes it as it is")
        .hint(format!(
            "`ship init {} --template …` makes another one in a new folder",
            shell_word(&format!("{name}-2"))
        ))
}
