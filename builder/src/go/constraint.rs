//! Files that Go leaves out: those for another system, by their name or a `//go:build` line, and those that need C.

use std::fmt;

use super::scan::GoFile;
use crate::environment::Architecture;

/// The systems that a file name can end in.
const SYSTEMS: [&str; 15] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
];

/// The processors that a file name can end in.
const PROCESSORS: [&str; 13] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x",
];

/// Why Go leaves a file out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exclusion {
    /// The end of its name says for which system or processor it is.
    Name {
        /// The part that names another one.
        part: String,
    },
    /// A `//go:build` line does not hold.
    Constraint {
        /// The line, counted from 1.
        line: usize,
        /// What has to hold.
        expression: String,
    },
    /// It imports `"C"`.
    C {
        /// The line, counted from 1.
        line: usize,
    },
}

impl Exclusion {
    /// Why Go leaves out the file called `name`, for `arch`, if it does.
    pub(crate) fn of(name: &str, text: &str, scan: &GoFile, arch: Architecture) -> Option<Self> {
        let of_name = || Some(Self::Name { part: foreign_part(name, arch)? });
        let of_constraint = || {
            let head = text.get(..scan.package_place.start)?;
            let constraint = |line: &str| Some(line.strip_prefix("//go:build")?.trim().to_owned());
            let (index, expression) =
                head.lines().enumerate().find_map(|(index, line)| Some((index, constraint(line)?)))?;
            (!holds(&expression, arch)).then_some(Self::Constraint { line: index + 1, expression })
        };
        let of_c = || {
            let imports_c = scan.imports.iter().any(|import| import == "C");
            let line = text.lines().position(|line| line.contains("\"C\"")).unwrap_or_default() + 1;
            imports_c.then_some(Self::C { line })
        };
        of_name().or_else(of_constraint).or_else(of_c)
    }

    /// Where it says so, for behind the file's name.
    pub(crate) const fn line(&self) -> Option<usize> {
        match self {
            Self::Name { .. } => None,
            Self::Constraint { line, .. } | Self::C { line } => Some(*line),
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { part } => write!(f, "its name says that it is for {part} alone: give it another name"),
            Self::Constraint { expression, .. } => {
                write!(f, "`//go:build {expression}` does not hold: drop it, or move the file out of `api/`")
            }
            Self::C { .. } => f.write_str("it imports \"C\", and functions are compiled without cgo: do without C"),
        }
    }
}

/// The part of a name such as `x_windows_amd64.go` that names what is not compiled for.
fn foreign_part(name: &str, arch: Architecture) -> Option<String> {
    let (_, rest) = name.split('.').next()?.split_once('_')?;
    let parts: Vec<&str> = rest.split('_').collect();
    let is_foreign = |part: &str| !is_set(part, arch);
    let found = match parts.as_slice() {
        [.., system, processor] if SYSTEMS.contains(system) && PROCESSORS.contains(processor) => {
            [*system, *processor].into_iter().find(|part| is_foreign(part))
        }
        [.., last] if SYSTEMS.contains(last) || PROCESSORS.contains(last) => {
            Some(*last).filter(|part| is_foreign(part))
        }
        _ => None,
    };
    found.map(str::to_owned)
}

/// Whether a build tag is set. Which version of Go compiles is not known here, so each is taken to be new enough.
fn is_set(tag: &str, arch: Architecture) -> bool {
    matches!(tag, "linux" | "unix" | "gc") || tag == arch.as_str() || tag.starts_with("go1.")
}

/// Whether an expression of build tags holds. One that cannot be read does: Go has better words for it.
fn holds(expression: &str, arch: Architecture) -> bool {
    let spaced = ["(", ")", "!", "&&", "||"]
        .iter()
        .fold(expression.to_owned(), |text, sign| text.replace(sign, &format!(" {sign} ")));
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest, arch).filter(|_| rest.is_empty()).unwrap_or(true)
}

/// `a || b`.
fn either(rest: &mut &[&str], arch: Architecture) -> Option<bool> {
    let mut value = both(rest, arch)?;
    while let ["||", after @ ..] = *rest {
        *rest = after;
        value |= both(rest, arch)?;
    }
    Some(value)
}

/// `a && b`.
fn both(rest: &mut &[&str], arch: Architecture) -> Option<bool> {
    let mut value = one(rest, arch)?;
    while let ["&&", after @ ..] = *rest {
        *rest = after;
        value &= one(rest, arch)?;
    }
    Some(value)
}

/// `a`, `!a` or `(a)`.
fn one(rest: &mut &[&str], arch: Architecture) -> Option<bool> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    match *first {
        "!" => one(rest, arch).map(|value| !value),
        "(" => {
            let value = either(rest, arch)?;
            *rest = rest.strip_prefix(&[")"])?;
            Some(value)
        }
        ")" | "&&" | "||" => None,
        tag => Some(is_set(tag, arch)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    fn excluded(name: &str, text: &str) -> Option<Exclusion> {
        Exclusion::of(name, text, &scan(text), Architecture::Amd64)
    }

    /// Names count from the first `_` to the first dot, as Go reads them.
    #[test]
    fn names() {
        for (name, part) in [
            ("x_windows.go", Some("windows")),
            ("x_arm64.go", Some("arm64")),
            ("x_linux_arm64.go", Some("arm64")),
            ("x_darwin_amd64.go", Some("darwin")),
            ("x_windows.v2.go", Some("windows")),
            ("x_linux.go", None),
            ("x_linux_amd64.go", None),
            ("windows.go", None),
            ("x_windows_x.go", None),
            ("[x_windows].go", None),
        ] {
            let expected = part.map(|part| Exclusion::Name { part: part.to_owned() });
            assert_eq!(excluded(name, "package x\n"), expected, "{name}");
        }
    }

    /// Expressions of build tags mean what they mean to Go.
    #[test]
    fn constraints() {
        for (expression, holds) in [
            ("linux", true),
            ("windows", false),
            ("!windows && (amd64 || arm64)", true),
            ("linux&&!amd64||ignore", false),
            ("ignore || unix", true),
            ("cgo", false),
            ("go1.21 && !(darwin || windows)", true),
            ("linux &&", true),
        ] {
            let text = format!("// A file.\n//go:build {expression}\n\npackage x\n");
            let expected = (!holds).then(|| Exclusion::Constraint { line: 2, expression: expression.to_owned() });
            assert_eq!(excluded("x.go", &text), expected, "{expression}");
        }
        assert_eq!(excluded("x.go", "package x\n\nimport \"C\"\n"), Some(Exclusion::C { line: 3 }));
        assert_eq!(excluded("x.go", "package x\n\n//go:build ignore\n"), None, "too late to count");
    }
}
