//! Names that the Go command takes, whatever a person called a file or a folder.

use std::collections::BTreeSet;
use std::path::Path;

use ship_core::Digest;

/// What stands before a name that could not begin as it did.
const PREFIX: &str = "fn";

/// What Go lets no part of an import path be called, because Windows has devices of these names.
const DEVICES: [&str; 22] = [
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "LPT1", "LPT2",
    "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

/// The names of the files of one package: no two alike, not even to a file system that ignores case, as Go demands.
#[derive(Default)]
pub(super) struct FileNames {
    taken: BTreeSet<String>,
}

impl FileNames {
    /// A name for a file that a person, or this crate, calls `wanted`: that one where Go takes it and nobody has it yet.
    pub(super) fn give(&mut self, wanted: &str) -> String {
        let plain = plain_file_name(wanted);
        let mut name = plain.clone();
        let mut number = 1;
        while !self.taken.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{PREFIX}{number}-{plain}");
        }
        name
    }
}

/// `[id].go` keeps its letters. What Go reads from the end of a name, as in `x_windows.go`, stays as it is.
fn plain_file_name(name: &str) -> String {
    let fits = |character: char| character.is_alphanumeric() || "._-".contains(character);
    if name.starts_with(char::is_alphanumeric) && name.chars().all(fits) {
        return name.to_owned();
    }
    let plain: String = name.chars().map(|character| if fits(character) { character } else { '-' }).collect();
    format!("{PREFIX}{plain}")
}

/// Where a package of its own seems to stand: in the folder of its files, so that it may import what files there may, or in
/// the nearest folder above whose name can be part of an import path (`[id]` cannot). `name` tells it from all others; what it
/// is called is `shown`, made unique by a digest.
pub(super) fn package_folder(name: &str, shown: &str, folder: &Path) -> String {
    let mut place = String::new();
    for part in folder.iter().map_while(|part| part.to_str().filter(|part| fits_import_path(part))) {
        place.push_str(part);
        place.push('/');
    }
    let plain: String = shown.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let plain = Some(plain.trim_matches(['-', '_'])).filter(|plain| !plain.is_empty()).unwrap_or(PREFIX);
    let digest = Digest::of(name.as_bytes()).to_hex();
    format!("{place}{plain}-{}", &digest[..8])
}

fn fits_import_path(part: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte);
    let stem = part.split('.').next().unwrap_or_default();
    part.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !part.ends_with('.')
        && part.bytes().all(fits)
        && !DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packages of functions stand where their files do, as far as folder names can be part of import paths.
    #[test]
    fn package_folders() {
        let digest = |name: &str| Digest::of(name.as_bytes()).to_hex()[..8].to_owned();
        for (name, folder, expected) in [
            ("api/date", "api", "api/date-"),
            ("api/[team]/[id]", "api/[team]", "api/id-"),
            ("date", "", "date-"),
            ("api/-x/a.b/c./ü", "api/-x/a.b/c.", "api/fn-"),
            ("api/x.y/+", "api/x.y", "api/x.y/fn-"),
        ] {
            let shown = name.rsplit('/').next().unwrap();
            assert_eq!(package_folder(name, shown, Path::new(folder)), format!("{expected}{}", digest(name)));
        }
    }

    /// A name stays where it can; what is changed, or given twice, stays a name of its own.
    #[test]
    fn file_names() {
        let mut names = FileNames::default();
        let wanted = ["date.go", "[id].go", "fn-id-.go", "-a.go", "Date.go", "ü.go", "+.go", "@.go", "ship-main.go"];
        let given = wanted.map(|name| names.give(name));
        let expected = [
            "date.go",
            "fn-id-.go",
            "fn2-fn-id-.go",
            "fn-a.go",
            "fn2-Date.go",
            "ü.go",
            "fn-.go",
            "fn2-fn-.go",
            "ship-main.go",
        ];
        assert_eq!(given, expected.map(str::to_owned));
        assert_eq!(names.give("ship-main.go"), "fn2-ship-main.go");
    }
}
