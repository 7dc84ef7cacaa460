//! Paths that are two here and one elsewhere: file systems and people do not keep them apart.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use super::SitePath;

/// Two paths of one site that differ only in case, or only in how Unicode writes the same characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` and `{}` {difference}", shown(.one, *.difference), shown(.other, *.difference))]
pub struct PathClash {
    /// The path that comes first.
    pub one: SitePath,
    /// The other.
    pub other: SitePath,
    /// What keeps them apart.
    pub difference: PathDifference,
}

/// What keeps two paths apart that look the same to some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathDifference {
    /// `A` and `a`: one file on macOS and Windows.
    Case,
    /// `é` as one character, and as `e` with an accent behind it: they look the same to everybody.
    Normalization,
}

impl fmt::Display for PathDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Case => "differ only in case, and not every file system keeps them apart",
            Self::Normalization => "are the same characters in two forms of Unicode, which nobody can tell apart",
        })
    }
}

impl PathClash {
    /// The first two of these paths that clash.
    pub(crate) fn among<'p>(paths: impl Iterator<Item = &'p SitePath>) -> Option<Self> {
        let mut seen: HashMap<Cow<'p, str>, &SitePath> = HashMap::with_capacity(paths.size_hint().0);
        for other in paths {
            if let Some(one) = seen.insert(folded(other.as_str()), other) {
                let is_same_text = one.as_str().nfc().eq(other.as_str().nfc());
                let difference = if is_same_text { PathDifference::Normalization } else { PathDifference::Case };
                return Some(Self { one: one.clone(), other: other.clone(), difference });
            }
        }
        None
    }
}

/// The form in which paths are compared: composed, and without case. Through upper case first, so that `ß` meets `SS`.
fn folded(path: &str) -> Cow<'_, str> {
    if path.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return path.into();
    }
    if path.is_ascii() {
        return path.to_ascii_lowercase().into();
    }
    path.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect::<String>().into()
}

/// A path as a person can tell it from the other.
fn shown(path: &SitePath, difference: PathDifference) -> Cow<'_, str> {
    let escaped = |character: char| {
        if character.is_ascii() { character.to_string() } else { character.escape_unicode().to_string() }
    };
    match difference {
        PathDifference::Case => path.as_str().into(),
        PathDifference::Normalization => path.as_str().chars().map(escaped).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::route::RouteTable;
    use crate::{Asset, Digest, Manifest};

    use super::*;

    /// A deployment that was stored before anybody asked is read like any other.
    #[test]
    fn stored_before() {
        let asset = |path: &str| Asset {
            path: path.parse().unwrap(),
            digest: Digest::of(b"x"),
            size_bytes: 1,
            media_type: "text/html".parse().unwrap(),
        };
        let manifest =
            Manifest::new(vec![asset("a"), asset("A")], Vec::new(), RouteTable::default(), Vec::new()).unwrap();
        assert_eq!(Manifest::from_json(&manifest.to_canonical_json()).unwrap(), manifest);
        assert!(manifest.check_paths().is_err());
    }

    /// What clashes is named so that it can be told apart; what only begins alike, or has other accents, does not clash.
    #[test]
    fn clashes() {
        let clash = |paths: &[&str]| {
            let paths: Vec<SitePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
            PathClash::among(paths.iter()).map(|clash| clash.to_string())
        };
        assert_eq!(clash(&["a.html", "b.html", "A/b.html", "a/c.html", "caf\u{e9}", "cafe", "caf\u{e8}"]), None);
        let case = |one: &str, other: &str| {
            Some(format!("`{one}` and `{other}` differ only in case, and not every file system keeps them apart"))
        };
        assert_eq!(clash(&["Img/K.png", "a", "img/k.png"]), case("Img/K.png", "img/k.png"));
        assert_eq!(clash(&["STRASSE", "stra\u{df}e"]), case("STRASSE", "stra\u{df}e"));
        assert_eq!(clash(&["\u{c9}t\u{e9}", "e\u{301}te\u{301}"]), case("\u{c9}t\u{e9}", "e\u{301}te\u{301}"));
        assert_eq!(
            clash(&["cafe\u{301}.html", "caf\u{e9}.html"]).as_deref(),
            Some(
                r"`cafe\u{301}.html` and `caf\u{e9}.html` are the same characters in two forms of Unicode, which nobody can tell apart"
            )
        );
    }
}
