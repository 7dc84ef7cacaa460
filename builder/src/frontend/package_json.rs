//! `package.json`, as far as a build looks at it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::FrontendError;
use crate::tree::shown_below;

/// The file's name.
pub(super) const PACKAGE_JSON: &str = "package.json";

/// Scripts that build, the first before the second: the one that is meant for this kind of deploy wins.
const BUILD_SCRIPTS: [&str; 2] = ["vercel-build", "build"];

/// What of a `package.json` counts. Fields of other types than expected are as good as absent: the package manager says so.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PackageJson {
    #[serde(deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) package_manager: Option<String>,
    #[serde(deserialize_with = "lenient")]
    scripts: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "lenient")]
    dependencies: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "lenient")]
    dev_dependencies: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "lenient")]
    optional_dependencies: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "lenient")]
    workspaces: Option<serde_json::Value>,
}

fn lenient<'de, D: serde::Deserializer<'de>, T: serde::de::DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(from)?).ok())
}

impl PackageJson {
    /// Reads the one in `folder`, `None` if there is none. A file that is no JSON, or no object, is an error with its place.
    pub(super) fn read(folder: &Path, project: &Path) -> Result<Option<Self>, FrontendError> {
        let path = folder.join(PACKAGE_JSON);
        let Ok(bytes) = std::fs::read(&path) else { return Ok(None) };
        let shown = shown_below(project, &path).display().to_string();
        let text = crate::text::text(bytes)
            .map_err(|problem| FrontendError::PackageJsonNotUtf8 { file: shown.clone(), problem })?;
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        let wrong = |error: serde_json::Error| {
            let (place, excerpt) = crate::json::place(&text, &error);
            let reason = if error.is_data() { "expected an object".to_owned() } else { crate::json::reason(&error) };
            FrontendError::PackageJson { place: format!("{shown}:{place}"), reason, excerpt }
        };
        // A list would be read as the fields in their order.
        let _: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).map_err(wrong)?;
        serde_json::from_str(&text).map(Some).map_err(wrong)
    }

    /// Whether it depends on a package, to build or to run.
    pub(super) fn depends_on(&self, package: &str) -> bool {
        [&self.dependencies, &self.dev_dependencies].into_iter().flatten().any(|all| all.contains_key(package))
    }

    /// Whether anything has to be installed for it.
    pub(super) fn has_dependencies(&self) -> bool {
        let all = [&self.dependencies, &self.dev_dependencies, &self.optional_dependencies];
        all.into_iter().flatten().any(|all| !all.is_empty()) || self.workspaces.is_some()
    }

    /// Whether anything has to be installed for what it runs.
    pub(super) fn has_dependencies_to_run(&self) -> bool {
        [&self.dependencies, &self.optional_dependencies].into_iter().flatten().any(|all| !all.is_empty())
    }

    /// A package that `lock`, the same file as a lock file remembers it, does not ask for in the same way.
    pub(super) fn first_difference(&self, lock: &Self) -> Option<&str> {
        let pairs = [
            (&self.dependencies, &lock.dependencies),
            (&self.dev_dependencies, &lock.dev_dependencies),
            (&self.optional_dependencies, &lock.optional_dependencies),
        ];
        let differing = pairs.into_iter().flat_map(|(wanted, locked)| {
            let locked = |name: &str| locked.as_ref().and_then(|locked| locked.get(name));
            wanted.iter().flatten().filter(move |(name, range)| locked(name) != Some(range))
        });
        // npm writes what is optional into both lists of package.json.
        let is_optional = |name: &str| lock.optional_dependencies.as_ref().is_some_and(|all| all.contains_key(name));
        differing.map(|(name, _)| name.as_str()).find(|name| !is_optional(name))
    }

    /// Whether other packages below it are installed with it.
    pub(super) fn has_workspaces(&self) -> bool {
        self.workspaces.is_some()
    }

    /// The line of a script, if it has one.
    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.scripts.as_ref()?.get(name).map(|line| line.trim()).filter(|line| !line.is_empty())
    }

    /// The name of the script that builds.
    pub(super) fn build_script(&self) -> Option<&'static str> {
        let scripts = self.scripts.as_ref()?;
        BUILD_SCRIPTS.into_iter().find(|name| scripts.get(*name).is_some_and(|line| !line.trim().is_empty()))
    }
}
