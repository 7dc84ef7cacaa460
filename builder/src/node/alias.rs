//! Imports by names that `paths` of a tsconfig.json give to folders: where one was looked for that leads nowhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rolldown::{Platform, ResolveOptions};
use rolldown_common::TsConfig as Choice;
use rolldown_fs::{OsFileSystem, OxcResolverFileSystem as _};
use rolldown_resolver::{Resolver, TsConfig};

use super::place::relative;

/// Whether a name can be no package's, so that only a tsconfig.json may say what it is.
pub(super) fn is_no_package(name: &str) -> bool {
    name.starts_with("@/") || name.starts_with('~')
}

/// Whether the tsconfig.json of `importer` has `paths` for a name.
pub(super) fn is_named(importer: &Path, specifier: &str) -> bool {
    settings(importer).is_some_and(|settings| !named(&settings, specifier).is_empty())
}

/// Where `importer` had `specifier` looked for, in words; nothing where that is no name of a tsconfig.json, nor meant to be one.
pub(super) fn looked_for(project: &Path, importer: &Path, specifier: &str) -> Option<String> {
    if specifier.starts_with(['.', '/']) {
        return None;
    }
    let Some(settings) = settings(importer) else {
        return is_no_package(specifier).then(|| "there is no tsconfig.json whose `paths` would say where".to_owned());
    };
    let file = relative(project, &settings.path);
    let places: Vec<String> =
        named(&settings, specifier).iter().map(|place| format!("`{}`", relative(project, place))).collect();
    match places.as_slice() {
        [] if is_no_package(specifier) => Some(format!("no `paths` of {file} say where")),
        [] => None,
        places => Some(format!("by {file} it is {}", places.join(" or "))),
    }
}

/// The tsconfig.json that holds for a file, with what it builds upon.
fn settings(importer: &Path) -> Option<Arc<TsConfig>> {
    let folder = importer.parent()?.to_owned();
    let options = ResolveOptions::default();
    let resolver = Resolver::new(OsFileSystem::new(false), folder, Platform::Node, &Choice::Auto(true), options);
    resolver.clone_default_resolver().find_tsconfig(importer).ok().flatten()
}

/// What `paths` make of a name.
fn named(settings: &TsConfig, specifier: &str) -> Vec<PathBuf> {
    let mut places = settings.resolve_path_alias_or_base_url(specifier);
    // What stands in no `paths` is looked for below `baseUrl`, packages before it.
    let by_base = settings.compiler_options.base_url.as_ref().map(|base| base.join(specifier));
    places.retain(|place| is_no_package(specifier) || Some(place) != by_base.as_ref());
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `paths` name is said with the places that they make of it, also where another file has them.
    #[test]
    fn places() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().canonicalize().unwrap();
        let importer = project.join("api/a.ts");
        std::fs::create_dir(project.join("api")).unwrap();
        let said = |specifier: &str| looked_for(&project, &importer, specifier).unwrap_or_default();
        assert_eq!(said("@/lib/x"), "there is no tsconfig.json whose `paths` would say where");
        assert_eq!((said("./x"), said("x")), (String::new(), String::new()));

        let paths =
            r#"{ /* ours */ "compilerOptions": { "paths": { "@/*": ["./src/*", "./lib/*"], "words": ["./w.ts"] } } }"#;
        std::fs::write(project.join("base.json"), paths).unwrap();
        std::fs::write(project.join("tsconfig.json"), r#"{ "extends": "./base.json" }"#).unwrap();
        assert_eq!(said("@/lib/x"), "by tsconfig.json it is `src/lib/x` or `lib/lib/x`");
        assert_eq!(said("words"), "by tsconfig.json it is `w.ts`");
        assert_eq!(said("~/x"), "no `paths` of tsconfig.json say where");
        assert_eq!(said("x"), "");
        assert!(is_named(&importer, "words") && !is_named(&importer, "x"));
    }
}
