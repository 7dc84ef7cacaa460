//! The environment of the Go command, built from scratch: what is not named here, the compiler does not see.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::environment::{Architecture, Audience, BuildEnvironment};

/// The settings of `go env -w` that say where modules come from. The rest of that file could change what is compiled.
const NETWORK_SETTINGS: [&str; 12] = [
    "GOAUTH",
    "GOCACHE",
    "GOINSECURE",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPATH",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOTOOLCHAIN",
    "GOVCS",
];

/// Which Go a project is compiled with when its `go.mod` asks for a newer one: Go fetches that one itself, unless a person has
/// decided otherwise.
const DEFAULT_TOOLCHAIN_CHOICE: &str = "auto";

/// The settings of a person's `go env -w` that are honoured.
pub(super) fn personal(environment: &BuildEnvironment) -> BTreeMap<String, OsString> {
    let text = environment.go_settings_file().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let honoured = lines.filter(|(name, value)| NETWORK_SETTINGS.contains(name) && !value.is_empty());
    honoured.map(|(name, value)| (name.to_owned(), OsString::from(value))).collect()
}

/// One setting of Go: from the environment, or else from `go env -w`.
pub(super) fn value(environment: &BuildEnvironment, name: &str) -> Option<OsString> {
    environment.variable(name).map(OsString::from).or_else(|| personal(environment).remove(name))
}

/// The folder of the compiler's cache, where `go` itself looks for it: `GOCACHE`, or below the user's folder for caches.
pub(super) fn compiler_cache(environment: &BuildEnvironment) -> Option<PathBuf> {
    let of_user = || {
        let caches = environment.variable("XDG_CACHE_HOME").map(PathBuf::from);
        Some(caches.or_else(|| Some(Path::new(environment.variable("HOME")?).join(".cache")))?.join("go-build"))
    };
    value(environment, "GOCACHE").map(PathBuf::from).or_else(of_user)
}

/// Who chooses the toolchain: see [`DEFAULT_TOOLCHAIN_CHOICE`].
pub(super) fn toolchain_choice(environment: &BuildEnvironment) -> OsString {
    value(environment, "GOTOOLCHAIN").unwrap_or_else(|| DEFAULT_TOOLCHAIN_CHOICE.into())
}

/// The variable with further arguments of `go build`.
pub(super) const BUILD_FLAGS: &str = "GO_BUILD_FLAGS";

/// What [`BUILD_FLAGS`] says, as `go` itself reads `GOFLAGS`: words between spaces, quoted where they hold one. `None` where a
/// quote is not closed.
pub(super) fn build_flags(environment: &BuildEnvironment) -> Option<Vec<String>> {
    split(environment.variable(BUILD_FLAGS).unwrap_or_default().to_str()?)
}

/// Words with quotes at their beginning (`'-ldflags=-s -w'`) or behind an equals sign (`-ldflags='-s -w'`), as people write them
/// for a shell.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        end if end == character => break,
                        other => word.push(other),
                    }
                }
            }
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

/// All variables of a Go command that compiles for `arch`. `workspace` is the `go.work` to use, if any.
pub(super) fn variables(
    environment: &BuildEnvironment,
    arch: Architecture,
    workspace: Option<&Path>,
) -> BTreeMap<String, OsString> {
    let mut variables = personal(environment);
    variables.extend(environment.variables(Audience::Go).map(|(name, value)| (name.to_owned(), value.to_owned())));
    let choice = toolchain_choice(environment);
    let fixed: [(&str, OsString); 12] = [
        ("CGO_ENABLED", "0".into()),
        ("GOOS", "linux".into()),
        ("GOARCH", arch.as_str().into()),
        ("GOAMD64", "v1".into()),
        ("GOARM64", "v8.0".into()),
        ("GO111MODULE", "on".into()),
        ("GOENV", "off".into()),
        // Not empty, because an empty value counts as not set.
        ("GOFLAGS", "-buildvcs=false".into()),
        ("GOTOOLCHAIN", choice),
        ("GOWORK", workspace.map_or_else(|| "off".into(), OsString::from)),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        ("LC_ALL", "C".into()),
    ];
    variables.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags are words between spaces; quotes keep spaces together and must be closed.
    #[test]
    fn build_flags() {
        let words = |text: &str| split(text);
        let expected = ["-tags=a,b", "-ldflags=-s -w -X 'main.v=1 2'", "", "-v"].map(str::to_owned).to_vec();
        assert_eq!(words(" -tags=a,b -ldflags=\"-s -w -X 'main.v=1 2'\" ''\t-v "), Some(expected));
        assert_eq!(words(""), Some(Vec::new()));
        assert_eq!(words("-ldflags='-s"), None);
    }
}
