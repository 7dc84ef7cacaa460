//! `ship protect`: who may see the sites of a project.

use ship_api::{ProtectionRequest, ProtectionView};
use ship_core::{ProtectionCoverage, ProtectionMode};

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project;
use crate::settings::Settings;

/// Say who may see the sites of a project
///
/// Everybody (off), who has a secret (token), or who knows a password. Without a mode it shows what is set. A password is read from
/// standard input. Programs show the project's bypass secret in the header x-ship-protection-bypass (or x-vercel-protection-bypass),
/// people in the URL as ?x-ship-protection-bypass=SECRET. The secret is printed when it is made, and never again.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ProtectArgs {
    /// off, token or password
    #[arg(value_name = "MODE")]
    mode: Option<ProtectionMode>,
    /// What is protected: previews, or everything (default: as it is set, at first previews)
    #[arg(long, value_name = "SITES")]
    cover: Option<ProtectionCoverage>,
    /// Make another bypass secret; the one there is opens nothing any more
    #[arg(long)]
    rotate_bypass: bool,
}

pub(crate) async fn run(arguments: ProtectArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let ProtectArgs { mode, cover, rotate_bypass } = arguments;
    let project = project::name_here(settings)?;
    let is_change = mode.is_some() || cover.is_some() || rotate_bypass;
    let policy = if is_change { StartPolicy::Always } else { StartPolicy::IfOneRanBefore };
    let password = match mode {
        Some(ProtectionMode::Password) => Some(read_password(output).await?),
        _ => None,
    };
    let host = connect(settings, output, policy).await?;
    let view = if is_change {
        let request = ProtectionRequest { mode, coverage: cover, password, rotate_bypass };
        host.client.set_protection(&project, &request).await?
    } else {
        host.client.protection(&project).await?
    };
    output.status(sentence(&view));
    if view.bypass_secret.is_some() {
        output.status("The bypass secret is on standard output, this once");
    }
    output.data(&view, |_| view.bypass_secret.clone().unwrap_or_default())
}

fn sentence(view: &ProtectionView) -> String {
    let project = &view.project;
    let sites = match view.coverage {
        ProtectionCoverage::Previews => format!("the previews of {project}"),
        ProtectionCoverage::Everything => format!("all sites of {project}"),
    };
    match view.mode {
        ProtectionMode::Off => format!("Everybody may see {project}"),
        ProtectionMode::Token => format!("Who has the bypass secret may see {sites}"),
        ProtectionMode::Password => format!("Who knows the password, or has the bypass secret, may see {sites}"),
    }
}

async fn read_password(output: &Output) -> Result<String, CommandError> {
    let bytes = output.read_secret("Password".to_owned()).await;
    let bytes = bytes.map_err(|error| CommandError::project(format!("standard input cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| CommandError::project("the password is not UTF-8"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(CommandError::usage("a password is read from standard input, and there was none"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is set, in a sentence.
    #[test]
    fn sentences() {
        let view = |mode, coverage| ProtectionView {
            project: "site".parse().unwrap(),
            mode,
            coverage,
            bypass_secret: None,
            changed_at: None,
        };
        let (previews, everything) = (ProtectionCoverage::Previews, ProtectionCoverage::Everything);
        assert_eq!(sentence(&view(ProtectionMode::Off, previews)), "Everybody may see site");
        assert_eq!(
            sentence(&view(ProtectionMode::Token, everything)),
            "Who has the bypass secret may see all sites of site"
        );
        assert_eq!(
            sentence(&view(ProtectionMode::Password, previews)),
            "Who knows the password, or has the bypass secret, may see the previews of site"
        );
    }
}
