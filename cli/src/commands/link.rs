//! `ship link`: which project on which host a folder is.

use serde_json::json;

use crate::accounts::{self, Link};
use crate::error::CommandError;
use crate::output::Output;
use crate::project;
use crate::settings::{HostChoice, Settings};

/// Say with --project and --host what this folder is, or show it without them
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LinkArgs {
    /// Forget what was said of this folder
    #[arg(long)]
    remove: bool,
}

pub(crate) fn run(arguments: &LinkArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let given = Link { host: settings.given_host(), project: settings.project.clone() };
    if arguments.remove {
        accounts::link(&settings.home, &settings.canonical_folder(), None)?;
        output.status("The folder is linked to nothing any more");
        return output.data(&json!({ "host": null, "project": null }), |_| String::new());
    }
    if given != Link::default() {
        let link = Link {
            host: given.host.or_else(|| settings.link.host.clone()),
            project: given.project.or_else(|| settings.link.project.clone()),
        };
        accounts::link(&settings.home, &settings.canonical_folder(), Some(link))?;
    }
    let project = project::name_here(settings)?;
    let host = match &settings.host {
        HostChoice::At { url, .. } => Some(url.as_str()),
        HostChoice::Embedded => None,
    };
    output.data(&json!({ "host": host, "project": project }), |_| {
        format!("{project} on {}", host.unwrap_or("the host on this machine"))
    })
}
