//! `ship host upgrade`: another version takes over from the host that runs, without a lost request.

use std::path::Path;

use ship_api::UpgradeRequest;

use crate::connection::{self, is_on_this_machine};
use crate::embedded::StartPolicy;
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;
use crate::settings::Settings;

pub(super) async fn run(program: Option<&Path>, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let Some(host) = connection::find(settings, output, StartPolicy::Never).await? else {
        return Err(CommandError::new(ErrorKind::Unreachable, "no host runs here")
            .hint("`ship deploy` starts one in the background, `ship host` in this terminal"));
    };
    // On another machine nobody knows this machine's paths.
    let is_here = host.endpoint.is_some() || is_on_this_machine(settings);
    let program = match program {
        Some(program) if is_here => Some(settings.absolute(program)),
        Some(program) => Some(program.to_owned()),
        None => is_here.then(|| settings.executable.clone()),
    };
    let program = program.map(|program| match program.into_os_string().into_string() {
        Ok(program) => Ok(program),
        Err(program) => Err(CommandError::usage(format!("{} is no text", program.display()))),
    });
    let upgraded = host.client.upgrade(&UpgradeRequest { program: program.transpose()? }).await?;
    let (version, pid) = (&upgraded.version, upgraded.pid);
    output.status(format_args!("ship {version} (pid {pid}) serves now; the host before finishes what it has"));
    output.data(&upgraded, |_| String::new())
}
