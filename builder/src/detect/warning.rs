//! What a person should know although it keeps nothing from being deployed.

use std::fmt;

use crate::config::UnusedKey;
use crate::go::HandlerFlaw;
use crate::node::OwnFlaw;
use crate::python::EntryFlaw;
use crate::rust::RustFlaw;

/// A warning about a project.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProjectWarning {
    /// There is a `ship.toml` and a `vercel.json`.
    BothConfigFiles,
    /// A key of `vercel.json` that changes nothing here.
    KeyNotUsed {
        /// The configuration.
        config: &'static str,
        /// The key.
        key: &'static str,
        /// Its line, counted from 1.
        line: usize,
        /// What to do instead.
        instead: &'static str,
    },
    /// A route of a prebuilt output asks for something that has no effect here.
    RouteKeyIgnored {
        /// Its place in the list.
        index: usize,
        /// What it asks for.
        key: String,
    },
    /// A file below `api/` in a language that is not built yet.
    LanguageNotBuilt {
        /// The file, relative to the project.
        file: String,
    },
    /// A file below `api/` has the ending of a language, in capitals.
    CapitalEnding {
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
    /// A Go file has a second handler, which nothing uses.
    FurtherHandler {
        /// The file, relative to the project.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// Its name.
        name: String,
        /// The name of the first, which is the function.
        first: String,
    },
    /// A function in Rust was meant to answer requests and cannot, and nothing else in its file does.
    NearRustHandler {
        /// The file, relative to the project.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// Its name.
        name: String,
        /// What keeps it from being one.
        flaw: RustFlaw,
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
    /// A function in TypeScript or JavaScript says something of itself that nothing comes of.
    OwnSetting {
        /// The file, relative to the project.
        file: String,
        /// What it says, and where.
        flaw: OwnFlaw,
    },
    /// Something in a Python file nearly answers requests, and nothing in the file does.
    NearEntry {
        /// The file, relative to the project.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// Its name.
        name: String,
        /// What keeps it from answering.
        flaw: EntryFlaw,
    },
    /// A variable has its value elsewhere.
    SecretMissing {
        /// The configuration.
        config: &'static str,
        /// The variable.
        name: String,
        /// Its line, counted from 1.
        line: usize,
    },
    /// An element of `builds` is about no file.
    BuildOfNothing {
        /// The configuration.
        config: &'static str,
        /// Its glob.
        glob: String,
        /// Its line, counted from 1.
        line: usize,
    },
    /// A file below `api/` has no handler, and no other has one either.
    NoHandler {
        /// The file, relative to the project.
        file: String,
    },
    /// A file is a server by all that it does, and its folder does not say what it needs.
    NearServer(NearServer),
}

/// A server that nothing makes the server of the site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NearServer {
    /// The file, relative to the folder that `api/` would stand in.
    pub file: String,
    /// The line that tells it, counted from 1.
    pub line: usize,
    /// What is not there.
    pub lack: ServerLack,
}

/// What keeps a server from being the one of the site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerLack {
    /// No file names what a program in Python depends on, which is this framework at least.
    Requirements(&'static str),
    /// No `package.json` depends on this framework.
    Dependency(&'static str),
    /// There is no `package.json`.
    PackageJson,
    /// There is no `go.mod`.
    GoMod,
}

impl ProjectWarning {
    /// The warning about a key of `config`.
    pub(super) fn of_unused(config: &'static str, UnusedKey { key, line, instead }: UnusedKey) -> Self {
        Self::KeyNotUsed { config, key, line, instead }
    }

    /// The source file that is no function, and why it is none is what it says.
    pub(super) fn file(&self) -> Option<&String> {
        match self {
            Self::BothConfigFiles
            | Self::KeyNotUsed { .. }
            | Self::RouteKeyIgnored { .. }
            | Self::SecretMissing { .. }
            | Self::BuildOfNothing { .. }
            | Self::OwnSetting { .. } => None,
            Self::LanguageNotBuilt { file }
            | Self::CapitalEnding { file }
            | Self::NearHandler { file, .. }
            | Self::FurtherHandler { file, .. }
            | Self::NearRustHandler { file, .. }
            | Self::NearExport { file, .. }
            | Self::NearEntry { file, .. }
            | Self::NoHandler { file }
            | Self::NearServer(NearServer { file, .. }) => Some(file),
        }
    }
}

/// What makes a file a function of the site, for each language by the ending of its files.
const EXPECTED: [(&str, &str); 4] = [
    ("go", "`func Handler(w http.ResponseWriter, r *http.Request)`"),
    ("rs", "`async fn handler(request: Request) -> Result<Response, Error>`"),
    ("py", "`app`, an ASGI or WSGI application, or `class handler(BaseHTTPRequestHandler)`"),
    ("", "a default export that is a function or has `fetch`, or exported functions named GET, POST, …"),
];

impl fmt::Display for ProjectWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BothConfigFiles => f.write_str("both ship.toml and vercel.json are there: ship.toml is used"),
            Self::KeyNotUsed { config, key, line, instead } => {
                write!(f, "{config}:{line}: `{key}` is not used by this version of ship: {instead}")
            }
            Self::RouteKeyIgnored { index, key } => {
                write!(f, "routes[{index}] of the prebuilt output says `{key}`, which has no effect here")
            }
            Self::LanguageNotBuilt { file } => {
                write!(
                    f,
                    "`{file}` is not deployed: this version of ship builds functions in Go, TypeScript, JavaScript, Python and Rust"
                )
            }
            Self::CapitalEnding { file } => {
                let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
                let small = ending.to_lowercase();
                write!(
                    f,
                    "`{file}` is not a function of the site, because its ending is `.{ending}`: expected `.{small}`"
                )
            }
            Self::NearHandler { file, line, name: _, flaw: HandlerFlaw::Program } => write!(
                f,
                "{file}:{line}: `main` is not a function of the site, because it is a program of its own: expected `func \
                 Handler(w http.ResponseWriter, r *http.Request)`",
            ),
            Self::NearHandler { file, line, name, flaw } => write!(
                f,
                "{file}:{line}: `{name}` is not a function of the site, because {}: expected `func {}(w http.ResponseWriter, \
                 r *http.Request)`",
                reason(*flaw),
                capitalised(name)
            ),
            Self::FurtherHandler { file, line, name, first } => write!(
                f,
                "{file}:{line}: `{name}` is not a function of the site, because a file is one function, here `{first}`: give it a \
                 file of its own"
            ),
            Self::NearRustHandler { file, line, name, flaw } => write!(
                f,
                "{file}:{line}: `{name}` is not a function of the site, because {}: expected `async fn handler(request: \
                 Request) -> Result<Response, Error>`",
                rust_reason(*flaw)
            ),
            Self::NearExport { file, line, found } => write!(
                f,
                "{file}:{line}: this is not a function of the site, because {found}: expected a default export that is a function \
                 or has `fetch`, or exported functions named GET, POST, …"
            ),
            Self::OwnSetting { file, flaw } => write!(f, "{file}:{}: {flaw}", flaw.line),
            Self::NearEntry { file, line, name, flaw } => write!(
                f,
                "{file}:{line}: `{name}` is not a function of the site, because {}: expected `app`, an ASGI or WSGI application, or \
                  `class handler(BaseHTTPRequestHandler)`",
                entry_reason(*flaw)
            ),
            Self::SecretMissing { config, name, line } => {
                write!(f, "{config}:{line}: `{name}` is not set: its value is a secret that only Vercel has")
            }
            Self::BuildOfNothing { config, glob, line } => {
                write!(f, "{config}:{line}: `{glob}` in `builds` names no file of the project")
            }
            Self::NoHandler { file } => {
                let expected = EXPECTED.iter().find(|(ending, _)| file.ends_with(ending)).map_or("", |(_, text)| text);
                write!(f, "`{file}` is not a function of the site, because it has no handler: expected {expected}")
            }
            Self::NearServer(server) => server.fmt(f),
        }
    }
}

impl fmt::Display for NearServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, lack } = self;
        write!(f, "{file}:{line}: this is not the server of the site, because {lack}")
    }
}

impl fmt::Display for ServerLack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requirements(framework) => write!(
                f,
                "nothing says what it depends on: expected a requirements.txt or a pyproject.toml that names `{framework}`"
            ),
            Self::Dependency(framework) => {
                write!(f, "no package.json depends on `{framework}`: `npm install {framework}` writes that")
            }
            Self::PackageJson => f.write_str("there is no package.json: `npm init --yes` makes one"),
            Self::GoMod => f.write_str("there is no go.mod: `go mod init NAME` makes one"),
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
        HandlerFlaw::NoRequest => "it takes no request",
        HandlerFlaw::Program => "it is a program of its own",
    }
}

const fn rust_reason(flaw: RustFlaw) -> &'static str {
    match flaw {
        RustFlaw::NotAsync => "it is not `async`",
        RustFlaw::Parameters => "it does not take exactly one request",
        RustFlaw::ReturnsNothing => "it returns nothing",
        RustFlaw::Generic => "it has type parameters",
        RustFlaw::Name => "that is not its name",
    }
}

const fn entry_reason(flaw: EntryFlaw) -> &'static str {
    match flaw {
        EntryFlaw::FunctionHandler => "it is a function",
        EntryFlaw::VariableHandler => "it is a variable",
        EntryFlaw::PlainClass => "it is a class that is not derived from a request handler",
        EntryFlaw::Parameters => "it takes neither (environ, start_response) nor, with `async`, (scope, receive, send)",
        EntryFlaw::Name => "that is not its name",
        EntryFlaw::Unused => "that is not its name, and no other function uses its file",
    }
}

/// A name as Go exports it.
fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
