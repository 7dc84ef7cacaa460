//! What a person should know although it keeps nothing from being deployed.

use std::fmt;

/// A warning about a project.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProjectWarning {
    /// There is a `ship.toml` and a `vercel.json`.
    BothConfigFiles,
    /// There is only a `vercel.json`.
    VercelJsonNotRead,
    /// A file below `api/` in a language that is not built yet.
    LanguageNotBuilt {
        /// The file, relative to the project.
        file: String,
    },
    /// An exported function takes a writer and a request as a handler does, and returns something, so it is none.
    HandlerReturns {
        /// The file, relative to the project.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The function's name.
        name: String,
    },
}

impl fmt::Display for ProjectWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BothConfigFiles => f.write_str("both ship.toml and vercel.json are there: ship.toml is used"),
            Self::VercelJsonNotRead => {
                f.write_str("vercel.json is not read by this version of ship: what it says does not apply")
            }
            Self::LanguageNotBuilt { file } => {
                write!(f, "`{file}` is not deployed: this version of ship builds functions in Go")
            }
            Self::HandlerReturns { file, line, name } => {
                write!(f, "{file}:{line}: `{name}` is not a function of the site, because it returns a value")
            }
        }
    }
}
