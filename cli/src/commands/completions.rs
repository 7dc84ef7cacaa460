//! `ship completions`: a script that has a shell ask ship for what can be typed.

use clap_complete::Shell;
use clap_complete::env::Shells;

use crate::completion;
use crate::error::CommandError;
use crate::output::Output;

/// Print a script that completes commands, options, projects and deployments in a shell
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &CompletionsArgs, output: &Output) -> Result<(), CommandError> {
    let name = arguments.shell.to_string();
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(&name) {
        let written = shell.write_registration(completion::VARIABLE.name, "ship", "ship", "ship", &mut script);
        written.map_err(CommandError::project)?;
    }
    let script = String::from_utf8_lossy(&script);
    output.data(&serde_json::json!({ "shell": name, "script": script }), |_| script.trim_start().to_owned())
}
