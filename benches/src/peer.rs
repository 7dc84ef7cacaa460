//! Whom ship is compared to: where they come from, and how they are started.

pub(crate) mod build;
pub(crate) mod dev;
mod dev_api;
pub(crate) mod npm;
pub(crate) mod statics;
pub(crate) mod vite_events;

use std::path::PathBuf;
use std::process::Command;

/// A program that does what ship does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    /// Serves files.
    Nginx,
    /// Serves files.
    Caddy,
    /// Serves files.
    H2o,
    /// Builds TypeScript.
    Esbuild,
    /// Builds functions.
    ZipItAndShipIt,
    /// Builds and develops.
    Vercel,
    /// Develops pages.
    Vite,
    /// Develops functions.
    Netlify,
    /// Develops workers.
    Wrangler,
}

impl Peer {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Nginx,
        Self::Caddy,
        Self::H2o,
        Self::Esbuild,
        Self::ZipItAndShipIt,
        Self::Vercel,
        Self::Vite,
        Self::Netlify,
        Self::Wrangler,
    ];

    /// Its name on the command line and in the rows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::H2o => "h2o",
            Self::Esbuild => "esbuild",
            Self::ZipItAndShipIt => "zip-it-and-ship-it",
            Self::Vercel => "vercel",
            Self::Vite => "vite",
            Self::Netlify => "netlify",
            Self::Wrangler => "wrangler",
        }
    }

    /// The peer of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// Whether it is met only if somebody asks: no promise mentions it.
    pub(crate) const fn is_met_on_request(self) -> bool {
        matches!(self, Self::Caddy | Self::H2o)
    }

    /// Its package in the npm registry, in the version that it is measured in. Each is the newest that runs on the Node of Debian 12.
    pub(crate) const fn package(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Nginx | Self::Caddy | Self::H2o => None,
            Self::Esbuild => Some(("esbuild", "0.28.2")),
            Self::ZipItAndShipIt => Some(("@netlify/zip-it-and-ship-it", "14.7.1")),
            Self::Vercel => Some(("vercel", "60.1.3")),
            Self::Vite => Some(("vite", "8.3.8")),
            Self::Netlify => Some(("netlify-cli", "23.15.1")),
            Self::Wrangler => Some(("wrangler", "4.86.0")),
        }
    }

    /// What it says of its version, if it is here.
    pub(crate) fn version(self) -> Option<String> {
        if let Some((package, version)) = self.package() {
            return npm::is_installed(self).then(|| format!("{package} {version}"));
        }
        let argument = if self == Self::Caddy { "version" } else { "-v" };
        Some(format!("{} {}", self.name(), said_version(&program(self.name())?, argument)?))
    }
}

/// A server of Debian's, which stands in a folder that only root has on its `PATH`, or one that somebody compiled.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"]
        .map(|folder| PathBuf::from(folder).join(name))
        .into_iter()
        .find(|path| path.is_file())
}

/// The word with digits in the first line that a program says about its version.
fn said_version(program: &std::path::Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let word = text.lines().next()?.split([' ', '/']).find(|word| word.contains('.'))?;
    Some(word.to_owned())
}

/// Why a peer cannot be measured.
#[derive(Debug)]
pub(crate) struct NotThere(pub(crate) String);

impl std::fmt::Display for NotThere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
