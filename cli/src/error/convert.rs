//! Libraries' errors in the language of people: which kind each is of, and what to do about it.

use std::error::Error;

use ship_api::{ClientError, ErrorCode, ErrorDetail, ParseReferenceError};
use ship_builder::{
    BuildError, BundleError, CompileError, DetectError, FrontendError, PlanError, PrebuiltError, ProjectError,
    PythonError, RustError, WriteOutputError,
};
use ship_core::ParseBranchNameError;
use ship_host::HostError;
use ship_runtime::RuntimeError;
use ship_store::{OpenError, RestoreError};

use super::{CommandError, ErrorKind, is_full_disk};
use crate::accounts::AccountsError;
use crate::connection::host_of;
use crate::dev::{KeepError, LocalCertificateError, WatchError};
use crate::embedded::EmbeddedError;
use crate::output::shell_word;
use crate::releases::ReleaseError;
use crate::settings::SettingsError;

impl From<SettingsError> for CommandError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::NoHome => Self::usage(error).hint("`export SHIP_HOME=/a/folder/of/yours`"),
            SettingsError::NotAFolder { .. } | SettingsError::Telemetry { .. } => Self::usage(error),
            SettingsError::NoCurrentFolder { .. } => {
                Self::project(error).hint("`cd` to a folder that exists, or `--cwd DIR` names one")
            }
            SettingsError::Accounts(error) => error.into(),
        }
    }
}

impl From<LocalCertificateError> for CommandError {
    fn from(error: LocalCertificateError) -> Self {
        Self::project(error)
    }
}

impl From<AccountsError> for CommandError {
    fn from(error: AccountsError) -> Self {
        let hint = match &error {
            AccountsError::Readable { path } => Some(format!("`chmod 600 {}`", path.display())),
            AccountsError::Format { .. } => {
                Some("`ship login URL` writes it anew once it is out of the way".to_owned())
            }
            AccountsError::File { .. } => None,
        };
        hint.into_iter().fold(Self::project(error), Self::hint)
    }
}

impl From<EmbeddedError> for CommandError {
    fn from(error: EmbeddedError) -> Self {
        match error {
            EmbeddedError::Refused { ref hints, .. } => {
                let hints = hints.clone();
                hints.into_iter().fold(Self::new(ErrorKind::Host, error), Self::hint)
            }
            EmbeddedError::Silent { ref last_lines, .. } => {
                let lines = last_lines.clone();
                Self::new(ErrorKind::Host, error).details(lines).hint("`ship host` starts one in this terminal")
            }
            EmbeddedError::Files { ref source, .. } if is_full_disk(source) => {
                Self::new(ErrorKind::Host, error).hint_of_full_disk()
            }
            EmbeddedError::Files { .. } => Self::new(ErrorKind::Host, error)
                .hint("`ship doctor` looks at what ship keeps, `SHIP_HOME` names another folder"),
            EmbeddedError::Spawn { .. } => {
                Self::new(ErrorKind::Host, error).hint("`ship host` starts one in this terminal")
            }
        }
    }
}

impl From<ReleaseError> for CommandError {
    fn from(error: ReleaseError) -> Self {
        let hint = match &error {
            ReleaseError::NoSource { .. } => "`--from` or `SHIP_RELEASES` name where releases are".to_owned(),
            ReleaseError::NoKey | ReleaseError::BadKey { .. } => {
                "`--public-key KEY` names the key of the releases, which `minisign -G` printed".to_owned()
            }
            ReleaseError::Unreachable { .. } => return Self::new(ErrorKind::Unreachable, error),
            ReleaseError::Owned { owner, .. } => owner.hint(),
            ReleaseError::UnderWay { .. } => "`ship --version` says when it is done".to_owned(),
            ReleaseError::Place { source, .. } if is_full_disk(source) => {
                return Self::project(error).hint_of_full_disk();
            }
            ReleaseError::Place { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                "`sudo ship upgrade`, or an account that may write there".to_owned()
            }
            ReleaseError::Absent { .. } => "`--version` and `--from` name another release".to_owned(),
            ReleaseError::Unsigned(_) | ReleaseError::Digest { .. } => {
                "nothing was replaced; whoever publishes the releases should hear of this".to_owned()
            }
            ReleaseError::TooLarge { .. }
            | ReleaseError::NoProgram { .. }
            | ReleaseError::AnotherVersion { .. }
            | ReleaseError::Archive(_)
            | ReleaseError::DoesNotRun { .. }
            | ReleaseError::Place { .. } => return Self::project(error),
        };
        Self::project(error).hint(hint)
    }
}

impl From<RestoreError> for CommandError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::NotEmpty { .. } => Self::project(error)
                .hint("`--data DIR` names another folder; without `--restore` the host serves what is there"),
            RestoreError::Open(error) => ship_host::HostError::from(error).into(),
            RestoreError::Io { ref source, .. } if is_full_disk(source) => Self::project(error).hint_of_full_disk(),
            RestoreError::Archive { .. } | RestoreError::Io { .. } => Self::project(error),
        }
    }
}

impl From<ParseBranchNameError> for CommandError {
    fn from(error: ParseBranchNameError) -> Self {
        Self::project(error).hint("`--branch NAME` names the branch")
    }
}

impl From<ParseReferenceError> for CommandError {
    fn from(error: ParseReferenceError) -> Self {
        Self::usage(error).hint("`ship ls` shows what is deployed")
    }
}

impl From<ProjectError> for CommandError {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::NoName { .. } => Self::project(error).hint("`--project NAME` names it for once"),
            ProjectError::Missing { ref path } => {
                let hint = format!("`ship init {}` makes a project there", shell_word(&path.to_string_lossy()));
                Self::project(error).hint(hint)
            }
            ProjectError::NotAFolder { .. } => Self::project(error).hint("name the folder that it stands in"),
            ProjectError::Unreadable { .. } => Self::project(error),
        }
    }
}

impl From<DetectError> for CommandError {
    fn from(error: DetectError) -> Self {
        match (error.code(), error) {
            (_, DetectError::Frontend(error)) => error.into(),
            (_, DetectError::Prebuilt(error)) => error.into(),
            (Some(code), error) => Self::project(error).code(code),
            (None, error) => Self::project(error),
        }
    }
}

impl From<PrebuiltError> for CommandError {
    fn from(error: PrebuiltError) -> Self {
        let (code, hint) = (error.code(), error.hint());
        let mut error = Self::project(error);
        error.code = code.map(str::to_owned);
        hint.into_iter().fold(error, Self::hint)
    }
}

impl From<FrontendError> for CommandError {
    fn from(error: FrontendError) -> Self {
        if matches!(error, FrontendError::Interrupted(_)) {
            return Self::interrupted();
        }
        let (code, hint) = (error.code(), error.hint());
        let details = error.last_lines().to_vec();
        let mut error = Self::project(error).details(details);
        error.code = code.map(str::to_owned);
        hint.into_iter().fold(error, Self::hint)
    }
}

impl From<PlanError> for CommandError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::NothingToDeploy { .. } => {
                let error = Self::project(error).code("nothing_to_deploy");
                error.hint(
                    "`ship init` makes a project here, and `ship deploy PATH` or `ship dev PATH` takes another folder",
                )
            }
            PlanError::Prebuilt(error) => error.into(),
            PlanError::ConflictingFilePath { .. } => Self::project(error).code("conflicting_file_path"),
            PlanError::Python(error) => python(error),
            _ => Self::project(error),
        }
    }
}

impl From<BuildError> for CommandError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Several { errors } => Self::several(&errors.into_iter().map(Self::from).collect::<Vec<_>>()),
            BuildError::Compile(CompileError::Refused { .. }) | BuildError::Rust(RustError::Refused { .. }) => {
                Self::project(error).code("compile_failed")
            }
            BuildError::Compile(CompileError::Toolchain(_))
            | BuildError::Rust(RustError::NoCargo | RustError::NoStandardLibrary { .. }) => {
                Self::project(error).code("no_toolchain")
            }
            BuildError::Bundle(BundleError::NotInstalled { ref command, .. }) => {
                let hint = format!("`{command}`");
                Self::project(error).code("dependency_missing").hint(hint)
            }
            BuildError::Bundle(BundleError::Refused { .. }) => Self::project(error).code("compile_failed"),
            BuildError::Interpreter(_) => Self::project(error).code("no_toolchain"),
            BuildError::Clash(_) => Self::project(error).code("path_clash").hint("rename one of the two"),
            BuildError::Plan(error) => error.into(),
            BuildError::Python(error) => python(error),
            BuildError::Artifact(error) => match error.code() {
                Some(code) => Self::project(error).code(code),
                None => Self::project(error),
            },
            _ => Self::project(error),
        }
    }
}

fn python(error: PythonError) -> CommandError {
    match error.code() {
        Some(code) => CommandError::project(error).code(code),
        None => CommandError::project(error),
    }
}

impl From<WriteOutputError> for CommandError {
    fn from(error: WriteOutputError) -> Self {
        Self::project(error)
    }
}

impl From<HostError> for CommandError {
    fn from(error: HostError) -> Self {
        let is_full = match &error {
            HostError::Open(error) => error.is_full_disk(),
            HostError::TokenFile { source, .. } => is_full_disk(source),
            _ => false,
        };
        if is_full {
            return Self::new(ErrorKind::Host, error).hint_of_full_disk();
        }
        let hint = match &error {
            HostError::PortTaken { flag, .. } => Some(format!("`ship host {flag} 127.0.0.1:0` takes any free port")),
            HostError::Isolation(_) => Some(crate::namespaces::hint().to_owned()),
            HostError::Open(OpenError::InUse { .. }) => {
                Some("`ship host status` shows the host that has it open, `ship host stop` ends it".to_owned())
            }
            HostError::Open(OpenError::StateLost { .. }) => Some(
                "put `state.db` back from a backup; to begin anew with nothing, move the data directory away"
                    .to_owned(),
            ),
            _ => None,
        };
        let error = match error {
            HostError::PortTaken { .. } | HostError::Listen { .. } | HostError::Certificate(_) | HostError::Open(_) => {
                Self::project(error)
            }
            _ => Self::new(ErrorKind::Host, error),
        };
        hint.into_iter().fold(error, Self::hint)
    }
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        let is_full = error.is_full_disk();
        let error = Self::new(ErrorKind::Host, error);
        if is_full { error.hint_of_full_disk() } else { error }
    }
}

impl From<RuntimeError> for CommandError {
    fn from(error: RuntimeError) -> Self {
        Self::new(ErrorKind::Host, error)
    }
}

impl From<KeepError> for CommandError {
    fn from(error: KeepError) -> Self {
        Self::project(error)
    }
}

impl From<WatchError> for CommandError {
    fn from(error: WatchError) -> Self {
        let is_limit = error.is_limit();
        let error = Self::project(error);
        if is_limit {
            error.hint("`sysctl fs.inotify.max_user_watches=524288` lets more folders be watched")
        } else {
            error
        }
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::AddressWithUser => Self::usage(error).hint("`--token`, or `SHIP_TOKEN`"),
            ClientError::BadAddress { .. } => Self::usage(error).hint("`--host http://127.0.0.1:7701`, or `SHIP_HOST`"),
            ClientError::Unreachable { url, source } => unreachable(&url, &source),
            // How it broke off, a reset or a close, is a matter of microseconds and helps nobody.
            ClientError::Disconnected { .. } | ClientError::Stalled => Self::new(ErrorKind::Unreachable, error.to_string())
                .hint("`ship host status` shows whether a host runs here"),
            ClientError::Refused { detail, .. } => refused(*detail),
            ClientError::OtherServer { .. } => Self::new(ErrorKind::Host, error)
                .hint("a host has two addresses, one of its sites and one of its control API: the host's ready line names both"),
            ClientError::UnreadableAnswer { .. } => {
                Self::new(ErrorKind::Host, error).hint("is this the control address of a ship host of this version?")
            }
            ClientError::Silent { .. } => Self::new(ErrorKind::Unreachable, error)
                .hint("it, or a proxy before it, takes connections and is stuck: it has to be started again there"),
            ClientError::BrokenAnswer { .. } => {
                Self::new(ErrorKind::Unreachable, error).hint("`ship host status`")
            }
            ClientError::UnreadableFile { .. } => Self::project(error),
            ClientError::FileChanged { .. } => Self::project(error).hint("run the command again"),
        }
    }
}

/// The layers of an HTTP client between its error and the system's say nothing to the user.
fn unreachable(url: &str, source: &(dyn Error + 'static)) -> CommandError {
    let root = std::iter::successors(Some(source), |error| (**error).source()).last().map(ToString::to_string);
    let message = format!("the host at {url} cannot be reached: {}", root.unwrap_or_default());
    let error = CommandError::new(ErrorKind::Unreachable, message);
    if host_of(url).as_deref() == Some("localhost") {
        error.hint("`ship host status` shows whether a host runs here")
    } else {
        error.hint(
            "is that the address of the host's control API, and does the host run there? `--host URL` names another",
        )
    }
}

fn refused(detail: ErrorDetail) -> CommandError {
    let kind = match detail.code {
        ErrorCode::Unauthorized | ErrorCode::Forbidden | ErrorCode::TooManyRequests => ErrorKind::Unreachable,
        ErrorCode::Internal
        | ErrorCode::HostKey
        | ErrorCode::IssuerUnreachable
        | ErrorCode::BlobCorrupt
        | ErrorCode::StorageFull
        | ErrorCode::UpgradeFailed
        | ErrorCode::Upgrading => ErrorKind::Host,
        _ => ErrorKind::Project,
    };
    let own_hint = match detail.code {
        ErrorCode::Unauthorized => Some("give the host's token with `--token` or `SHIP_TOKEN`"),
        ErrorCode::NotFound | ErrorCode::AmbiguousReference => Some("`ship ls` shows what is deployed"),
        ErrorCode::StorageFull => {
            Some("make room on the host's disk and run the command again: what it has stays there")
        }
        ErrorCode::IsProduction => Some("`ship rollback`, or `ship promote` another deployment first"),
        ErrorCode::FunctionStartFailed => Some("`ship deploy --no-check` publishes without starting the functions"),
        _ => None,
    };
    let code = serde_json::to_value(detail.code).ok().and_then(|code| code.as_str().map(str::to_owned));
    let mut error = CommandError::new(kind, detail.message).details(detail.output);
    error.code = code;
    match detail.hint.or(own_hint.map(str::to_owned)) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
