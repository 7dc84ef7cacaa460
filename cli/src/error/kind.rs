//! The kinds of errors, and the exit code of each.

/// What kind an error is of. The kind alone decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorKind {
    /// The project or the request is wrong: a build failed, a name is taken, something was not found.
    Project,
    /// The command line is wrong.
    Usage,
    /// The host cannot be reached, or refused the credentials.
    Unreachable,
    /// The host failed.
    Host,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Every exit code with its meaning, for the help text and the documentation.
pub(crate) const EXIT_CODES: [(u8, &str); 6] = [
    (0, "done"),
    (ErrorKind::Project.exit_code(), "the project or the request is wrong"),
    (ErrorKind::Usage.exit_code(), "the command line is wrong"),
    (ErrorKind::Unreachable.exit_code(), "the host cannot be reached or refused the credentials"),
    (ErrorKind::Host.exit_code(), "the host failed"),
    (ErrorKind::Interrupted.exit_code(), "interrupted"),
];

impl ErrorKind {
    /// The exit code of a command that fails this way. Scripts rely on it.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Project => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Host => 4,
            // 128 and the number of SIGINT, as shells report it.
            Self::Interrupted => 130,
        }
    }
}
