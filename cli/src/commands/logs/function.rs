//! Which function's lines are meant.

use ship_api::{Client, DeploymentDetail, FunctionView};
use ship_core::{FunctionName, ParsePathError, ProjectName};

use crate::error::CommandError;
use crate::output::Output;

/// How many deployments of a project are looked at for a function. The newest has it, unless it was removed.
const MOST_LOOKED_AT: usize = 20;

/// Reads a name, or the path that `ship inspect` shows.
pub(in crate::commands) fn parse(text: &str) -> Result<FunctionName, ParsePathError> {
    match text.strip_prefix('/').unwrap_or(text) {
        "" => "index".parse(),
        name => name.parse(),
    }
}

/// The function of a deployment that somebody named, or whose path they gave.
pub(super) fn of_deployment(wanted: FunctionName, detail: &DeploymentDetail, output: &Output) -> FunctionName {
    find(&detail.functions, &wanted).unwrap_or_else(|| {
        output.warning(format_args!("{} has no function `{wanted}`", detail.deployment.id.short()));
        name_those_of("it", &detail.functions, output);
        wanted
    })
}

/// The function that deployments of a project have by that name or at that path. That none has it is no error: the log may
/// still hold what a removed deployment said.
pub(super) async fn of_project(
    wanted: FunctionName,
    project: &ProjectName,
    client: &Client,
    output: &Output,
) -> Result<FunctionName, CommandError> {
    let listed = client.deployments(Some(project), MOST_LOOKED_AT).await?.deployments;
    let mut newest = None;
    for listed in &listed {
        let functions = client.deployment(&listed.deployment.id.to_string().parse()?).await?.functions;
        if let Some(name) = find(&functions, &wanted) {
            return Ok(name);
        }
        newest.get_or_insert(functions);
    }
    let none = if listed.len() == MOST_LOOKED_AT { "none of the newest deployments" } else { "no deployment" };
    output.warning(format_args!("{none} of `{project}` has a function `{wanted}`"));
    name_those_of("the newest", &newest.unwrap_or_default(), output);
    Ok(wanted)
}

fn find(functions: &[FunctionView], wanted: &FunctionName) -> Option<FunctionName> {
    let named = functions.iter().find(|function| function.name == *wanted);
    let at_path = || functions.iter().find(|function| function.route.strip_prefix('/') == Some(wanted.as_str()));
    named.or_else(at_path).map(|function| function.name.clone())
}

fn name_those_of(deployment: &str, functions: &[FunctionView], output: &Output) {
    if !functions.is_empty() {
        let names: Vec<_> = functions.iter().map(|function| function.name.as_str()).collect();
        output.hint(format_args!("{deployment} has {}", names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name may have the slash with which `ship inspect` shows it.
    #[test]
    fn names_and_paths() {
        let name = |text| parse(text).map(|name| name.to_string());
        assert_eq!(
            ["api/slow", "/api/slow", "/"].map(name),
            ["api/slow", "api/slow", "index"].map(|name| Ok(name.into()))
        );
        assert!(name("//api/slow").is_err());
    }
}
