//! The commands, one module each: its arguments, whose documentation is its help, and one function that does it.

pub(crate) mod alias;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod build;
pub(crate) mod completions;
pub(crate) mod dashboard;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod domains;
pub(crate) mod env;
pub(crate) mod fsck;
pub(crate) mod gc;
pub(crate) mod host;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod open;
pub(crate) mod promote;
pub(crate) mod protect;
pub(crate) mod rm;
pub(crate) mod rollback;
pub(crate) mod schema;
pub(crate) mod tokens;
pub(crate) mod upgrade;
pub(crate) mod whoami;

use std::future::Future;

use clap::Subcommand;
use serde_json::json;
use ship_builder::Interrupt;
use tokio::runtime::{Builder, Runtime};

use crate::args::overview::{self, Topic};
use crate::args::{self, Arguments};
use crate::connection::VERSION;
use crate::error::{CommandError, ErrorKind};
use crate::output::{self, Output};
use crate::settings::{Settings, Surroundings};

/// What ship can be told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::InitArgs),
    Deploy(deploy::DeployArgs),
    Dev(dev::DevArgs),
    Build(build::BuildArgs),
    Host(Box<host::HostArgs>),
    Ls(ls::LsArgs),
    Inspect(inspect::InspectArgs),
    Open(open::OpenArgs),
    Dashboard(dashboard::DashboardArgs),
    Logs(logs::LogsArgs),
    Promote(promote::PromoteArgs),
    Rollback(rollback::RollbackArgs),
    Rm(rm::RmArgs),
    Alias(alias::AliasArgs),
    Domains(domains::DomainsArgs),
    Tokens(tokens::TokensArgs),
    Link(link::LinkArgs),
    Login(login::LoginArgs),
    Logout(logout::LogoutArgs),
    Whoami(whoami::WhoamiArgs),
    Audit(audit::AuditArgs),
    Fsck(fsck::FsckArgs),
    Gc(gc::GcArgs),
    Backup(backup::BackupArgs),
    Env(env::EnvArgs),
    Protect(protect::ProtectArgs),
    Doctor(doctor::DoctorArgs),
    Upgrade(upgrade::UpgradeArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    /// Print the help of a command
    #[command(hide = true)]
    Help {
        /// The command, none for the overview
        command: Vec<String>,
    },
    /// Print the version
    #[command(hide = true)]
    Version,
}

/// Does what the command line says, and gives the exit code.
pub(crate) fn run(arguments: Arguments, surroundings: Surroundings) -> u8 {
    let output = Output::new(&arguments.global, surroundings.environment());
    let settings = Settings::resolve(&arguments.global, surroundings).map_err(CommandError::from);
    match settings.and_then(|settings| dispatch(arguments.command, &settings, &output)) {
        Ok(()) => 0,
        Err(error) => {
            error.report(&output);
            error.kind().exit_code()
        }
    }
}

fn dispatch(command: Command, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    // The servers write diagnostics of their own accord, and know where to.
    if output.is_verbose() && !matches!(command, Command::Host(_)) {
        let _ = crate::diagnostics::install(settings, output, "warn", &crate::diagnostics::Destination::StandardError);
    }
    match command {
        Command::Init(arguments) => interruptible(init::run(arguments, settings, output), &settings.interrupt),
        Command::Deploy(arguments) => interruptible(deploy::run(arguments, settings, output), &settings.interrupt),
        Command::Dev(arguments) => dev::run(arguments, settings, output),
        Command::Build(arguments) => interruptible(build::run(arguments, settings, output), &settings.interrupt),
        Command::Host(arguments) => host::run(&arguments, settings, output),
        Command::Ls(arguments) => interruptible(ls::run(arguments, settings, output), &settings.interrupt),
        Command::Inspect(arguments) => interruptible(inspect::run(arguments, settings, output), &settings.interrupt),
        Command::Open(arguments) => interruptible(open::run(arguments, settings, output), &settings.interrupt),
        Command::Dashboard(arguments) => {
            interruptible(dashboard::run(arguments, settings, output), &settings.interrupt)
        }
        Command::Logs(arguments) => interruptible(logs::run(arguments, settings, output), &settings.interrupt),
        Command::Promote(arguments) => interruptible(promote::run(arguments, settings, output), &settings.interrupt),
        Command::Rollback(arguments) => interruptible(rollback::run(arguments, settings, output), &settings.interrupt),
        Command::Env(arguments) => interruptible(env::run(arguments, settings, output), &settings.interrupt),
        Command::Protect(arguments) => interruptible(protect::run(arguments, settings, output), &settings.interrupt),
        Command::Rm(arguments) => interruptible(rm::run(arguments, settings, output), &settings.interrupt),
        Command::Tokens(arguments) => interruptible(tokens::run(arguments, settings, output), &settings.interrupt),
        Command::Link(arguments) => link::run(&arguments, settings, output),
        Command::Login(arguments) => interruptible(login::run(arguments, settings, output), &settings.interrupt),
        Command::Logout(arguments) => logout::run(&arguments, settings, output),
        Command::Whoami(arguments) => interruptible(whoami::run(arguments, settings, output), &settings.interrupt),
        Command::Audit(arguments) => interruptible(audit::run(arguments, settings, output), &settings.interrupt),
        Command::Alias(arguments) => interruptible(alias::run(arguments, settings, output), &settings.interrupt),
        Command::Domains(arguments) => interruptible(domains::run(arguments, settings, output), &settings.interrupt),
        Command::Fsck(arguments) => interruptible(fsck::run(arguments, settings, output), &settings.interrupt),
        Command::Gc(arguments) => interruptible(gc::run(arguments, settings, output), &settings.interrupt),
        Command::Backup(arguments) => interruptible(backup::run(arguments, settings, output), &settings.interrupt),
        Command::Doctor(arguments) => interruptible(doctor::run(arguments, settings, output), &settings.interrupt),
        Command::Upgrade(arguments) => interruptible(upgrade::run(arguments, settings, output), &settings.interrupt),
        Command::Schema(arguments) => schema::run(&arguments, settings, output),
        Command::Completions(arguments) => completions::run(&arguments, output),
        Command::Man(arguments) => man::run(&arguments, settings, output),
        // Help on a single command is given where the command line is read.
        Command::Help { command } => help(&command, output),
        Command::Version => output.data(&json!({ "version": VERSION }), |_| format!("ship {VERSION}")),
    }
}

/// Says what a topic is about, or which commands there are.
fn help(words: &[String], output: &Output) -> Result<(), CommandError> {
    if let Some(topic) = words.first().and_then(|word| Topic::named(word)) {
        return output.data(&json!({ "text": topic.text(None) }), |_| topic.text(output::terminal_width()));
    }
    let definition = args::definition();
    let commands: Vec<_> = overview::commands()
        .filter_map(|name| definition.find_subcommand(name))
        .map(|command| json!({ "name": command.get_name(), "about": command.get_about().map(ToString::to_string) }))
        .collect();
    let topics = Topic::ALL.map(|(name, _)| name);
    let text = || args::definition().render_help().to_string();
    output.data(&json!({ "commands": commands, "topics": topics }), |_| text())
}

/// Runs a command to its end or until Ctrl-C. One thread is enough for a client, and quicker to start than many.
fn interruptible(
    command: impl Future<Output = Result<(), CommandError>>,
    interrupt: &Interrupt,
) -> Result<(), CommandError> {
    let runtime = runtime(Builder::new_current_thread().thread_stack_size(STACK_BYTES))?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = command => result,
            _ = tokio::signal::ctrl_c() => Err(CommandError::interrupted()),
        }
    });
    // What builds a frontend has a process group of its own, which no terminal interrupts.
    interrupt.raise();
    // A compiler that was interrupted as well may need a moment to notice; nobody waits for it.
    runtime.shutdown_background();
    result
}

/// The stack of the threads that build, in bytes. Parsers call themselves for each level of what they read, and files that a
/// program wrote can be nested a hundred thousand levels deep. Only what is used takes memory.
pub(crate) const STACK_BYTES: usize = 128 * 1024 * 1024;

/// A runtime with everything switched on.
fn runtime(builder: &mut Builder) -> Result<Runtime, CommandError> {
    builder
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| CommandError::new(ErrorKind::Host, error))
}
