//! `ship man`: the manual pages, made of the same definition as the help.

use std::path::PathBuf;

use serde_json::json;

use crate::args;
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
    let definition = args::for_manual();
    let Some(folder) = &arguments.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(definition).render(&mut page).map_err(CommandError::project)?;
        let page = String::from_utf8_lossy(&page).into_owned();
        return output.data(&json!({ "page": page }), |_| page.clone());
    };
    let folder = settings.absolute(folder);
    fs_err::create_dir_all(&folder)
        .and_then(|()| clap_mangen::generate_to(definition, &folder))
        .map_err(|error| CommandError::project(error).hint("`--dir DIR` takes a folder that you may write"))?;
    let is_page = |name: &str| name.starts_with("ship") && name.ends_with(".1");
    let names = fs_err::read_dir(&folder).map_err(CommandError::project)?;
    let names = names.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    let mut pages: Vec<String> = names.filter(|name| is_page(name)).collect();
    pages.sort();
    output.status(format_args!("Wrote {}", count(pages.len() as u64, "page")));
    output.data(&json!({ "folder": folder, "pages": pages }), |_| folder.display().to_string())
}
