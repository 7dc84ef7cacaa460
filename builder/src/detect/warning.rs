//! What a person should know although it keeps nothing from being deployed.

use std::fmt;

use crate::go::HandlerFlaw;

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
    /// Something is nearly a function of the site, and nothing in its file is one.
    NearHandler {
        /// The file, relative to the project.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// Its name.
        name: String,
        /// What keeps it from being one.
        flaw: HandlerFlaw,
    },
    /// A module below `api/` exports something that is nearly a handler, and nothing that is one.
    NearExport {
        /// The file, relative to the project.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What it has, in words.
        found: String,
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
                write!(
                    f,
                    "`{file}` is not deployed: this version of ship builds functions in Go, TypeScript and JavaScript"
                )
            }
            Self::NearHandler { file, line, name, flaw } => write!(
                f,
                "{file}:{line}: `{name}` is not a function of the site, because {}: expected `func {}(w http.ResponseWriter, \
                 r *http.Request)`",
                reason(*flaw),
                capitalised(name)
            ),
            Self::NearExport { file, line, found } => write!(
                f,
                "{file}:{line}: this is not a function of the site, because {found}: expected a default export that is a function \
                 or has `fetch`, or exported functions named GET, POST, …"
            ),
        }
    }
}

const fn reason(flaw: HandlerFlaw) -> &'static str {
    match flaw {
        HandlerFlaw::Returns => "it returns a value",
        HandlerFlaw::Unexported => "its name does not begin with a capital letter",
        HandlerFlaw::Parameters => "its parameters are not those of a handler",
        HandlerFlaw::Generic => "it has type parameters",
        HandlerFlaw::Variable => "it is a variable",
    }
}

/// A name as Go exports it.
fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
