//! Where packages come from: what a person told uv or pip, or else the public index.

use std::path::PathBuf;

use crate::environment::BuildEnvironment;

/// The public index.
pub(super) const DEFAULT_INDEX: &str = "https://pypi.org/simple";

/// The variables by which uv and pip are told their index. The first that is set counts.
const UV_VARIABLES: [&str; 2] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"];
const PIP_VARIABLE: &str = "PIP_INDEX_URL";

/// The index that uv is told of, if it would not find it by itself: pip's.
pub(super) fn index_for_uv(environment: &BuildEnvironment) -> Option<String> {
    let knows_itself =
        UV_VARIABLES.iter().any(|name| environment.variable(name).is_some()) || uv_setting(environment).is_some();
    if knows_itself { None } else { pip_index(environment) }
}

/// The index that ship itself asks for uv.
pub(super) fn index(environment: &BuildEnvironment) -> String {
    let named = UV_VARIABLES.iter().find_map(|name| environment.variable(name)?.to_str().map(str::to_owned));
    let index = named.or_else(|| uv_setting(environment)).or_else(|| pip_index(environment));
    index.unwrap_or_else(|| DEFAULT_INDEX.to_owned())
}

fn pip_index(environment: &BuildEnvironment) -> Option<String> {
    let variable = environment.variable(PIP_VARIABLE).and_then(|value| value.to_str()).map(str::to_owned);
    variable.or_else(|| {
        pip_files(environment).into_iter().find_map(|file| pip_setting(&std::fs::read_to_string(file).ok()?))
    })
}

/// The files of pip's settings, the most personal one first.
fn pip_files(environment: &BuildEnvironment) -> Vec<PathBuf> {
    let home = environment.variable("HOME").map(PathBuf::from);
    let config = environment.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| home.as_ref().map(|home| home.join(".config")));
    let named = environment.variable("PIP_CONFIG_FILE").map(PathBuf::from);
    let personal = config.map(|config| config.join("pip/pip.conf"));
    let old = home.map(|home| home.join(".pip/pip.conf"));
    named.into_iter().chain(personal).chain(old).chain([PathBuf::from("/etc/pip.conf")]).collect()
}

/// `index-url` in the section `[global]` or `[install]`.
fn pip_setting(text: &str) -> Option<String> {
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        if matches!(section, "global" | "install") && matches!(key.trim(), "index-url" | "index_url") {
            return Some(value.trim().to_owned());
        }
    }
    None
}

/// What the `uv.toml` of a person or a machine names as the index.
fn uv_setting(environment: &BuildEnvironment) -> Option<String> {
    let home = || Some(PathBuf::from(environment.variable("HOME")?).join(".config"));
    let config = environment.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let named = environment.variable("UV_CONFIG_FILE").map(PathBuf::from);
    let files =
        named.into_iter().chain(config.map(|config| config.join("uv/uv.toml"))).chain(["/etc/uv/uv.toml".into()]);
    files.into_iter().find_map(|file| {
        let table: toml::Table = std::fs::read_to_string(file).ok()?.parse().ok()?;
        let pip = table.get("pip").and_then(|pip| pip.get("index-url"));
        let listed = table.get("index").and_then(toml::Value::as_array).into_iter().flatten();
        let listed = listed.into_iter().find(|index| index.get("default").and_then(toml::Value::as_bool) == Some(true));
        let url = listed.and_then(|index| index.get("url")).or_else(|| table.get("index-url")).or(pip)?;
        url.as_str().map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What pip was told stands in two sections; other sections and keys are about something else.
    #[test]
    fn pip_settings() {
        let index = |text| pip_setting(text);
        assert_eq!(
            index("[global]\ntimeout = 60\nindex-url = https://a.example/simple\n").as_deref(),
            Some("https://a.example/simple")
        );
        assert_eq!(index("[install]\nindex_url=https://b.example/\n").as_deref(), Some("https://b.example/"));
        assert_eq!(index("[freeze]\nindex-url = https://a.example\n[global]\nextra-index-url = x\n"), None);
    }

    /// The variables of uv go before those of pip, which go before the public index.
    #[test]
    fn order() {
        let folder = tempfile::tempdir().unwrap();
        let with = |variables: &[(&str, &str)]| {
            let home = [("HOME".into(), folder.path().into())];
            let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).chain(home);
            BuildEnvironment::new(folder.path().join("cache"), folder.path().join("toolchains"), variables)
        };
        let (uv, pip) = (("UV_DEFAULT_INDEX", "https://uv.example"), ("PIP_INDEX_URL", "https://pip.example"));
        assert_eq!(index(&with(&[uv, pip])), "https://uv.example");
        assert_eq!(index_for_uv(&with(&[uv, pip])), None);
        assert_eq!(index(&with(&[pip])), "https://pip.example");
        assert_eq!(index_for_uv(&with(&[pip])).as_deref(), Some("https://pip.example"));
    }
}
