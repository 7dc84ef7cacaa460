//! `ship env pull`: values that may be read, into an environment file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde::Serialize;
use ship_api::ReadableVariables;
use ship_builder::env_file_line;
use ship_core::{BranchName, ProjectName, VariableName, VariableTarget};

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, count};
use crate::project;
use crate::settings::{Confirmation, Settings};
use crate::source::is_ignored_by_git;

/// What a file begins with that this command may write over.
const FIRST_LINE: &str = "# Written by `ship env pull`, which writes over what is changed here.";

/// Write the variables that may be read into an environment file
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PullArgs {
    /// The file
    #[arg(value_name = "FILE", default_value = ".env.local")]
    file: PathBuf,
    /// production, preview or development
    #[arg(long, value_name = "TARGET", default_value_t = VariableTarget::Development)]
    target: VariableTarget,
    /// The branch, for previews
    #[arg(long, value_name = "B")]
    branch: Option<BranchName>,
}

/// What was pulled. No values: they are in the file.
#[derive(Debug, Serialize)]
struct PullDocument<'d> {
    project: &'d ProjectName,
    target: VariableTarget,
    file: &'d Path,
    written: Vec<&'d VariableName>,
    secret: &'d [VariableName],
}

pub(super) async fn run(arguments: PullArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let PullArgs { file, target, branch } = arguments;
    let path = settings.absolute(&file);
    refuse_foreign(&path, &file, settings)?;
    let project = project::name_here(settings)?;
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let readable = host.client.readable_variables(&project, target, branch.as_ref()).await?;
    let (text, written) = text_of(&readable, output);
    write(&path, &text).map_err(CommandError::project)?;
    output.status(format_args!("Wrote {} to {}", count(written.len() as u64, "variable"), file.display()));
    if !readable.secret.is_empty() {
        let names: Vec<&str> = readable.secret.iter().map(VariableName::as_str).collect();
        output.status(format_args!("Only functions can read {}", names.join(", ")));
        output.hint("`ship env set KEY --plain` sets a value that can be pulled");
    }
    if !is_ignored_by_git(&path, &settings.environment) {
        output.warning(format_args!("{} is not ignored by git, so it may be committed", file.display()));
        output.hint(format_args!("add `{}` to .gitignore", file.display()));
    }
    let document = PullDocument { project: &project, target, file: &file, written, secret: &readable.secret };
    output.data(&document, |_| file.display().to_string())
}

/// What somebody wrote by hand is not written over, unless they say so.
fn refuse_foreign(path: &Path, file: &Path, settings: &Settings) -> Result<(), CommandError> {
    let is_foreign = match fs_err::read_to_string(path) {
        Ok(text) => text.lines().next() != Some(FIRST_LINE),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(_) => true,
    };
    if is_foreign && settings.confirmation == Confirmation::Ask {
        let message = format!("{} is there, and was not written by `ship env pull`", file.display());
        return Err(CommandError::project(message).hint("`--yes` writes over it, or name another file"));
    }
    Ok(())
}

fn text_of<'r>(readable: &'r ReadableVariables, output: &Output) -> (String, Vec<&'r VariableName>) {
    let (mut text, mut written) = (format!("{FIRST_LINE}\n"), Vec::new());
    for variable in &readable.values {
        match env_file_line(variable.name.as_str(), variable.value.expose()) {
            Some(line) => {
                text.push_str(&line);
                written.push(&variable.name);
            }
            None => output.warning(format_args!("`{}` has a value that no environment file can hold", variable.name)),
        }
    }
    (text, written)
}

/// Writes the file: complete or not at all, and readable by its owner alone from its first byte on.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    match fs_err::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    drop(file);
    fs_err::rename(&beside, path)
}
