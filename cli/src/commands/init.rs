//! `ship init`: a new project that deploys as it is, or a folder that becomes one with what little it lacks.

mod adopt;
mod place;
mod questions;
mod template;
mod writing;

use std::path::{Path, PathBuf};

use serde::Serialize;
use ship_core::ProjectName;

use self::place::{Place, relative};
use self::template::Template;
use crate::error::CommandError;
use crate::output::{Output, Styles, count, shell_word};
use crate::settings::Settings;

/// Make a project that deploys as it is, or prepare the one here
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// The project's folder (default: the current one if it is empty, else a new one with the project's name)
    dir: Option<PathBuf>,
    /// What the project is made of: go, typescript, python, rust, polyglot, vite-react, astro, fastapi or hono (default: it is asked for)
    #[arg(long, short, value_name = "NAME", value_enum, hide_possible_values = true)]
    template: Option<Template>,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Outcome {
    project: ProjectName,
    folder: PathBuf,
    /// The template that it is made of, nothing of a project that was there.
    template: Option<&'static str>,
    /// What was found in a project that was there.
    found: Option<adopt::Found>,
    /// The files that were written, relative to the folder.
    written: Vec<String>,
    /// The files of the template that were there and stay as they are.
    kept: Vec<String>,
    /// What to type next.
    next: Vec<String>,
}

pub(crate) async fn run(arguments: InitArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let outcome = match (place::find(arguments.dir.as_deref(), settings)?, arguments.template) {
        (Place::Project(project), None) => adopt::adopt(&project, arguments.dir.as_deref(), settings)?,
        (Place::Project(project), Some(_)) => return Err(place::is_a_project(&project)),
        (place, template) => make(place, template, arguments.dir.as_deref(), settings, output).await?,
    };
    outcome.say(output);
    output.data(&outcome, |styles| outcome.render(styles))
}

/// Makes a project of a template in a folder where there is none.
async fn make(
    place: Place,
    template: Option<Template>,
    dir: Option<&Path>,
    settings: &Settings,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let template = match template {
        Some(template) => template,
        None => questions::template(settings, output).await?,
    };
    let (folder, name) = match place {
        Place::Vacant { folder, name } if dir.is_some() || settings.project.is_some() => {
            let name = settings.project.clone().or(name).ok_or_else(|| place::nameless(&folder))?;
            (folder, name)
        }
        Place::Vacant { folder, name } => {
            let suggested = name.unwrap_or_else(questions::any_name);
            (folder, questions::name(Some(suggested), settings, output).await?)
        }
        Place::Below { folder } => {
            let name = match &settings.project {
                Some(name) => name.clone(),
                None => questions::name(None, settings, output).await?,
            };
            (place::below(&folder, &name)?, name)
        }
        Place::Project(project) => return Err(place::is_a_project(&project)),
    };
    let mut files = template.files(&name)?;
    files.extend(adopt::ship_toml(&folder, &name));
    let (written, kept) = writing::write(&folder, files)?;
    super::schema::bring(&folder);
    Ok(Outcome {
        project: name,
        next: next(&folder, settings),
        folder,
        template: Some(template.name()),
        found: None,
        written,
        kept,
    })
}

/// The three commands that most people type next.
fn next(folder: &Path, settings: &Settings) -> Vec<String> {
    let dev_and_deploy = ["ship dev".to_owned(), "ship deploy".to_owned()];
    match relative(folder, settings) {
        Some(path) => std::iter::once(format!("cd {}", shell_word(&path))).chain(dev_and_deploy).collect(),
        None => dev_and_deploy.into_iter().chain(["ship open".to_owned()]).collect(),
    }
}

impl Outcome {
    fn say(&self, output: &Output) {
        let folder = self.folder.display();
        match (self.template, &self.found) {
            (Some(template), _) => {
                output.status(format_args!("Made {} of the template {template} in {folder}", self.project));
            }
            (None, Some(found)) => output.status(format_args!("Found {found}: {} deploys as it is", self.project)),
            (None, None) => {}
        }
        if self.written.is_empty() {
            output.status("Nothing had to be written");
        } else {
            let files = count(self.written.len() as u64, "file");
            output.status(format_args!("Wrote {files}: {}", self.written.join(", ")));
        }
        if !self.kept.is_empty() {
            output.status(format_args!("Left as it was: {}", self.kept.join(", ")));
        }
    }

    fn render(&self, styles: Styles) -> String {
        let meaning = |command: &str| match command {
            "ship dev" => "the site on this machine, made anew as you edit",
            "ship deploy" => "the site live, and its URL",
            "ship open" => "the live site in the browser",
            _ => "",
        };
        let line = |command: &String| {
            let line = format!("  {command:<12} {}", styles.dim(meaning(command)));
            line.trim_end().to_owned() + "\n"
        };
        // It stands with the commands, wherever these go.
        std::iter::once("Type next:\n".to_owned()).chain(self.next.iter().map(line)).collect()
    }
}
