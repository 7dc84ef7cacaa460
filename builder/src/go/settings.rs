//! The environment of the Go command, built from scratch: what is not named here, the compiler does not see.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::environment::{Architecture, BuildEnvironment};

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

/// Who chooses the toolchain: see [`DEFAULT_TOOLCHAIN_CHOICE`].
pub(super) fn toolchain_choice(environment: &BuildEnvironment) -> OsString {
    value(environment, "GOTOOLCHAIN").unwrap_or_else(|| DEFAULT_TOOLCHAIN_CHOICE.into())
}

/// All variables of a Go command that compiles for `arch`. `workspace` is the `go.work` to use, if any.
pub(super) fn variables(
    environment: &BuildEnvironment,
    arch: Architecture,
    workspace: Option<&Path>,
) -> BTreeMap<String, OsString> {
    let mut variables = personal(environment);
    variables.extend(environment.variables().map(|(name, value)| (name.to_owned(), value.to_owned())));
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
