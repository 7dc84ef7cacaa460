//! What keeps a release from being found, believed or installed.

use std::io;
use std::path::PathBuf;

use semver::Version;

use super::owner::Owner;

/// A release cannot be found, or not be believed, or not take the program's place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReleaseError {
    /// The source is neither a folder nor an address.
    #[error("`{text}` is neither a folder nor an http or https address")]
    NoSource {
        /// What was given.
        text: String,
    },
    /// The source does not have a file.
    #[error("there is no {path} in the releases at {origin}")]
    Absent {
        /// The source.
        origin: String,
        /// The file's path in it.
        path: String,
    },
    /// The source cannot be asked, or stops in the middle.
    #[error("{path} cannot be had from the releases at {origin}: {cause}")]
    Unreachable {
        /// The source.
        origin: String,
        /// The file's path in it.
        path: String,
        /// Why.
        cause: String,
    },
    /// A file is larger than any such file.
    #[error("{path} in the releases at {origin} has more than {limit} bytes")]
    TooLarge {
        /// The source.
        origin: String,
        /// The file's path in it.
        path: String,
        /// How many bytes it may have.
        limit: u64,
    },
    /// This program knows no key that releases are signed with.
    #[error("this ship was built without the key that releases are signed with")]
    NoKey,
    /// A key is none.
    #[error("`{text}` is no public key of minisign's")]
    BadKey {
        /// What was given.
        text: String,
    },
    /// The list of the release is not signed with the key.
    #[error("the release is not signed with the key that this ship trusts")]
    Unsigned(#[source] minisign_verify::Error),
    /// The list of the release names no program for this machine.
    #[error("the release has no program for this machine ({target})")]
    NoProgram {
        /// This machine.
        target: String,
    },
    /// The list of the release is of another version than the one that was asked for.
    #[error("the release of version {wanted} says that it is version {found}")]
    AnotherVersion {
        /// What was asked for.
        wanted: Version,
        /// What the list says.
        found: Version,
    },
    /// What arrived is not what was listed.
    #[error("{path} has the SHA-256 {found}, and the release lists {expected}")]
    Digest {
        /// The file's path.
        path: String,
        /// Its digest.
        found: String,
        /// The digest that is listed.
        expected: String,
    },
    /// What arrived cannot be unpacked.
    #[error("the release's archive has no program in it")]
    Archive(#[source] io::Error),
    /// The program that arrived does not run here, or says that it is something else.
    #[error("the new program does not run here: it says {said:?} where `ship {version}` was expected")]
    DoesNotRun {
        /// What it said.
        said: String,
        /// What it should be.
        version: Version,
    },
    /// Something else replaces the program, and would not know of it.
    #[error("`{}` belongs to {owner}", program.display())]
    Owned {
        /// The program.
        program: PathBuf,
        /// Who replaces it.
        owner: Owner,
    },
    /// Somebody else is replacing the program.
    #[error("another `ship upgrade` is replacing `{}` at this moment", program.display())]
    UnderWay {
        /// The program.
        program: PathBuf,
    },
    /// The folder of the program cannot be written.
    #[error("`{}` cannot be replaced", program.display())]
    Place {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
