//! `builds` of `vercel.json`: the older way to say what of a project is deployed, file by file.

use serde::Deserialize;
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::functions::OwnLimits;
use crate::included::Inclusion;

/// The longest that a request may take, in seconds: what `ship.toml` accepts.
const MAX_DURATION_SECS: u32 = 3_600;

/// The least memory that Vercel gives a function, in MiB.
const MIN_MEMORY_MB: u32 = 128;

/// One element: which files, and what makes something of them.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct BuildItem {
    /// A glob. Without one it is every file.
    src: Option<Spanned<String>>,
    r#use: Spanned<String>,
    #[serde(default)]
    config: BuildItemConfig,
}

/// What a build is told. What other builders understand is passed over, as those builders do among each other.
#[derive(Deserialize, Default, Debug)]
#[serde(default, rename_all = "camelCase", expecting = "a table")]
struct BuildItemConfig {
    include_files: Option<Spanned<OneOrMany>>,
    exclude_files: Option<Spanned<OneOrMany>>,
    max_duration: Option<u32>,
    memory: Option<u32>,
    dist_dir: Option<Spanned<String>>,
    output_directory: Option<Spanned<String>>,
    helpers: Option<bool>,
}

#[derive(Deserialize, Debug)]
#[serde(untagged, expecting = "a glob or a list of globs")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What makes something of files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Builder {
    Go,
    Node,
    /// Functions in TypeScript and JavaScript that Deno runs.
    Deno,
    Python,
    Rust,
    /// The files are served as they are.
    Static,
    /// The package's own build.
    Frontend,
}

/// The builders whose work ship does itself, whatever version is named behind an `@`.
const BUILDERS: [(&str, Builder); 20] = [
    ("@now/go", Builder::Go),
    ("@now/next", Builder::Frontend),
    ("@now/node", Builder::Node),
    ("@now/node-server", Builder::Node),
    ("@now/python", Builder::Python),
    ("@now/static", Builder::Static),
    ("@now/static-build", Builder::Frontend),
    ("@vercel/go", Builder::Go),
    ("@vercel/next", Builder::Frontend),
    ("@vercel/node", Builder::Node),
    ("@vercel/node-server", Builder::Node),
    ("@vercel/python", Builder::Python),
    ("@vercel/rust", Builder::Rust),
    ("@vercel/static", Builder::Static),
    ("@vercel/static-build", Builder::Frontend),
    ("now-go", Builder::Go),
    ("now-python", Builder::Python),
    ("now-rust", Builder::Rust),
    ("vercel-deno", Builder::Deno),
    ("vercel-rust", Builder::Rust),
];

impl BuildItem {
    /// Which files it is about: a glob relative to the project.
    pub(crate) fn glob(&self) -> &str {
        let glob = self.src.as_ref().map_or("**", |src| src.get_ref().as_str());
        glob.trim_start_matches("./").trim_start_matches('/')
    }

    /// Where `src` stands in the file, for messages: `use` where there is none.
    pub(crate) fn place(&self) -> std::ops::Range<usize> {
        self.src.as_ref().unwrap_or(&self.r#use).span()
    }

    /// What makes something of the files.
    pub(crate) fn builder(&self, text: ConfigText<'_>) -> Result<Builder, ConfigError> {
        let written = self.r#use.get_ref().as_str();
        let name =
            written.char_indices().skip(1).find(|(_, letter)| *letter == '@').map_or(written, |(at, _)| &written[..at]);
        let known = BUILDERS.iter().find(|(known, _)| *known == name).map(|(_, builder)| *builder);
        known.ok_or_else(|| {
            let message = format!(
                "ship does not know the builder `{name}`: it builds Go, TypeScript, JavaScript, Python and Rust, and frontends"
            );
            text.error(self.r#use.span(), message).coded("invalid_builds")
        })
    }

    /// What each function of it may use.
    pub(crate) fn limits(&self) -> OwnLimits {
        let timeout_secs = self.config.max_duration.map(|secs| secs.clamp(1, MAX_DURATION_SECS));
        OwnLimits { timeout_secs, memory_mb: self.config.memory.map(|memory| memory.max(MIN_MEMORY_MB)) }
    }

    /// Which files each function of it takes along.
    pub(crate) fn inclusion(&self, text: ConfigText<'_>) -> Result<Inclusion, ConfigError> {
        let globs = |written: &Option<Spanned<OneOrMany>>| {
            let Some(written) = written else { return Ok(Vec::new()) };
            let globs = match written.get_ref() {
                OneOrMany::One(glob) => std::slice::from_ref(glob),
                OneOrMany::Many(globs) => globs.as_slice(),
            };
            for glob in globs {
                Inclusion::check(glob).map_err(|reason| {
                    let message = format!("the glob `{glob}` is wrong: {reason}");
                    text.error(written.span(), message).coded("invalid_builds")
                })?;
            }
            Ok::<_, ConfigError>(globs.to_vec())
        };
        Ok(Inclusion { include: globs(&self.config.include_files)?, exclude: globs(&self.config.exclude_files)? })
    }

    /// Whether requests and responses of Node stay as Node makes them.
    pub(crate) fn forbids_helpers(&self) -> bool {
        self.config.helpers == Some(false)
    }

    /// The folder that a frontend's build leaves, where one is named.
    pub(crate) fn output(&self) -> Option<&str> {
        let config = &self.config;
        config.dist_dir.as_ref().or(config.output_directory.as_ref()).map(|folder| folder.get_ref().as_str())
    }
}
