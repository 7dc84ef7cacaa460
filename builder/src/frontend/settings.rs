//! What a person says about the build of the frontend, in `ship.toml` or `vercel.json`.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::config::BuildEntry;

/// How the frontend is built, as far as somebody said so. Both configuration files fill it: `[build]` of `ship.toml`, and
/// `buildCommand`, `installCommand`, `outputDirectory` and `framework` of `vercel.json`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct BuildSettings {
    /// The line that builds.
    pub(crate) command: Setting,
    /// The program that builds instead of a line, and its arguments.
    pub(crate) script: Option<Vec<String>>,
    /// The line that installs packages.
    pub(crate) install: Setting,
    /// The folder that the build leaves, relative to the folder that it runs in.
    pub(crate) output: Setting,
    /// The framework, by the name of its preset.
    pub(crate) framework: Setting,
    /// Whether unknown paths lead to `index.html`; found out when nobody says.
    pub(crate) spa: Option<bool>,
    /// What the build finds set.
    pub(crate) env: BTreeMap<String, String>,
}

/// A value that may be left out, and may be set to nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Setting {
    /// Not written, or `null`: what the framework's preset says.
    #[default]
    Default,
    /// Written as `""`: not done at all.
    Skip,
    /// This.
    Is(String),
}

impl Setting {
    /// The setting that a written value is.
    pub(crate) fn of(written: Option<&str>) -> Self {
        match written {
            None => Self::Default,
            Some(text) if text.trim().is_empty() => Self::Skip,
            Some(text) => Self::Is(text.to_owned()),
        }
    }

    /// The value, if one was written.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::Is(text) => Some(text),
            Self::Default | Self::Skip => None,
        }
    }
}

impl BuildSettings {
    /// What `[build]` of a `ship.toml` says.
    pub(crate) fn of_toml(build: &BuildEntry) -> Self {
        let setting =
            |written: &Option<Spanned<String>>| Setting::of(written.as_ref().map(|text| text.get_ref().as_str()));
        Self {
            command: setting(&build.command),
            script: None,
            install: setting(&build.install),
            output: setting(&build.output),
            framework: setting(&build.framework),
            spa: build.spa,
            env: crate::config::variables(&build.env).into_iter().collect(),
        }
    }

    /// The build leaves its files in `output`, unless somebody says otherwise.
    pub(crate) fn expect_output(&mut self, output: Option<&str>) {
        if self.output == Setting::Default {
            self.output = Setting::of(output);
        }
    }

    /// The same for a script that is all of the build: `words` run it.
    pub(crate) fn of_script(&self, words: Vec<String>) -> Self {
        let (command, install, framework) = (Setting::Default, Setting::Skip, Setting::Skip);
        Self { command, script: Some(words), install, framework, ..self.clone() }
    }

    /// Whether the files are to be served as they stand, whatever framework they look like.
    pub(crate) fn forbids_building(&self) -> bool {
        self.command == Setting::Skip || self.output == Setting::Skip
    }
}
