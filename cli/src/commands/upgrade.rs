//! `ship upgrade`: a newer release takes the place of the program that runs, and of the host that it runs.

mod hosts;

use std::path::{Path, PathBuf};

use semver::Version;
use serde::Serialize;

use self::hosts::UpgradedHost;
use crate::connection::VERSION;
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;
use crate::releases::{self, Owner, Place, Release, ReleaseError, ReleaseKey, Source, Wanted};
use crate::settings::Settings;
use crate::settings::environment::SHIP_RELEASES;

/// Replace this ship by the newest release, and the host that it runs without a lost request
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UpgradeArgs {
    /// Only say whether there is a newer release
    #[arg(long)]
    check: bool,
    /// The release to install, also an older one (default: the newest, if it is newer)
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
    /// Where releases are: a folder, or an http or https address (default: `SHIP_RELEASES`, else the project's own)
    #[arg(long, value_name = "SOURCE")]
    from: Option<String>,
    /// The public key, as minisign prints it, that signs releases of another source (default: the one that was built in)
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
}

/// What there is.
#[derive(Debug, Serialize)]
struct Found {
    installed: Version,
    available: Version,
    /// Whether `ship upgrade` installs it.
    is_newer: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Upgraded {
    program: PathBuf,
    from: Version,
    to: Version,
    /// The hosts that the new program took over.
    hosts: Vec<UpgradedHost>,
}

pub(crate) async fn run(arguments: UpgradeArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let installed: Version = VERSION.parse().map_err(|error| CommandError::new(ErrorKind::Host, error))?;
    let key = arguments.public_key.as_deref().map_or_else(ReleaseKey::built_in, ReleaseKey::parse)?;
    let source = arguments.from.as_deref().or_else(|| settings.environment.text(SHIP_RELEASES));
    let source = Source::named(source, settings)?;
    if !arguments.check {
        refuse_owned(&settings.executable)?;
    }
    let wanted = arguments.version.clone().map_or(Wanted::Newest, Wanted::Version);
    let release = releases::find(&source, &wanted, &key).await?;
    let is_asked_for = arguments.version.is_some() && release.version != installed;
    let found = Found { is_newer: release.version > installed, available: release.version.clone(), installed };
    if arguments.check || !(found.is_newer || is_asked_for) {
        output.status(found.said(&wanted));
        return output.data(&found, |_| String::new());
    }
    install(&source, &release, found.installed, settings, output).await
}

/// What is installed by something else is replaced by that.
fn refuse_owned(program: &Path) -> Result<(), ReleaseError> {
    match Owner::of(program) {
        Some(owner) => Err(ReleaseError::Owned { program: program.to_owned(), owner }),
        None => Ok(()),
    }
}

async fn install(
    source: &Source,
    release: &Release,
    from: Version,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let place = Place::take(&settings.executable)?;
    let archive = source.fetch(release, &place, output).await?;
    place.put(release, &archive)?;
    let (program, to) = (place.program().to_owned(), release.version.clone());
    output.status(format_args!("ship {to} is at {} now, in place of {from}", program.display()));
    let hosts = hosts::hand_over(&program, settings, output).await?;
    output.data(&Upgraded { program, from, to, hosts }, |_| String::new())
}

impl Found {
    fn said(&self, wanted: &Wanted) -> String {
        let Self { installed, available, is_newer } = self;
        if *is_newer {
            format!("ship {available} can be installed, this is {installed}: `ship upgrade`")
        } else if installed == available {
            match wanted {
                Wanted::Newest => format!("ship {installed} is the newest release"),
                Wanted::Version(_) => format!("ship {installed} is the one that is installed"),
            }
        } else {
            format!(
                "this is ship {installed}, and the release is {available}: `ship upgrade --version {available}` goes back"
            )
        }
    }
}
