//! `ship doctor`: what this machine has of what ship needs, and what functions are kept from on it.

mod files;
mod finding;
mod machine;
mod names;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use ship_runtime::{OWN_PROGRAM, Runtime};

use self::finding::Finding;
use crate::connection::{self, VERSION};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, Styles};
use crate::settings::{HostChoice, Settings};

/// Show what this machine has of what ship needs, what is wrong, and what to do about it
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Repair what can be repaired without asking: modes of files, and what was left behind
    #[arg(long)]
    fix: bool,
}

/// The programs that build or run functions: what each is for, and how it is asked for its version.
const PROGRAMS: [(&str, &str, &str); 7] = [
    ("git", "branches and commits of deployments", "--version"),
    ("go", "functions in Go", "version"),
    ("cargo", "functions in Rust", "--version"),
    ("node", "functions and frontends in TypeScript and JavaScript", "--version"),
    ("python3", "functions in Python", "--version"),
    ("bun", "functions in Bun", "--version"),
    ("deno", "functions in Deno", "--version"),
];

/// What was found.
#[derive(Debug, Serialize)]
struct Findings {
    version: &'static str,
    home: PathBuf,
    /// Where the host listens that commands here talk to, if one runs.
    host: Option<String>,
    /// Why the host that is meant could not be asked.
    unasked: Option<Vec<String>>,
    /// What functions are kept from: `sandbox`, `process`, or nothing where none can be started.
    isolation: Option<String>,
    /// What limits them.
    control_groups: Option<String>,
    /// Why functions have no sandbox, or cannot be started.
    reason: Option<String>,
    programs: Vec<Program>,
    /// What else was looked at.
    checks: Vec<Finding>,
}

/// Whether what can be repaired is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Repair {
    /// It is.
    Do,
    /// It is only told.
    Leave,
}

/// A program that builds or runs functions.
#[derive(Debug, Serialize)]
struct Program {
    name: &'static str,
    used_for: &'static str,
    /// The first line of what it says when it is asked for its version; nothing if it is not here.
    version: Option<String>,
}

pub(crate) async fn run(arguments: DoctorArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let mut findings = Findings {
        version: VERSION,
        home: settings.home.folder().to_owned(),
        host: None,
        unasked: None,
        isolation: None,
        control_groups: None,
        reason: None,
        programs: PROGRAMS.map(|(name, used_for, question)| program(name, used_for, question)).into(),
        checks: Vec::new(),
    };
    let repair = if arguments.fix { Repair::Do } else { Repair::Leave };
    // First of all: the modes of secrets decide whether a host can be asked.
    findings.checks.push(files::secrets(&settings.home, repair));
    // A host that cannot be asked is told last: what keeps it from answering may be among the rest.
    let unasked = match findings.ask(settings, output).await {
        Ok(true) => None,
        Ok(false) => {
            findings.look_around(settings).await;
            None
        }
        Err(error) => {
            findings.unasked = Some(error.to_lines());
            findings.look_around(settings).await;
            Some(error.told())
        }
    };
    findings.checks.push(files::data_directory(&settings.home));
    findings.checks.push(machine::disk(settings));
    findings.checks.push(files::leftovers(&settings.home, repair));
    findings.remark(output);
    output.data(&findings, |styles| findings.render(styles))?;
    unasked.map_or(Ok(()), Err)
}

/// An error and its causes, in one line.
fn told(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn program(name: &'static str, used_for: &'static str, question: &str) -> Program {
    // In a project some of them would fetch the version that it asks for.
    let asked = Command::new(name).arg(question).current_dir("/").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = asked.ok().filter(|said| said.status.success());
    let version = said.and_then(|said| Some(String::from_utf8_lossy(&said.stdout).lines().next()?.trim().to_owned()));
    Program { name, used_for, version }
}

impl Findings {
    /// Asks the host that runs, whose account may be another one, and says whether there is any.
    async fn ask(&mut self, settings: &Settings, output: &Output) -> Result<bool, CommandError> {
        let Some(host) = connection::find(settings, output, StartPolicy::Never).await? else { return Ok(false) };
        let status = host.client.status().await?;
        let domains = host.client.domains(None).await?.domains;
        let newest = host.client.deployments(None, 1).await?.deployments;
        let newest = newest.first().map(|listed| listed.deployment.created_at);
        let url = match &settings.host {
            HostChoice::At { url, .. } => url.as_str(),
            HostChoice::Embedded => status.control.as_str(),
        };
        let elsewhere = (!connection::is_on_this_machine(settings)).then_some(url);
        self.checks.push(names::domains(&domains, url).await);
        self.checks.push(names::certificates(&status.certificates));
        self.checks.push(machine::clock(newest, elsewhere).await);
        self.host = Some(status.control);
        self.isolation = status.isolation;
        self.control_groups = status.control_groups;
        Ok(true)
    }

    /// Looks at what a host would find here.
    async fn look_around(&mut self, settings: &Settings) {
        self.try_out(&settings.home.doctor()).await;
        self.checks.push(machine::port());
        self.checks.push(machine::clock(None, None).await);
    }

    /// Makes a process as a host would, to see what it is kept from. Where none can be made, the rest is looked at all the same.
    async fn try_out(&mut self, folder: &Path) {
        let tried = Runtime::probe(folder, Path::new(OWN_PROGRAM)).await;
        let _ = std::fs::remove_dir_all(folder);
        let probe = match tried {
            Ok(probe) => probe,
            Err(error) => return self.reason = Some(told(&error)),
        };
        self.control_groups = probe.control_groups.map(|version| version.as_str().to_owned());
        self.reason = probe.without_sandbox.as_ref().map(|error| told(error));
        match probe.isolation {
            Ok(isolation) => self.isolation = Some(isolation.as_str().to_owned()),
            Err(error) => self.reason = Some(told(&error)),
        }
    }

    /// Says what should be otherwise.
    fn remark(&self, output: &Output) {
        match self.isolation.as_deref() {
            Some("sandbox") => {}
            Some(_) => {
                let reason = self.reason.as_deref().unwrap_or("the system allows this account no namespaces");
                output.warning(format_args!("functions have no sandbox here: {reason}"));
                output.hint(crate::namespaces::hint());
                if rustix::process::geteuid().is_root() {
                    output.hint("a host that is root starts no function without, unless `--isolation process` says so");
                }
            }
            None => {
                let reason = self.reason.as_deref().unwrap_or("the host cannot start any");
                output.warning(format_args!("no function can be started here: {reason}"));
                if !files::can_be_written(&self.home) {
                    output.hint("`SHIP_HOME` names another folder for what ship keeps");
                }
            }
        }
        if self.control_groups.is_none() && self.isolation.is_some() {
            output.warning(
                "functions that use too much memory are ended a moment late here, and of processors and processes they \
                 have what there is: this account may make no control groups",
            );
            output.hint("a host that runs as a systemd service with `Delegate=yes` may, or one that is root");
        }
        for problem in self.checks.iter().flat_map(|finding| &finding.problems) {
            if let Some(done) = problem.done() {
                output.status(format_args!("Repaired: {done}"));
            } else {
                output.warning(problem.what());
                output.hint(problem.hint());
            }
        }
    }

    fn render(&self, styles: Styles) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let name = styles.dim(format_args!("{name:<9}"));
            let _ = writeln!(text, "{name} {value}");
        };
        line("ship", &format!("{}, home {}", self.version, self.home.display()));
        line(
            "host",
            self.host.as_deref().unwrap_or(if self.unasked.is_some() { "does not answer" } else { "none runs" }),
        );
        line("isolation", self.isolation.as_deref().unwrap_or("-"));
        line("limits", self.control_groups.as_deref().unwrap_or("-"));
        for finding in &self.checks {
            line(finding.check, &finding.state);
        }
        for Program { name, used_for, version } in &self.programs {
            let absent = || format!("not here; for {used_for}");
            line(name, &version.clone().unwrap_or_else(absent));
        }
        text
    }
}
