//! The variables that a host keeps for a project, as far as they may be read: what builds and development get of them.

use ship_builder::BuildTarget;
use ship_core::{BranchName, ProjectName, VariableName, VariableTarget};

use crate::connection;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::{HostChoice, Settings};
use crate::tries::Tries;

/// Names that begin so are meant for pages, so a build without them makes other pages than somebody expects.
const PAGE_PREFIXES: [&str; 8] =
    ["GATSBY_", "NEXT_PUBLIC_", "NUXT_PUBLIC_", "PUBLIC_", "REACT_APP_", "REDWOOD_ENV_", "VITE_", "VUE_APP_"];

/// Whether a build asks a host for variables.
#[derive(Clone, Debug, Default)]
pub(crate) enum KeptVariables {
    /// It does not: the same sources give the same output, whichever host runs.
    #[default]
    NotAsked,
    /// It asks the host that the settings name, once it is known that a frontend is built.
    Asked(StartPolicy),
    /// They were asked for before.
    Known(Vec<(String, String)>),
}

impl KeptVariables {
    /// What a build that deploys nothing asks: a host that somebody named, and no other.
    pub(crate) fn of_named_host(settings: &Settings) -> Self {
        match settings.host {
            HostChoice::At { .. } => Self::Asked(StartPolicy::Never),
            HostChoice::Embedded => Self::NotAsked,
        }
    }
}

/// The variables of a target that may be read; none where there is no host to ask.
pub(crate) async fn read(
    project: &ProjectName,
    target: BuildTarget,
    branch: Option<&str>,
    policy: StartPolicy,
    settings: &Settings,
    output: &Output,
) -> Result<Vec<(String, String)>, CommandError> {
    let Some(host) = connection::find(settings, output, policy).await? else { return Ok(Vec::new()) };
    let target = match target {
        BuildTarget::Development => VariableTarget::Development,
        BuildTarget::Preview => VariableTarget::Preview,
        BuildTarget::Production => VariableTarget::Production,
    };
    let branch: Option<BranchName> =
        branch.filter(|_| target == VariableTarget::Preview).map(str::parse).transpose()?;
    let question = async || host.client.readable_variables(project, target, branch.as_ref()).await;
    let readable = Tries::of_first_question(output).ask(question).await?;
    say_what_is_secret(&readable.secret, target, output);
    let (left_out, pairs): (Vec<_>, Vec<_>) =
        readable.values.into_iter().partition(|variable| variable.name.chooses_programs());
    for variable in left_out {
        // Whoever sets it at the host is not whoever owns this machine.
        output.warning(format_args!("`{}` can choose programs, so a host decides nothing by it here", variable.name));
    }
    Ok(pairs.into_iter().map(|variable| (variable.name.to_string(), variable.value.expose().to_owned())).collect())
}

/// A page that lacks a value is hard to explain afterwards.
fn say_what_is_secret(names: &[VariableName], target: VariableTarget, output: &Output) {
    let is_for_pages = |name: &&VariableName| PAGE_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    for name in names.iter().filter(is_for_pages) {
        output
            .warning(format_args!("`{name}` is set as a secret, which only functions can read, so the build lacks it"));
        output.hint(format_args!("`ship env set {name} --target {target} --plain` lets builds read it"));
    }
    let others: Vec<&str> = names.iter().filter(|name| !is_for_pages(name)).map(VariableName::as_str).collect();
    if !others.is_empty() {
        output.detail(format_args!("secrets are for functions, so the build lacks {}", others.join(", ")));
    }
}
