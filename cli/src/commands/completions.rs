//! `ship completions`: a script that teaches a shell the command line.

use clap_complete::Shell;

use crate::args;
use crate::error::CommandError;
use crate::output::Output;

/// Print a script that completes ship's commands and options in a shell
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &CompletionsArgs, output: &Output) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::definition(), "ship", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.data(&serde_json::json!({ "shell": arguments.shell.to_string(), "script": script }), |_| script.to_string())
}
