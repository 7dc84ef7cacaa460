//! Where packages come from: what a person told uv or pip, or else the public index.

use std::path::PathBuf;

use crate::environment::BuildEnvironment;

/// The public index.
pub(crate) const DEFAULT_INDEX: &str = "https://pypi.org/simple";

/// The variables by which uv and pip are told their index. The first that is set counts.
const UV_VARIABLES: [&str; 2] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"];
const PIP_VARIABLE: &str = "PIP_INDEX_URL";

/// The same for indexes that are asked besides.
const UV_FURTHER_VARIABLES: [&str; 2] = ["UV_INDEX", "UV_EXTRA_INDEX_URL"];
const PIP_FURTHER_VARIABLE: &str = "PIP_EXTRA_INDEX_URL";

/// What uv is told of indexes, as far as it would not find them by itself: pip's.
pub(crate) fn settings_for_uv(environment: &BuildEnvironment) -> Vec<(&'static str, String)> {
    let is_set = |name: &&str| environment.variable(name).is_some();
    let mut settings = Vec::new();
    if !UV_VARIABLES.iter().any(is_set) && uv_setting(environment).is_none() {
        settings.extend(pip_index(environment).map(|index| ("UV_DEFAULT_INDEX", index)));
    }
    if !UV_FURTHER_VARIABLES.iter().any(is_set) {
        let further = pip_value(environment, PIP_FURTHER_VARIABLE, "extra-index-url");
        settings.extend(further.map(|further| ("UV_EXTRA_INDEX_URL", further)));
    }
    settings
}

/// The index that is asked for packages. There may be a password in it.
pub(crate) fn index(environment: &BuildEnvironment) -> String {
    let named = UV_VARIABLES.iter().find_map(|name| environment.variable(name)?.to_str().map(str::to_owned));
    let index = named.or_else(|| uv_setting(environment)).or_else(|| pip_index(environment));
    index.unwrap_or_else(|| DEFAULT_INDEX.to_owned())
}

fn pip_index(environment: &BuildEnvironment) -> Option<String> {
    pip_value(environment, PIP_VARIABLE, "index-url")
}

/// What pip is told by a variable, or else by the key of a file.
fn pip_value(environment: &BuildEnvironment, variable: &str, key: &str) -> Option<String> {
    let variable = environment.variable(variable).and_then(|value| value.to_str()).map(str::to_owned);
    variable.or_else(|| {
        pip_files(environment).into_iter().find_map(|file| pip_setting(&std::fs::read_to_string(file).ok()?, key))
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

/// The value of a key in the section `[global]` or `[install]`. Several values stand in lines of their own, further to the right.
fn pip_setting(text: &str, key: &str) -> Option<String> {
    let mut section = "";
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.trim().strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        let Some((name, value)) = line.split_once('=') else { continue };
        if matches!(section, "global" | "install") && name.trim().replace('_', "-") == key {
            let mut values = vec![value.trim()];
            while let Some(line) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
                values.push(line.trim());
            }
            return Some(values.join(" ").trim().to_owned());
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
        let index = |text| pip_setting(text, "index-url");
        assert_eq!(
            index("[global]\ntimeout = 60\nindex-url = https://a.example/simple\n").as_deref(),
            Some("https://a.example/simple")
        );
        assert_eq!(index("[install]\nindex_url=https://b.example/\n").as_deref(), Some("https://b.example/"));
        let text = "[freeze]\nindex-url = https://a.example\n[global]\nextra-index-url =\n  x\n  y\ntimeout = 1\n";
        assert_eq!(index(text), None);
        assert_eq!(pip_setting(text, "extra-index-url").as_deref(), Some("x y"));
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
        let further = ("PIP_EXTRA_INDEX_URL", "https://further.example");
        assert_eq!(index(&with(&[uv, pip])), "https://uv.example");
        assert_eq!(settings_for_uv(&with(&[uv, pip])), []);
        assert_eq!(index(&with(&[pip])), "https://pip.example");
        let of_pip = [("UV_DEFAULT_INDEX", pip.1.to_owned()), ("UV_EXTRA_INDEX_URL", further.1.to_owned())];
        assert_eq!(settings_for_uv(&with(&[pip, further])), of_pip);
        assert_eq!(settings_for_uv(&with(&[uv, further, ("UV_INDEX", "https://x.example")])), []);
    }
}
