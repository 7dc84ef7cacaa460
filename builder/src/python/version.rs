//! Versions of Python: which one there is, and which ones a project wants.

use std::fmt;

/// A version of Python.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// 3.
    pub major: u32,
    /// What decides which packages fit.
    pub minor: u32,
    /// Corrections.
    pub patch: u32,
}

/// What a project says about the Python it wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    /// Where it says so: `.python-version:1`.
    pub(crate) place: String,
    /// What it says: `3.12`, `>=3.11,<3.14`.
    pub(crate) text: String,
}

impl Version {
    /// `3.11`, from the beginning of `3.11.7`, `3.11` or `3.11.0rc1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let major = numbers.next()??;
        let minor = numbers.next().flatten().unwrap_or(0);
        Some(Self { major, minor, patch: numbers.next().flatten().unwrap_or(0) })
    }

    /// `3.11`.
    pub(super) fn short(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Wanted {
    /// What a `.python-version` file says: its first line that names a version. Names of environments say nothing.
    pub(super) fn from_version_file(file: &str, text: &str) -> Option<Self> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let (number, line) = lines.into_iter().find(|(_, line)| !line.is_empty() && !line.starts_with('#'))?;
        let version = line.strip_prefix("cpython").map_or(line, |rest| rest.trim_start_matches(['@', '-']));
        let is_version = version.starts_with(|c: char| c.is_ascii_digit() || "<>=!~".contains(c));
        is_version.then(|| Self { place: format!("{file}:{number}"), text: version.to_owned() })
    }

    /// Whether `version` is one of those that are wanted. Corrections do not count where none are asked for.
    pub(super) fn is_met_by(&self, version: Version) -> bool {
        self.text.split(',').map(str::trim).filter(|clause| !clause.is_empty()).all(|clause| is_met(clause, version))
    }
}

/// Whether a version meets one clause, as PEP 440 compares. A clause that cannot be read is not held against anybody.
fn is_met(clause: &str, version: Version) -> bool {
    let operator_length = clause.find(|c: char| !"<>=!~^".contains(c)).unwrap_or(clause.len());
    let (operator, text) = clause.split_at(operator_length);
    let Some(wanted) = Version::parse(text) else { return true };
    let parts = text.trim().trim_end_matches(".*").split('.').count();
    let is_same = match parts {
        1 => version.major == wanted.major,
        _ => (version.major, version.minor) == (wanted.major, wanted.minor),
    };
    let is_exact = version == wanted || (is_same && (parts < 3 || text.contains('*')));
    match operator {
        ">=" => version >= wanted,
        ">" => version > wanted && (parts > 2 || !is_same),
        "<=" => version <= wanted || is_exact,
        "<" => version < wanted,
        "!=" => !(is_exact && (parts > 2 || text.contains('*'))),
        "~=" if parts > 2 => is_same && version >= wanted,
        "~=" | "^" => version.major == wanted.major && version >= wanted,
        // A file that names `3.11.7` was written where that was the newest: any 3.11 runs what it runs.
        "" => is_same,
        _ => is_exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_met_by(text: &str, version: &str) -> bool {
        Wanted { place: String::new(), text: text.to_owned() }.is_met_by(Version::parse(version).unwrap())
    }

    /// Clauses as `requires-python` has them, and versions as `.python-version` has them.
    #[test]
    fn wishes() {
        for (text, version) in [
            (">=3.9", "3.11.7"),
            (">=3.9,<4", "3.13.0"),
            ("~=3.9", "3.12.1"),
            ("~=3.11.2", "3.11.7"),
            ("==3.11.*", "3.11.7"),
            ("<=3.11", "3.11.0"),
            ("!=3.10.*,>=3.9", "3.11.7"),
            (">3.10", "3.11.0"),
            ("^3.9", "3.12.0"),
            ("3.11", "3.11.7"),
            ("3.11.2", "3.11.7"),
            ("3", "3.11.7"),
            ("", "3.11.7"),
        ] {
            assert!(is_met_by(text, version), "{text} {version}");
        }
        for (text, version) in [
            (">=3.12", "3.11.7"),
            ("<3.11", "3.11.0"),
            ("~=3.11.2", "3.12.0"),
            ("~=3.12", "3.11.7"),
            ("==3.12.*", "3.11.7"),
            ("!=3.11.*", "3.11.7"),
            (">3.11", "3.11.7"),
            ("3.12", "3.11.7"),
            (">=3.9,<3.11", "3.11.7"),
        ] {
            assert!(!is_met_by(text, version), "{text} {version}");
        }
    }

    /// The first line that names a version counts.
    #[test]
    fn version_files() {
        let wanted =
            |text| Wanted::from_version_file(".python-version", text).map(|wanted| (wanted.place, wanted.text));
        assert_eq!(wanted("# ours\n3.12\n3.11\n"), Some((".python-version:2".into(), "3.12".into())));
        assert_eq!(wanted("cpython@3.12.1"), Some((".python-version:1".into(), "3.12.1".into())));
        assert_eq!(wanted("system\n"), None);
        assert_eq!(wanted(""), None);
    }
}
