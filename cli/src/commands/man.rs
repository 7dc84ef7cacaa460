//! `ship man`: the manual pages, made of the same definition as the help.

use std::path::{Path, PathBuf};

use clap::Command;
use serde_json::json;

use crate::args;
use crate::connection::VERSION;
use crate::error::CommandError;
use crate::output::{Output, count};
use crate::settings::Settings;

/// Print the manual page of ship, or write those of all commands into a folder
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The folder to write `ship.1`, `ship-deploy.1` and all others into
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ManArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let mut definition = args::for_manual().disable_help_subcommand(true);
    let Some(folder) = &arguments.dir else {
        let page = page_of(definition)?;
        return output.data(&json!({ "page": page }), |_| page.clone());
    };
    definition.build();
    let folder = settings.absolute(folder);
    let mut pages = Vec::new();
    write_pages(&definition, &folder, &mut pages)?;
    pages.sort();
    output.status(format_args!("Wrote {}", count(pages.len() as u64, "page")));
    output.data(&json!({ "folder": folder, "pages": pages }), |_| folder.display().to_string())
}

/// Writes the page of a command and of those below it, and adds their names.
fn write_pages(command: &Command, folder: &Path, pages: &mut Vec<String>) -> Result<(), CommandError> {
    let name = format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name()));
    let page = page_of(command.clone())?;
    fs_err::create_dir_all(folder)
        .and_then(|()| fs_err::write(folder.join(&name), page))
        .map_err(|error| CommandError::project(error).hint("`--dir DIR` takes a folder that you may write"))?;
    pages.push(name);
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.into_iter().try_for_each(|command| write_pages(command, folder, pages))
}

/// The page of one command. What stands below a help has headings of its own there (man-pages(7)); the library knows no names for them.
fn page_of(command: Command) -> Result<String, CommandError> {
    let mut page = Vec::new();
    let manual = clap_mangen::Man::new(command).source(format!("ship {VERSION}")).manual("ship");
    manual.render(&mut page).map_err(CommandError::project)?;
    let page = String::from_utf8_lossy(&page).into_owned();
    let headings = [
        (".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n"),
        (".SH EXTRA\nenvironment:\n", ".SH ENVIRONMENT\n"),
        ("\nexit\\-codes:\n", "\n.SH EXIT STATUS\n"),
        ("\nerror\\-codes:\n", "\n.SH ERROR CODES\n"),
    ];
    Ok(headings.into_iter().fold(page, |page, (from, to)| page.replace(from, to)))
}
