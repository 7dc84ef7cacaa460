//! What the licences of others ask for: that their text goes with the program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use cargo_metadata::Package;

use super::error::DistError;
use super::packages::Packages;

/// How the names of such files begin.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// What the C library's licence asks for.
const C_LIBRARY: &str = "is linked into this program under the GNU Lesser General Public License, version 2.1 or later
(https://www.gnu.org/licenses/old-licenses/lgpl-2.1.html). Its source is at https://sourceware.org/glibc. The whole source of ship is public:
with `cargo xtask dist`, or `cargo build --release`, it is linked with another version of that library.";

/// The names, versions and licences of all packages of others, then each text once with those that it is of.
pub(super) fn of(packages: &Packages) -> Result<String, DistError> {
    let mut list = format!("This program contains the work of others.\n\n{} {C_LIBRARY}\n\n", packages.c_library());
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages.of_others() {
        let name = format!("{} {}", package.name, package.version);
        let license = package.license.as_deref().unwrap_or("see below");
        let _ = writeln!(list, "{name}: {license}");
        for text in license_texts(package)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut texts: Vec<(String, Vec<String>)> = texts.into_iter().collect();
    texts.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (text, names) in texts {
        let _ = write!(list, "\n{}\n{}:\n\n{text}\n", "-".repeat(80), names.join(", "));
    }
    Ok(list)
}

/// The texts that lie beside a package's manifest.
fn license_texts(package: &Package) -> Result<Vec<String>, DistError> {
    let Some(folder) = package.manifest_path.parent() else { return Ok(Vec::new()) };
    let unusable = |source| DistError::File { path: folder.into(), source };
    let entries = fs::read_dir(folder).map_err(unusable)?.flatten().map(|entry| entry.path());
    let is_license = |name: &str| NAMES.iter().any(|known| name.to_uppercase().starts_with(known));
    let mut paths: Vec<_> = entries
        .filter(|path| path.is_file() && is_license(&path.file_name().unwrap_or_default().to_string_lossy()))
        .collect();
    paths.sort();
    let read = |path| match fs::read(&path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim().to_owned()),
        Err(source) => Err(DistError::File { path, source }),
    };
    paths.into_iter().map(read).collect()
}
