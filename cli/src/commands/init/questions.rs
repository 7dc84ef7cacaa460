//! The two questions, asked where somebody can answer.

use clap::ValueEnum as _;
use ship_core::{ParseProjectNameError, ProjectName};

use super::template::Template;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::{Confirmation, Settings};

/// The name of a project where nothing gives it one.
const ANY_NAME: &str = "my-site";

/// Which template: the one that is chosen, the first one with `--yes`.
pub(super) async fn template(settings: &Settings, output: &Output) -> Result<Template, CommandError> {
    let templates = Template::value_variants();
    if settings.confirmation == Confirmation::Given {
        return Ok(templates[0]);
    }
    let lines: Vec<String> =
        templates.iter().map(|template| format!("{:<10}  {}", template.name(), template.about())).collect();
    match output.choose("Template", lines.clone()).await? {
        Some(chosen) => Ok(templates[chosen]),
        None => Err(CommandError::usage("no template was named, and nobody is here to choose one")
            .details(lines)
            .hint("`ship init DIR --template go` takes the first of them")),
    }
}

/// A name for a project in a folder whose own cannot be one.
pub(super) fn any_name() -> ProjectName {
    ANY_NAME.parse().expect("it is a name")
}

/// The project's name: what is typed, or `suggested` with `--yes` and where nobody can be asked.
pub(super) async fn name(
    suggested: Option<ProjectName>,
    settings: &Settings,
    output: &Output,
) -> Result<ProjectName, CommandError> {
    let is_given = settings.confirmation == Confirmation::Given;
    let default = suggested.as_ref().map_or(ANY_NAME, ProjectName::as_str).to_owned();
    let typed = if is_given { Some(default) } else { output.ask_for("Name", default, check).await? };
    match (typed, suggested) {
        (Some(typed), _) => typed.parse().map_err(CommandError::usage),
        (None, Some(suggested)) => Ok(suggested),
        (None, None) => Err(CommandError::usage("the folder is not empty, and a new one was not named")
            .hint("`ship init DIR --template NAME` makes the project in DIR")),
    }
}

/// What is wrong with a name that was typed, and which one would do.
#[derive(Debug, thiserror::Error)]
#[error("{refused}{}", refused.nearest().map(|nearest| format!("; `{nearest}` would do")).unwrap_or_default())]
struct AnotherName {
    refused: ParseProjectNameError,
}

fn check(text: &str) -> Result<(), AnotherName> {
    text.parse::<ProjectName>().map(drop).map_err(|refused| AnotherName { refused })
}
