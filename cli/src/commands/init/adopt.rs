//! A project that is there already: what it is, and the little that it lacks.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use ship_core::{FunctionRuntime, ProjectName};

use super::place::Existing;
use super::writing::{self, NewFile};
use super::{Outcome, next};
use crate::commands::schema;
use crate::error::CommandError;
use crate::output::count;
use crate::project;
use crate::settings::Settings;

/// What was found in a project.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    /// What its frontend is made with, if that is known.
    framework: Option<&'static str>,
    /// The files of its functions.
    functions: Vec<String>,
    /// How many of them each language has.
    #[serde(skip)]
    languages: BTreeMap<&'static str, u64>,
}

/// Gives the project in a folder what it needs, which is a name where its folder gives it none, and that version control keeps away from
/// what ship leaves there.
pub(super) fn adopt(project: &Existing, dir: Option<&Path>, settings: &Settings) -> Result<Outcome, CommandError> {
    let Existing { folder, config } = project;
    let root = folder.root();
    let name = project::name(folder, config, settings)?;
    let mut files = Vec::new();
    if settings.project.is_some() && config.name.as_ref() != Some(&name) {
        if let Some(file) = ["ship.toml", "vercel.json", "now.json"].iter().find(|file| root.join(file).exists()) {
            return Err(CommandError::project(format!(
                "the project has a configuration already: `{}`",
                root.join(file).display()
            ))
            .hint(format!(
                "write the name there, or `ship link --project {name}` gives it to this folder on this machine"
            )));
        }
        files.extend(ship_toml(root, &name));
    }
    if is_under_version_control(root) {
        files.push(NewFile { path: ".gitignore".to_owned(), content: ".ship\n".to_owned() });
    }
    let (written, _) = writing::write(root, files)?;
    schema::bring(root);
    let next = if dir.is_some() { next(root, settings) } else { next(&settings.folder, settings) };
    let found = Some(Found::of(project));
    Ok(Outcome { project: name, folder: root.to_owned(), template: None, found, written, kept: Vec::new(), next })
}

/// The `ship.toml` of a project, which it needs only if its folder gives it another name.
pub(super) fn ship_toml(folder: &Path, name: &ProjectName) -> Option<NewFile> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let given = ProjectName::from_folder_name(&folder.file_name()?.to_string_lossy());
    let content = format!("#:schema {}\nname = \"{name}\"\n", schema::IN_PROJECT);
    (given.as_ref() != Some(name)).then(|| NewFile { path: "ship.toml".to_owned(), content })
}

/// Whether the folder or one above it is a working copy of git's.
fn is_under_version_control(folder: &Path) -> bool {
    folder.join(".gitignore").exists() || folder.ancestors().any(|folder| folder.join(".git").exists())
}

/// What people call it that a function is written for.
const fn language(runtime: FunctionRuntime) -> &'static str {
    match runtime {
        FunctionRuntime::Go => "Go",
        FunctionRuntime::Rust => "Rust",
        FunctionRuntime::Python => "Python",
        FunctionRuntime::Node => "Node",
        FunctionRuntime::Bun => "Bun",
        FunctionRuntime::Deno => "Deno",
        other => other.as_str(),
    }
}

impl Found {
    fn of(project: &Existing) -> Self {
        let functions = project.config.functions();
        let mut languages = BTreeMap::new();
        for function in functions {
            *languages.entry(language(function.runtime)).or_default() += 1;
        }
        let functions = functions.iter().map(|function| function.file.clone()).collect();
        Self { framework: project.config.framework(), functions, languages }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages =
            self.languages.iter().map(|(language, number)| format!("{} in {language}", count(*number, "function")));
        let parts: Vec<String> = self.framework.map(str::to_owned).into_iter().chain(languages).collect();
        if parts.is_empty() { f.write_str("static files") } else { f.write_str(&parts.join(", ")) }
    }
}
