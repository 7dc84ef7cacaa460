//! Which framework a folder is made with.

use std::path::Path;

use super::package_json::PackageJson;
use super::presets::{Detector, PRESETS, Preset};

/// The preset of the framework in `folder`: of all that match and that no other match supersedes, the first of the table.
pub(super) fn recognise(folder: &Path, package: Option<&PackageJson>) -> Option<&'static Preset> {
    let matches: Vec<&'static Preset> = PRESETS.iter().filter(|preset| is_match(preset, folder, package)).collect();
    let is_superseded = |preset: &Preset| matches.iter().any(|other| other.supersedes.contains(&preset.slug));
    matches.iter().copied().find(|preset| !is_superseded(preset))
}

fn is_match(preset: &Preset, folder: &Path, package: Option<&PackageJson>) -> bool {
    let holds = |detector: &Detector| match detector {
        Detector::Package(name) => package.is_some_and(|package| package.depends_on(name)),
        Detector::Path(path) => folder.join(path).exists(),
        Detector::Content(path, text) => {
            std::fs::read_to_string(folder.join(path)).is_ok_and(|content| content.contains(text))
        }
    };
    preset.every.iter().all(holds) && (preset.some.is_empty() || preset.some.iter().any(holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::presets::by_slug;
    use crate::testing::TestProject;

    fn slug(files: &[(&str, &str)]) -> Option<&'static str> {
        let project = TestProject::new(files.iter().copied());
        let package = PackageJson::read(&project.root(), &project.root()).unwrap();
        recognise(&project.root(), package.as_ref()).map(|preset| preset.slug)
    }

    fn depending_on(packages: &[&str]) -> String {
        let packages: Vec<String> = packages.iter().map(|package| format!("{package:?}: \"1\"")).collect();
        format!("{{\"devDependencies\": {{{}}}}}", packages.join(","))
    }

    /// The framework is that of the table's order, except where another one that is there too is built on it.
    #[test]
    fn precedence() {
        let found = |packages: &[&str]| slug(&[("package.json", &depending_on(packages))]);
        assert_eq!(found(&["vite"]), Some("vite"));
        assert_eq!(found(&["vite", "@sveltejs/kit"]), Some("sveltekit-1"));
        assert_eq!(found(&["vite", "@ionic/react"]), Some("vite"));
        assert_eq!(found(&["vite", "nitropack"]), Some("nitro"));
        assert_eq!(found(&["nuxt", "nitropack", "vite"]), Some("nuxtjs"));
        assert_eq!(found(&["svelte"]), None);
        assert_eq!(found(&["svelte", "sirv-cli"]), Some("svelte"));
        assert_eq!(found(&["left-pad"]), None);
    }

    /// A word in a file that is no dependency is no framework; a file that says so is.
    #[test]
    fn files_and_words() {
        assert_eq!(slug(&[("package.json", r#"{"description": "\"dependencies\": {\"next\": \"1\"}"}"#)]), None);
        assert_eq!(slug(&[("config.toml", "base_url = \"x\"")]), Some("zola"));
        assert_eq!(slug(&[("config.toml", "baseURL = \"x\"")]), Some("hugo"));
        assert_eq!(slug(&[("sanity.config.ts", "")]), None);
        let vite = depending_on(&["vite", "react"]);
        let config = [("package.json", vite.as_str()), ("vite.config.ts", "import '@react-router/dev/vite'")];
        assert_eq!(slug(&config), Some("react-router"));
    }

    /// Every preset can be found, can be named, and says where its result stands.
    #[test]
    fn table() {
        for preset in PRESETS {
            assert!(std::ptr::eq(by_slug(preset.slug).unwrap(), preset), "{} stands twice", preset.slug);
            assert!(!preset.some.is_empty() || !preset.every.is_empty(), "{}", preset.slug);
            assert!(!preset.outputs.is_empty() && preset.build.is_some(), "{}", preset.slug);
            assert!(preset.supersedes.iter().all(|slug| by_slug(slug).is_some()), "{}", preset.slug);
        }
    }
}
