//! `ship deploy`: from a folder to a live URL.

mod document;
mod send;
mod upload;

use std::path::{Path, PathBuf};
use std::time::Instant;

use ship_api::{BuildLogView, BuildView, Client, ClientError, ErrorCode, PublishOptions, PublishedView, Republish};
use ship_builder::{BuildOptions, BuildTarget, RunsOn};
use ship_core::{BranchName, Target};

use self::document::DeployDocument;
use self::send::{Delivery, deliver};
use crate::building::{self, BuildFrom, BuildRequest, Built, Outcome};
use crate::commands::promote::check_of;
use crate::connection::{connect, is_on_this_machine};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::kept_variables::KeptVariables;
use crate::output::{Output, count, duration};
use crate::settings::Settings;
use crate::source::{self, Source};

pub(crate) use self::document::FunctionLine;

/// Build a project, send what the host lacks, and publish it
#[derive(Clone, PartialEq, Eq, Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct DeployArgs {
    /// The project's folder (default: the current one)
    pub(crate) path: Option<PathBuf>,
    /// Move production to this deployment
    #[arg(long)]
    pub(crate) prod: bool,
    /// Publish even if nothing changed
    #[arg(long)]
    pub(crate) force: bool,
    /// Deploy what was built before, in .vercel/output or .ship/output, as it is
    #[arg(long)]
    pub(crate) prebuilt: bool,
    /// Do not wait for the functions to start
    #[arg(long)]
    pub(crate) no_check: bool,
    /// The branch whose URL leads here (default: what CI or git says)
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<BranchName>,
    /// How the command was asked for.
    #[arg(skip)]
    pub(crate) asked: Asked,
}

/// How `ship deploy` was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Asked {
    /// By its name.
    #[default]
    ByName,
    /// By nothing but a folder, so the word may have been meant as another command.
    ByFolder,
}

impl DeployArgs {
    fn build_request(&self, settings: &Settings) -> BuildRequest {
        let target = if self.prod { BuildTarget::Production } else { BuildTarget::Preview };
        let from = if self.prebuilt { BuildFrom::Prebuilt } else { BuildFrom::Sources };
        let runs_on = if is_on_this_machine(settings) { RunsOn::ThisMachine } else { RunsOn::AnyMachine };
        let options = BuildOptions { runs_on, ..BuildOptions::default() };
        let variables = KeptVariables::Asked(StartPolicy::Always);
        let branch = self.branch.clone();
        BuildRequest { options, target, branch, from, variables, ..BuildRequest::default() }
    }

    async fn build(&self, path: &Path, settings: &Settings, output: &Output) -> Result<Outcome, CommandError> {
        let request = self.build_request(settings);
        if self.force || self.prebuilt {
            let built = building::build(path, request, settings, output).await?;
            return Ok(Outcome::Built(Box::new(built)));
        }
        building::build_unless_ignored(path, request, settings, output).await
    }

    fn publish_options(&self, source: Source) -> PublishOptions {
        PublishOptions {
            target: if self.prod { Target::Production } else { Target::Preview },
            branch: source.branch,
            commit: source.commit,
            republish: if self.force { Republish::Always } else { Republish::IfChanged },
            check: check_of(self.no_check),
        }
    }
}

pub(crate) async fn run(arguments: DeployArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let started = Instant::now();
    let deployed = match build_and_deliver(&arguments, settings, output).await {
        Err(Failure::FileChanged(reason)) => {
            output.warning(format_args!("{reason}; building again"));
            build_and_deliver(&arguments, settings, output).await
        }
        once => once,
    };
    let folder = || settings.absolute(arguments.path.as_deref().unwrap_or(Path::new(".")));
    let deployed = deployed.map_err(|failure| CommandError::from(failure).in_project(&folder()))?;
    let (built, delivery) = match deployed {
        Deployed::Published(built, delivery) => (built, delivery),
        Deployed::Ignored { command } => return say_ignored(&command, output),
    };
    say(&delivery, &arguments, started, output);
    let document = DeployDocument::new(&built, &delivery, started.elapsed());
    output.data(&document, |_| delivery.published.url.clone())
}

/// What came of a deploy.
enum Deployed {
    Published(Box<Built>, Box<Delivery>),
    /// The project's own command has said that there is nothing to deploy.
    Ignored {
        command: String,
    },
}

/// Says that nothing was deployed, and why. Standard output has no URL then.
fn say_ignored(command: &str, output: &Output) -> Result<(), CommandError> {
    output.status(format_args!(
        "Nothing deployed: the project's own `{command}` ended with 0; `ship deploy --force` deploys anyway"
    ));
    output.data(&serde_json::json!({ "ignored": command }), |_| String::new())
}

/// Why a project was not deployed.
enum Failure {
    /// A file changed between being hashed and being sent. What it is now can be deployed.
    FileChanged(ClientError),
    Other(CommandError),
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::FileChanged(error) => error.into(),
            Failure::Other(error) => error,
        }
    }
}

async fn build_and_deliver(arguments: &DeployArgs, settings: &Settings, output: &Output) -> Result<Deployed, Failure> {
    let path = arguments.path.clone().unwrap_or_else(|| ".".into());
    let built = arguments.build(&path, settings, output).await;
    let may_be_command = arguments.asked == Asked::ByFolder && !settings.absolute(&path).exists();
    let built = built.map_err(|error| if may_be_command { mistyped(error, &path) } else { error })?;
    let built = match built {
        Outcome::Built(built) => built,
        Outcome::Ignored { command } => return Ok(Deployed::Ignored { command }),
    };
    building::say(&built, output);
    let source = Source::detect(&built.root, arguments.branch.clone(), &settings.environment);
    let options = arguments.publish_options(source.map_err(CommandError::from)?);
    let host = connect(settings, output, StartPolicy::Always).await?;
    match deliver(&host.client, &built, &options, output).await {
        Ok(delivery) => {
            if delivery.is_new {
                describe(&host.client, &built, &delivery, settings, output).await;
            }
            Ok(Deployed::Published(built, Box::new(delivery)))
        }
        Err(error) if is_changed_file(&error) => Err(Failure::FileChanged(error)),
        Err(error) => Err(Failure::Other(cut_off(error))),
    }
}

/// Says how a deployment came to be that is live already: it is none the worse where that cannot be said. A host of an earlier version
/// does not want to know.
async fn describe(client: &Client, built: &Built, delivery: &Delivery, settings: &Settings, output: &Output) {
    let deployment = &delivery.published.deployment;
    let commit = deployment.commit.as_deref();
    let said = commit.map(|commit| source::said_of(&built.root, commit, &settings.environment));
    let (author, subject) = said.unwrap_or_default();
    let log = (!built.log.is_empty()).then(|| BuildLogView::from(&built.log));
    if let Err(error) = client.describe_build(&deployment.id, &BuildView { author, subject, log }).await {
        output.detail(format_args!("the host did not keep the build's log: {error}"));
    }
}

/// A word that names no folder may be a command that was mistyped.
fn mistyped(error: CommandError, path: &Path) -> CommandError {
    let word = path.to_string_lossy();
    if word.contains(['/', '.']) {
        return error;
    }
    let definition = crate::args::definition();
    match crate::args::nearest_command(&word, &definition) {
        Some(name) => CommandError::usage(format!("`{word}` is neither a command nor a folder"))
            .hint(format!("did you mean `ship {name}`?")),
        _ => error.hint("if a command was meant, `ship --help` shows them all"),
    }
}

/// Whether a file is not what it was when it was hashed. The host notices too, where the length stayed the same.
fn is_changed_file(error: &ClientError) -> bool {
    match error {
        ClientError::FileChanged { .. } => true,
        ClientError::Refused { detail, .. } => detail.code == ErrorCode::DigestMismatch,
        _ => false,
    }
}

/// What the host has received stays there, so the same command goes on where it was cut off.
fn cut_off(error: ClientError) -> CommandError {
    let is_cut_off = error.is_cut();
    let error = CommandError::from(error);
    if is_cut_off { error.hint("run the same command again: only what the host still lacks is sent") } else { error }
}

/// Says what was sent, what leads to the deployment, and how long it all took.
fn say(delivery: &Delivery, arguments: &DeployArgs, started: Instant, output: &Output) {
    let published = &delivery.published;
    let there = delivery.reused_blobs;
    if delivery.new_blobs == 0 {
        output.status(format_args!("Nothing to send, {} already there", count(there, "file")));
    } else {
        output.status(format_args!("{} sent, {there} already there", count(delivery.new_blobs, "file")));
    }
    // One that production has too is only a preview where nothing else was asked for.
    let target = match published.deployment.target {
        Target::Production if published.changed && !arguments.prod && !published.first_of_project => Target::Preview,
        target => target,
    };
    let what = format!("{} as {target}", published.deployment.project);
    let changed = if published.changed { "Published" } else { "Already published:" };
    let time = duration(started.elapsed());
    output.status(format_args!("{} {what} in {time}", output.styles().good(changed)));
    if published.first_of_project {
        output.status("It is the first deployment of this project, so it is production");
    }
    say_aliases(published, output);
    let (sending, publishing) = (duration(delivery.upload_time), duration(delivery.publish_time));
    output.detail(format_args!("sending took {sending}, publishing {publishing}"));
}

fn say_aliases(published: &PublishedView, output: &Output) {
    for alias in &published.aliases {
        output.status(format_args!("  {}", output.styles().place(alias)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word that is nearly a command is a mistake on the command line; a path is a folder that is not there.
    #[test]
    fn mistyped_commands() {
        let code = |word: &str| mistyped(CommandError::project("absent"), Path::new(word)).kind().exit_code();
        assert_eq!(["lst", "lgos", "promot"].map(code), [2, 2, 2]);
        assert_eq!(["nowhere", "./lst", "sites/ls", "/ls"].map(code), [1, 1, 1, 1]);
    }
}
