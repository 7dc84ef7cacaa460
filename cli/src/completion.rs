//! What can be typed next, for a shell that asks: commands and options, and of the host that runs its projects, deployments and names.
//!
//! A shell asks while somebody types, so an answer is quick and silent: no host is started, none is waited for, and what goes wrong is an
//! answer without names.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use futures_util::TryStreamExt as _;
use ship_api::{Client, DeploymentReference, LogLine, LogQuery};
use ship_core::{DomainName, LogLevel, LogSource, ProjectName, RequestId, TokenId, VariableName};
use tokio::runtime::Builder;

use crate::args::{self, GlobalArgs};
use crate::connection;
use crate::output::Output;
use crate::project;
use crate::settings::environment::{SHIP_COMPLETE, Variable};
use crate::settings::{Settings, Surroundings};

/// The variable in which a shell says that it asks, and which shell it is.
pub(crate) const VARIABLE: Variable = SHIP_COMPLETE;

/// How long a host may take to answer. Whoever types notices a tenth of a second; one that is far away needs two or three of them.
const PATIENCE: Duration = Duration::from_millis(400);

/// How many deployments are offered: the newest.
const DEPLOYMENTS: usize = 50;

/// How many requests are offered: the newest.
const REQUESTS: usize = 50;

/// Answers a shell, if it is one that asks. `words` are those of this process: `ship -- ship ls --pro`.
pub(crate) fn answer(words: &[OsString], surroundings: &Surroundings) -> bool {
    let Some(shell) = surroundings.environment().text(VARIABLE) else { return false };
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(shell) else { return false };
    let typed: Vec<OsString> = words.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let global = global_arguments(&typed);
    let output = Output::new(&GlobalArgs { quiet: true, ..GlobalArgs::default() }, surroundings.environment());
    let asked = Asked { settings: Settings::resolve(&global, surroundings.clone()).ok().map(Arc::new) };
    let mut definition = asked
        .attach(args::definition())
        .mut_subcommand("help", |help| help.mut_arg("command", |words| words.add(ArgValueCandidates::new(commands))));
    let mut answer = Vec::new();
    if shell.write_complete(&mut definition, typed, surroundings.folder(), &mut answer).is_ok() {
        // Whoever asked may be gone. Shells choose what stands between the words, and bash chooses a control character.
        let _ = output.raw(&answer);
    }
    true
}

/// What of the line that is typed says which host and project are meant. The line is not whole, so it is not read as one.
fn global_arguments(typed: &[OsString]) -> GlobalArgs {
    let words: Vec<&str> = typed.iter().filter_map(|word| word.to_str()).collect();
    let value = |option: &str| {
        let after = words.windows(2).find(|pair| pair[0] == option).map(|pair| pair[1]);
        let behind = words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
        after.or(behind).map(str::to_owned)
    };
    GlobalArgs {
        host: value("--host"),
        token: value("--token"),
        cwd: value("--cwd").map(Into::into),
        project: value("--project").and_then(|name| name.parse().ok()),
        ..GlobalArgs::default()
    }
}

/// Whom a shell's question is about.
#[derive(Clone)]
struct Asked {
    settings: Option<Arc<Settings>>,
}

impl Asked {
    /// Gives every argument that names something of the host what it may name, by the type that it is read as.
    fn attach(&self, command: clap::Command) -> clap::Command {
        let arguments = self.clone();
        let commands = self.clone();
        command
            .mut_args(move |argument| arguments.with_candidates(argument))
            .mut_subcommands(move |command| commands.attach(command))
    }

    fn with_candidates(&self, argument: clap::Arg) -> clap::Arg {
        let read_as = argument.get_value_parser().type_id();
        let asked = self.clone();
        if read_as == TypeId::of::<DeploymentReference>() {
            argument.add(ArgValueCandidates::new(move || asked.deployments()))
        } else if read_as == TypeId::of::<ProjectName>() {
            argument.add(ArgValueCandidates::new(move || asked.projects()))
        } else if read_as == TypeId::of::<DomainName>() {
            argument.add(ArgValueCandidates::new(move || asked.domains()))
        } else if read_as == TypeId::of::<VariableName>() {
            argument.add(ArgValueCandidates::new(move || asked.variables()))
        } else if read_as == TypeId::of::<TokenId>() {
            argument.add(ArgValueCandidates::new(move || asked.tokens()))
        } else if read_as == TypeId::of::<RequestId>() {
            argument.add(ArgValueCandidates::new(move || asked.requests()))
        } else if read_as == TypeId::of::<LogLevel>() {
            argument.add(ArgValueCandidates::new(levels))
        } else {
            argument
        }
    }

    fn projects(&self) -> Vec<CompletionCandidate> {
        let list = self.ask(async |client, _| Some(client.projects().await.ok()?.projects));
        list.into_iter().flatten().map(|project| candidate(project.name.as_str(), &project.url)).collect()
    }

    fn domains(&self) -> Vec<CompletionCandidate> {
        let list = self.ask(async |client, project| Some(client.domains(project).await.ok()?.domains));
        list.into_iter().flatten().map(|domain| candidate(domain.name.as_str(), domain.project.as_str())).collect()
    }

    fn variables(&self) -> Vec<CompletionCandidate> {
        let project = self.project_here();
        let list = self.ask(async |client, _| Some(client.variables(&project?).await.ok()?.variables));
        let names: BTreeSet<VariableName> = list.into_iter().flatten().map(|variable| variable.name).collect();
        names.iter().map(|name| CompletionCandidate::new(name.as_str())).collect()
    }

    fn tokens(&self) -> Vec<CompletionCandidate> {
        let list = self.ask(async |client, _| Some(client.tokens().await.ok()?.tokens));
        list.into_iter().flatten().map(|token| candidate(token.id.as_str(), &token.name.to_string())).collect()
    }

    /// The newest requests of the project, and how each was answered.
    fn requests(&self) -> Vec<CompletionCandidate> {
        let project = self.project_here();
        let records = self.ask(async |client, _| {
            let query = LogQuery { statuses: "100-599".parse().ok()?, limit: Some(REQUESTS), ..LogQuery::default() };
            client.logs(&project?, &query).await.ok()?.lines.try_collect::<Vec<_>>().await.ok()
        });
        let request = |line: LogLine| match line.record.source {
            LogSource::Request { method, path, status, .. } => {
                Some(candidate(line.record.requests.first()?.as_str(), &format!("{method} {path} {status}")))
            }
            _ => None,
        };
        records.into_iter().flatten().rev().filter_map(request).collect()
    }

    /// The newest deployments, by the beginnings of their ids and by the names that lead to them: those of the project that is meant, or
    /// of all where none is.
    fn deployments(&self) -> Vec<CompletionCandidate> {
        let here = self.project_here();
        let list = self.ask(async |client, named| {
            let of = async |project| Some(client.deployments(project, DEPLOYMENTS).await.ok()?.deployments);
            match of(here.as_ref()).await {
                // A folder may be no project of this host, or none at all.
                listed if listed.as_ref().is_none_or(Vec::is_empty) && named.is_none() => of(None).await,
                listed => listed,
            }
        });
        let mut candidates = Vec::new();
        for listed in list.into_iter().flatten() {
            let deployment = &listed.deployment;
            let branch = deployment.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
            let told = format!("{}{branch}", deployment.project);
            candidates.push(candidate(deployment.id.short(), &told));
            candidates.extend(listed.aliases.iter().filter_map(|url| Some(candidate(name_in(url)?, &told))));
        }
        candidates
    }

    /// The project that is named, or else that of the folder.
    fn project_here(&self) -> Option<ProjectName> {
        project::name_here(self.settings.as_deref()?).ok()
    }

    /// Asks the host that runs, if it answers soon.
    fn ask<T>(&self, question: impl AsyncFnOnce(&Client, Option<&ProjectName>) -> Option<T>) -> Option<T> {
        let settings = self.settings.as_ref()?;
        let client = connection::of_running_host(settings)?;
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(async {
            tokio::time::timeout(PATIENCE, question(&client, settings.project.as_ref())).await.ok()?
        })
    }
}

fn levels() -> Vec<CompletionCandidate> {
    [LogLevel::Info, LogLevel::Warning, LogLevel::Error, LogLevel::Fatal].map(|level| level.as_str().into()).into()
}

/// What there is help for at first: the commands.
fn commands() -> Vec<CompletionCandidate> {
    let definition = args::definition();
    let shown = definition.get_subcommands().filter(|command| !command.is_hide_set());
    shown
        .map(|command| candidate(command.get_name(), &command.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect()
}

fn candidate(value: &str, told: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(told.to_owned().into()))
}

/// The host name in a URL: a port would need quotes in most shells.
fn name_in(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split([':', '/']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was typed of a line says which host is asked, in both ways in which options are written.
    #[test]
    fn options_of_half_a_line() {
        let typed = ["ship", "promote", "--host", "http://a", "--project=shop", "--token"].map(OsString::from);
        let global = global_arguments(&typed);
        assert_eq!((global.host.as_deref(), global.token), (Some("http://a"), None));
        assert_eq!(global.project.unwrap().as_str(), "shop");
    }

    /// Names are offered as they can be typed.
    #[test]
    fn names() {
        assert_eq!(name_in("http://shop-git-main.localhost:7700"), Some("shop-git-main.localhost"));
        assert_eq!(name_in("https://shop.example.com"), Some("shop.example.com"));
    }
}
