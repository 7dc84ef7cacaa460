//! `ship env set`: a value, read from standard input so that it stands in no history and no list of processes.

use ship_api::{Client, SetVariableRequest};
use ship_core::{
    BranchName, MASKED_FROM_CHARS, ProjectName, VariableKind, VariableName, VariableTarget, VariableValue,
};

use super::scopes;
use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project;
use crate::settings::Settings;

/// Set a variable to what is read from standard input
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SetArgs {
    /// Its name
    #[arg(value_name = "KEY")]
    name: VariableName,
    /// production, preview or development; may be repeated (default: production and preview, with --branch preview)
    #[arg(long, value_name = "TARGET")]
    target: Vec<VariableTarget>,
    /// Only for previews of this branch
    #[arg(long, value_name = "B")]
    branch: Option<BranchName>,
    /// Let builds and people read it; what is for development can be read in any case
    #[arg(long)]
    plain: bool,
}

pub(super) async fn run(arguments: SetArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let SetArgs { name, target, branch, plain } = arguments;
    let targets = targets(target, branch.as_ref())?;
    let project = project::name_here(settings)?;
    let value = read_value(&name, output).await?;
    let kind = if plain { VariableKind::Plain } else { VariableKind::Secret };
    let length = value.expose().chars().count();
    let host = connect(settings, output, StartPolicy::Always).await?;
    let set = host.client.set_variable(&project, &name, &SetVariableRequest { value, targets, branch, kind }).await?;
    output.status(format_args!("Set {name} for {} of {project}", scopes(&set.set)));
    if length == 0 {
        // It may be meant, and a pipe from a command that failed gives nothing, too.
        output.warning(format_args!("the value that was read for {name} is empty"));
    } else if length < MASKED_FROM_CHARS && set.set.iter().any(|variable| variable.kind == VariableKind::Secret) {
        output.warning(format_args!(
            "the value has fewer than {MASKED_FROM_CHARS} characters, so it is not hidden where a function prints it"
        ));
    }
    if settings.project.is_some() && is_unknown(&host.client, &project).await {
        output.warning(format_args!("the host has no project `{project}` yet: {name} waits for its first deployment"));
    }
    if set.set.iter().any(|variable| variable.target != VariableTarget::Development) {
        output.hint("functions find it set from the next `ship deploy` on");
    }
    output.data(&set, |_| String::new())
}

/// Whether nothing of a project is deployed. What is set before the first deployment is kept for it, so a name that was mistyped is no
/// error; it is worse than that, because nobody hears of it.
async fn is_unknown(client: &Client, project: &ProjectName) -> bool {
    client.projects().await.is_ok_and(|list| list.projects.iter().all(|known| known.name != *project))
}

fn targets(mut targets: Vec<VariableTarget>, branch: Option<&BranchName>) -> Result<Vec<VariableTarget>, CommandError> {
    targets.sort_unstable();
    targets.dedup();
    match branch {
        Some(_) if targets.is_empty() => Ok(vec![VariableTarget::Preview]),
        Some(_) if targets != [VariableTarget::Preview] => {
            Err(CommandError::usage("`--branch` goes with `--target preview` alone: only previews have branches"))
        }
        // Development is for people's own machines, so a value gets there only where somebody says so.
        None if targets.is_empty() => Ok(vec![VariableTarget::Production, VariableTarget::Preview]),
        _ => Ok(targets),
    }
}

/// The value, without the one line end that `echo` and files put behind it.
async fn read_value(name: &VariableName, output: &Output) -> Result<VariableValue, CommandError> {
    let bytes = output.read_secret(format!("Value of {name}")).await;
    let bytes = bytes.map_err(|error| CommandError::project(format!("standard input cannot be read: {error}")))?;
    let mut text = String::from_utf8(bytes).map_err(|_| {
        CommandError::project(format!("the value of `{name}` is not UTF-8")).hint("base64 makes text of it")
    })?;
    if text.ends_with('\n') {
        text.truncate(text.len() - if text.ends_with("\r\n") { 2 } else { 1 });
    }
    text.try_into().map_err(CommandError::project)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is meant where nothing is said, and that only previews have branches.
    #[test]
    fn default_targets() {
        use VariableTarget::{Development, Preview, Production};
        let branch: BranchName = "a".parse().unwrap();
        assert_eq!(targets(vec![], None).unwrap(), [Production, Preview]);
        assert_eq!(targets(vec![], Some(&branch)).unwrap(), [Preview]);
        assert_eq!(targets(vec![Development, Preview, Preview], None).unwrap(), [Preview, Development]);
        let error = targets(vec![Preview, Production], Some(&branch)).unwrap_err();
        assert_eq!(error.kind().exit_code(), 2);
    }
}
