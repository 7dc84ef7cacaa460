//! The packages that stay outside of the bundles, with all that they depend on, as one `node_modules` for all functions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::external::read_package;
use super::plugin::OutsidePackage;
use crate::artifact::{Content, Member};
use crate::environment::Architecture;

/// Where the layer stands in a function's folder.
pub(super) const MOUNT: &str = "node_modules";

/// Endings of files that nothing needs when it runs.
const LEFT_OUT: [&str; 7] = [".d.ts", ".d.mts", ".d.cts", ".map", ".md", ".markdown", ".tsbuildinfo"];

/// The most folders that may stand in each other in a package: deeper ones are links that lead back.
const MAX_DEPTH: usize = 32;

/// The members of the layer for these packages, sorted by name.
pub(super) fn members(packages: &BTreeSet<OutsidePackage>, arch: Architecture) -> Vec<Member> {
    let mut members = BTreeMap::new();
    for (place, folder) in placed(packages, arch) {
        add(&folder, &place, 0, &mut members);
    }
    members.into_iter().map(|(name, file)| Member::data(name, Content::File(file))).collect()
}

/// Each package by the place where Node finds it: at the top where nothing else has its name, else below who needs it.
fn placed(packages: &BTreeSet<OutsidePackage>, arch: Architecture) -> BTreeMap<String, PathBuf> {
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut left: VecDeque<(OutsidePackage, String)> =
        packages.iter().map(|package| (package.clone(), String::new())).collect();
    while let Some((package, above)) = left.pop_front() {
        if finds(&places, &above, &package) {
            continue;
        }
        let top = format!("{MOUNT}/{}", package.name);
        let place = if places.contains_key(&top) { format!("{above}/{MOUNT}/{}", package.name) } else { top };
        places.insert(place.clone(), package.folder.clone());
        for dependency in dependencies(&package.folder, arch) {
            left.push_back((dependency, place.clone()));
        }
    }
    places
}

/// Whether who stands at `above` already finds this very package.
fn finds(places: &BTreeMap<String, PathBuf>, above: &str, package: &OutsidePackage) -> bool {
    let mut from = above;
    loop {
        let place = if from.is_empty() {
            format!("{MOUNT}/{}", package.name)
        } else {
            format!("{from}/{MOUNT}/{}", package.name)
        };
        if let Some(folder) = places.get(&place) {
            return *folder == package.folder;
        }
        let Some((outer, _)) = from.rsplit_once(&format!("/{MOUNT}/")) else {
            return !from.is_empty() && places.get(&format!("{MOUNT}/{}", package.name)) == Some(&package.folder);
        };
        from = outer;
    }
}

/// What a package needs, as far as it is installed and made for the machine that functions run on.
fn dependencies(folder: &Path, arch: Architecture) -> Vec<OutsidePackage> {
    let Some(package) = read_package(folder) else { return Vec::new() };
    let names = ["dependencies", "optionalDependencies", "peerDependencies"]
        .iter()
        .filter_map(|key| package.get(key)?.as_object())
        .flat_map(|names| names.keys().cloned())
        .collect::<BTreeSet<String>>();
    names.into_iter().filter_map(|name| find(folder, &name)).filter(|package| runs_on(&package.folder, arch)).collect()
}

/// The package of this name as code in `folder` sees it.
fn find(folder: &Path, name: &str) -> Option<OutsidePackage> {
    let seen = folder.ancestors().map(|above| above.join("node_modules").join(name)).find(|place| place.is_dir())?;
    Some(OutsidePackage { name: name.to_owned(), folder: seen.canonicalize().ok()? })
}

/// Whether a package is for Linux on this processor, with the usual C library. Most are for every machine.
fn runs_on(folder: &Path, arch: Architecture) -> bool {
    let Some(package) = read_package(folder) else { return false };
    let names = |key: &str| -> Option<Vec<String>> {
        let list = package.get(key)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let allows = |key: &str, wanted: &str| {
        names(key).is_none_or(|names| {
            let denied = names.iter().any(|name| name.strip_prefix('!') == Some(wanted));
            let is_list_of_others = names.iter().any(|name| !name.starts_with('!'));
            !denied && (!is_list_of_others || names.iter().any(|name| name == wanted))
        })
    };
    let cpu = match arch {
        Architecture::Amd64 => "x64",
        Architecture::Arm64 => "arm64",
    };
    allows("os", "linux") && allows("cpu", cpu) && allows("libc", "glibc")
}

/// Adds the files of a package, without the packages that stand in it.
fn add(folder: &Path, place: &str, depth: usize, members: &mut BTreeMap<String, PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|_| depth < MAX_DEPTH) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
        let inner = format!("{place}/{name}");
        if metadata.is_dir() {
            if name != "node_modules" && !name.starts_with('.') {
                add(&entry.path(), &inner, depth + 1, members);
            }
        } else if metadata.is_file() && !LEFT_OUT.iter().any(|ending| name.ends_with(ending)) {
            members.insert(inner, entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(packages: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for (place, package) in packages {
            let place = root.join(place);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("package.json"), package).unwrap();
            std::fs::write(place.join("index.js"), "").unwrap();
            std::fs::write(place.join("index.d.ts"), "").unwrap();
        }
        (folder, root)
    }

    fn layer(root: &Path, wanted: &[&str]) -> Vec<String> {
        let wanted = wanted.iter().map(|name| find(root, name).unwrap()).collect();
        let names = members(&wanted, Architecture::Amd64).into_iter().map(|member| member.name);
        names.filter(|name| name.ends_with("index.js")).collect()
    }

    /// What a package needs comes along, for this machine only; what nobody asked for stays behind.
    #[test]
    fn dependencies_come_along() {
        let (_folder, root) = project(&[
            (
                "node_modules/sharp",
                r#"{"dependencies":{"semver":"7"},"optionalDependencies":{"@i/a-linux-x64":"1","@i/a-linuxmusl-x64":"1","@i/a-darwin-arm64":"1","@i/absent":"1"}}"#,
            ),
            ("node_modules/semver", "{}"),
            ("node_modules/@i/a-linux-x64", r#"{"os":["linux"],"cpu":["x64"],"libc":["glibc"]}"#),
            ("node_modules/@i/a-linuxmusl-x64", r#"{"os":["linux"],"cpu":["x64"],"libc":["musl"]}"#),
            ("node_modules/@i/a-darwin-arm64", r#"{"os":["darwin"],"cpu":["arm64"]}"#),
            ("node_modules/other", r#"{"os":["!win32"]}"#),
        ]);
        let expected = ["@i/a-linux-x64", "semver", "sharp"].map(|name| format!("node_modules/{name}/index.js"));
        assert_eq!(layer(&root, &["sharp"]), expected);
        assert_eq!(layer(&root, &["other"]), ["node_modules/other/index.js"]);
    }

    /// Two versions of one package: each is found by who needs it, also where packages are linked from a store.
    #[test]
    fn two_versions() {
        let (_folder, root) = project(&[
            ("node_modules/.pnpm/a@1/node_modules/a", r#"{"dependencies":{"c":"1"}}"#),
            ("node_modules/.pnpm/b@1/node_modules/b", r#"{"dependencies":{"c":"2","a":"1"}}"#),
            ("node_modules/.pnpm/c@1/node_modules/c", "{}"),
            ("node_modules/.pnpm/c@2/node_modules/c", r#"{"dependencies":{"c":"2"}}"#),
        ]);
        let link = |target: &str, place: &str| std::os::unix::fs::symlink(root.join(target), root.join(place)).unwrap();
        link("node_modules/.pnpm/a@1/node_modules/a", "node_modules/a");
        link("node_modules/.pnpm/b@1/node_modules/b", "node_modules/b");
        link("node_modules/.pnpm/c@1/node_modules/c", "node_modules/.pnpm/a@1/node_modules/c");
        link("node_modules/.pnpm/c@2/node_modules/c", "node_modules/.pnpm/b@1/node_modules/c");
        link("node_modules/.pnpm/a@1/node_modules/a", "node_modules/.pnpm/b@1/node_modules/a");
        let expected = ["a", "b", "b/node_modules/c", "c"].map(|name| format!("node_modules/{name}/index.js"));
        assert_eq!(layer(&root, &["a", "b"]), expected);
    }
}
