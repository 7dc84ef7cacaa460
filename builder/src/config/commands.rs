//! `[build]`: the commands that make a frontend, as values.

use super::model::BuildEntry;

/// A command that a project names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BuildCommand {
    /// This one.
    Run(String),
    /// None, although there would be one by default: the command is written as `""`.
    Skip,
}

/// What a project says about its build. Where it says nothing, what its framework does applies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BuildSettings {
    /// What installs packages.
    pub install: Option<BuildCommand>,
    /// What builds the frontend.
    pub command: Option<BuildCommand>,
    /// What serves the frontend in development.
    pub dev: Option<BuildCommand>,
    /// What decides whether there is anything to build: it ends with 0 where there is not.
    pub ignore: Option<BuildCommand>,
    /// The framework, by its name in Vercel's list.
    pub framework: Option<String>,
    /// The folder that the build writes.
    pub output: Option<String>,
    /// The folder of the project that all this is about.
    pub root: Option<String>,
}

impl From<&BuildEntry> for BuildSettings {
    fn from(entry: &BuildEntry) -> Self {
        let text = |written: &Option<toml::Spanned<String>>| written.as_ref().map(|text| text.get_ref().clone());
        let command = |written: &Option<toml::Spanned<String>>| {
            text(written).map(|line| if line.trim().is_empty() { BuildCommand::Skip } else { BuildCommand::Run(line) })
        };
        Self {
            install: command(&entry.install),
            command: command(&entry.command),
            dev: command(&entry.dev),
            ignore: command(&entry.ignore),
            framework: text(&entry.framework),
            output: text(&entry.output),
            root: text(&entry.root),
        }
    }
}
