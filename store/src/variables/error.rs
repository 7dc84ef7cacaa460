//! Why variables cannot be sealed or opened. No value is ever a part of it.

use std::path::PathBuf;

use ship_core::{EnvironmentError, VariableName, VariableScope};

use crate::database::StateError;
use crate::disk::is_storage_full;

/// Variables cannot be sealed, opened or kept.
#[derive(Debug, thiserror::Error)]
pub enum VariablesError {
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The key is not where it should be, although values are sealed under it.
    #[error("the host's key is missing: {} is not there", path.display())]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key can be read by others, so it keeps nothing from them.
    #[error("the host's key {} can be read by others (mode {mode:03o}, expected 600)", path.display())]
    KeyOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file holds no key.
    #[error("the host's key {} is none: expected lines of 64 hexadecimal digits", path.display())]
    KeyMalformed {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the host's key {} cannot be used", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The values were sealed under another key.
    #[error("`{name}` for {scope} was sealed under another key ({sealed_by}) than the host's ({host_key})")]
    OtherKey {
        /// The variable.
        name: VariableName,
        /// What it is for.
        scope: Box<VariableScope>,
        /// The id of the key that sealed it.
        sealed_by: String,
        /// The id of the key that is there.
        host_key: String,
    },
    /// What is stored is not what was sealed.
    #[error("`{name}` for {scope} was changed after it was sealed")]
    Altered {
        /// The variable.
        name: VariableName,
        /// What it is for.
        scope: Box<VariableScope>,
    },
    /// No random bytes can be had.
    #[error("the system gives no random bytes: {reason}")]
    Random {
        /// Why.
        reason: getrandom::Error,
    },
    /// A program cannot be started with these variables.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// There are too many.
    #[error("more than {most} variables for {scope}")]
    TooMany {
        /// What they are for.
        scope: VariableScope,
        /// How many there may be.
        most: usize,
    },
}

impl VariablesError {
    /// Whether no room was left to write the key. What has to do with the database says so itself.
    pub fn is_storage_full(&self) -> bool {
        matches!(self, Self::KeyFile { source, .. } if is_storage_full(source))
    }

    /// Whether it is the key that is missing, wrong or open to others: what the operator has to see to.
    pub const fn is_about_key(&self) -> bool {
        matches!(
            self,
            Self::KeyMissing { .. }
                | Self::KeyOpenToOthers { .. }
                | Self::KeyMalformed { .. }
                | Self::KeyFile { .. }
                | Self::OtherKey { .. }
        )
    }
}
