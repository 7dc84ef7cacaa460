//! Settings: what flags and environment variables come down to, resolved once.
//!
//! This module and [`environment`] are the only ones that look at the process they run in. Everything below them is given
//! a [`Settings`], so a command behaves the same in a test as in a shell.

pub(crate) mod environment;
mod telemetry;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use ship_builder::{Interrupt, LauncherText};
use ship_core::{FunctionRuntime, ProjectName};

use self::environment::Environment;
use ship_host::TelemetryOptions;
use ship_runtime::{Interpreters, KnownLauncher, KnownPackage};

use crate::accounts::{self, AccountsError, Link};
use crate::args::GlobalArgs;
use crate::home::ShipHome;

/// The name of the credential that holds a host's key (systemd.exec(5), `LoadCredentialEncrypted=`).
const HOST_KEY_CREDENTIAL: &str = "ship-host-key";

/// What every command knows besides its own arguments.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where ship keeps things.
    pub(crate) home: ShipHome,
    /// The folder that relative paths start from.
    pub(crate) folder: PathBuf,
    /// The host to talk to.
    pub(crate) host: HostChoice,
    /// The token for it, where one was given.
    pub(crate) token: Option<Token>,
    /// The project, where one was given.
    pub(crate) project: Option<ProjectName>,
    /// Where the folder belongs, if that was said.
    pub(crate) link: Link,
    /// Whether to ask before something is lost.
    pub(crate) confirmation: Confirmation,
    /// The program that runs.
    pub(crate) executable: PathBuf,
    /// What it was started with, its own name left out.
    pub(crate) arguments: Vec<OsString>,
    /// The registered environment variables.
    pub(crate) environment: Environment,
    /// Ends what builds have started.
    pub(crate) interrupt: Interrupt,
}

/// The host to talk to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HostChoice {
    /// The one on this machine, started when it is needed.
    Embedded,
    /// The one whose control API is at this URL.
    At {
        /// The URL, as it was given.
        url: String,
        /// Where it was given.
        origin: Origin,
    },
}

/// Where a setting comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The host that the folder is linked to.
    Link,
    /// The host that this account logged in at.
    Login,
}

/// A token for a host. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    secret: String,
}

impl Token {
    /// The token itself, for a request header.
    pub(crate) fn expose_secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether to ask before something is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Confirmation {
    /// Ask.
    Ask,
    /// The answer is yes.
    Given,
}

/// The settings cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// There is no folder to keep things in.
    #[error("there is no folder to keep deployments in: neither `SHIP_HOME` nor `XDG_DATA_HOME` nor `HOME` is set")]
    NoHome,
    /// The current folder is gone.
    #[error("the current folder cannot be read")]
    NoCurrentFolder {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A variable of OpenTelemetry has a value that is none.
    #[error("`{variable}` is not {expected}")]
    Telemetry {
        /// The variable.
        variable: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// What is known of logins cannot be read.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// `--cwd` names no folder.
    #[error("`--cwd {}` is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
}

/// What a process is, as the operating system says.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Its folder, unless that was removed.
    folder: Result<PathBuf, std::io::ErrorKind>,
    /// Its program.
    executable: PathBuf,
    /// What it was started with.
    arguments: Vec<OsString>,
    /// Its environment.
    environment: Environment,
}

impl Surroundings {
    /// The surroundings of this process, which was started with `words`.
    pub(crate) fn of_process(words: Vec<OsString>) -> Self {
        let folder = std::env::current_dir().map_err(|error| error.kind());
        // Only starting an embedded host needs the program, and that says so if the name does not lead to one.
        let executable = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("ship"));
        let arguments = words.into_iter().skip(1).collect();
        Self { folder, executable, arguments, environment: Environment::of_process() }
    }

    /// Its folder, unless that was removed.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref().ok()
    }

    /// The environment.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl Settings {
    /// Settings from the command line first, the environment second, and defaults last.
    pub(crate) fn resolve(arguments: &GlobalArgs, surroundings: Surroundings) -> Result<Self, SettingsError> {
        let Surroundings { folder, executable, arguments: words, environment } = surroundings;
        let folder = folder.map_err(|kind| SettingsError::NoCurrentFolder { source: kind.into() })?;
        let home = ship_home(&folder, &environment)?;
        let working = working_folder(folder, arguments.cwd.as_deref())?;
        let link = accounts::link_of(&home, &canonical(&working))?.unwrap_or_default();
        Ok(Self {
            host: host(arguments, &environment, &link, &home)?,
            home,
            link,
            token: token(arguments, &environment),
            project: arguments.project.clone(),
            confirmation: if arguments.yes { Confirmation::Given } else { Confirmation::Ask },
            folder: working,
            executable,
            arguments: words,
            environment,
            interrupt: Interrupt::default(),
        })
    }

    /// The settings of a command in `folder` without flags.
    #[cfg(test)]
    pub(crate) fn for_tests(folder: &Path, environment: Environment) -> Self {
        let surroundings = Surroundings {
            folder: Ok(folder.to_owned()),
            executable: PathBuf::from("/usr/bin/ship"),
            arguments: Vec::new(),
            environment,
        };
        Self::resolve(&GlobalArgs::default(), surroundings).expect("the environment names a home")
    }

    /// The folder by its one name, whichever way led there.
    pub(crate) fn canonical_folder(&self) -> PathBuf {
        canonical(&self.folder)
    }

    /// The host that the command line names.
    pub(crate) fn given_host(&self) -> Option<String> {
        match &self.host {
            HostChoice::At { url, origin: Origin::Flag } => Some(url.clone()),
            HostChoice::At { .. } | HostChoice::Embedded => None,
        }
    }

    /// Where functions find Node, Bun, Deno and Python: on the search path of whoever started ship, and where systems have them.
    pub(crate) fn interpreters(&self) -> Interpreters {
        let path = self.environment.raw(environment::PATH).unwrap_or_default();
        let usual = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
        // What ship fetched itself comes first: it was fetched because what is on the path is too old, or nothing is.
        let fetched = ship_builder::pinned_interpreters(&self.home.toolchains());
        let LauncherText { before, module, after } = LauncherText::of(FunctionRuntime::Node);
        let launcher = KnownLauncher::new(before.to_owned(), format!(";\n{module}{after}"), module);
        let (name, modules) = ship_builder::python_launcher();
        Interpreters::new(fetched.into_iter().chain(std::env::split_paths(path)).chain(usual))
            .with_launcher(launcher)
            .with_python_launcher(KnownPackage::new(name, modules.to_vec()))
    }

    /// The key that systemd gives a host, if it gives one.
    pub(crate) fn host_key_file(&self) -> Option<PathBuf> {
        let file = self.environment.path(environment::CREDENTIALS_DIRECTORY)?.join(HOST_KEY_CREDENTIAL);
        file.exists().then_some(file)
    }

    /// Where a host sends telemetry, if it does.
    pub(crate) fn telemetry(&self) -> Result<Option<TelemetryOptions>, SettingsError> {
        telemetry::options(&self.environment)
    }

    /// A path from the command line, seen from where the command works.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        if path == Path::new(".") { self.folder.clone() } else { self.folder.join(path) }
    }
}

fn working_folder(folder: PathBuf, given: Option<&Path>) -> Result<PathBuf, SettingsError> {
    let Some(given) = given else { return Ok(folder) };
    let folder = folder.join(given);
    if folder.is_dir() { Ok(folder) } else { Err(SettingsError::NotAFolder { path: given.to_owned() }) }
}

fn canonical(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

fn ship_home(folder: &Path, environment: &Environment) -> Result<ShipHome, SettingsError> {
    let own = environment.path(environment::SHIP_HOME);
    let data = || environment.path(environment::XDG_DATA_HOME).map(|data| data.join("ship"));
    let home = || environment.path(environment::HOME).map(|home| home.join(".local/share/ship"));
    let chosen = own.or_else(data).or_else(home).ok_or(SettingsError::NoHome)?;
    // A host outlives the folder it was started from, so the path must not depend on it.
    Ok(ShipHome::new(folder.join(chosen)))
}

fn host(
    arguments: &GlobalArgs,
    environment: &Environment,
    link: &Link,
    home: &ShipHome,
) -> Result<HostChoice, AccountsError> {
    let flag = arguments.host.clone().map(|url| (url, Origin::Flag));
    let variable = || Some((environment.text(environment::SHIP_HOST)?.to_owned(), Origin::Environment));
    let linked = || Some((link.host.clone()?, Origin::Link));
    let chosen = match flag.or_else(variable).or_else(linked) {
        Some(chosen) => Some(chosen),
        None => accounts::default_host(home)?.map(|url| (url, Origin::Login)),
    };
    Ok(chosen.map_or(HostChoice::Embedded, |(url, origin)| HostChoice::At { url, origin }))
}

fn token(arguments: &GlobalArgs, environment: &Environment) -> Option<Token> {
    let given = arguments.token.as_deref().or_else(|| environment.text(environment::SHIP_TOKEN))?;
    Some(Token { secret: given.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::environment::{HOME, SHIP_HOME, SHIP_HOST, SHIP_TOKEN, Variable, XDG_DATA_HOME};
    use super::*;

    fn resolve<const N: usize>(arguments: &GlobalArgs, variables: [(Variable, &str); N]) -> Settings {
        let surroundings = Surroundings {
            folder: Ok(PathBuf::from("/")),
            executable: PathBuf::from("/usr/bin/ship"),
            arguments: Vec::new(),
            environment: Environment::from(variables),
        };
        Settings::resolve(arguments, surroundings).unwrap()
    }

    /// A flag goes before a variable, a variable before the default, and the host remembers where it came from.
    #[test]
    fn precedence_of_host_and_token() {
        let variables = [(HOME, "/home/ann"), (SHIP_HOST, "http://variable"), (SHIP_TOKEN, "ship_variable\n")];
        let flags =
            GlobalArgs { host: Some("http://flag".into()), token: Some("ship_flag".into()), ..GlobalArgs::default() };
        let both = resolve(&flags, variables);
        assert_eq!(both.host, HostChoice::At { url: "http://flag".into(), origin: Origin::Flag });
        assert_eq!(both.token, Some(Token { secret: "ship_flag".into() }));
        let variables_only = resolve(&GlobalArgs::default(), variables);
        assert_eq!(variables_only.host, HostChoice::At { url: "http://variable".into(), origin: Origin::Environment });
        assert_eq!(variables_only.token, Some(Token { secret: "ship_variable".into() }));
        let neither = resolve(&GlobalArgs::default(), [(HOME, "/home/ann")]);
        assert_eq!((neither.host, neither.token), (HostChoice::Embedded, None));
    }

    /// `SHIP_HOME` goes before `XDG_DATA_HOME`, which goes before `HOME`; a relative one is seen from the current folder.
    #[test]
    fn precedence_of_the_home() {
        let all = [(HOME, "/home/ann"), (XDG_DATA_HOME, "/data"), (SHIP_HOME, "ship")];
        let home = |settings: Settings| settings.home.folder().to_owned();
        assert_eq!(home(resolve(&GlobalArgs::default(), all)), Path::new("/ship"));
        assert_eq!(home(resolve(&GlobalArgs::default(), [all[0], all[1]])), Path::new("/data/ship"));
        assert_eq!(home(resolve(&GlobalArgs::default(), [all[0]])), Path::new("/home/ann/.local/share/ship"));
        assert!(matches!(ship_home(Path::new("/"), &Environment::default()), Err(SettingsError::NoHome)));
    }

    /// `--cwd` moves where relative paths start, and must be a folder.
    #[test]
    fn working_folder() {
        let there = GlobalArgs { cwd: Some("/tmp".into()), ..GlobalArgs::default() };
        let settings = resolve(&there, [(SHIP_HOME, "/ship")]);
        assert_eq!(settings.absolute(Path::new("site")), Path::new("/tmp/site"));
        assert_eq!(settings.absolute(Path::new(".")), Path::new("/tmp"));
        let error = super::working_folder(PathBuf::from("/"), Some(Path::new("no/such"))).unwrap_err();
        assert_eq!(error.to_string(), "`--cwd no/such` is not a folder");
    }

    /// A token never reaches a log by way of `Debug`.
    #[test]
    fn tokens_stay_hidden() {
        let settings = resolve(&GlobalArgs::default(), [(SHIP_HOME, "/ship"), (SHIP_TOKEN, "ship_secret")]);
        assert_eq!(format!("{:?}", settings.token), "Some(Token(…))");
    }
}
