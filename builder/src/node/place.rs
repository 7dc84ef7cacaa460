//! Where the files of a project stand in an artifact: where they stand in the project, so that what a module reads beside
//! itself is there.

use std::path::{Component, Path};

/// The folder of an artifact that holds the bundled modules.
pub(super) const BUNDLE_FOLDER: &str = "_ship";

/// What stands for a folder above the project's.
const ABOVE: &str = "_above";

/// The path of `file` relative to `base`, as an artifact has it. What stands above the project (a workspace's other packages)
/// keeps a name of its own, because nothing may lead out of an artifact.
pub(super) fn in_artifact(base: &Path, file: &Path) -> String {
    let mut names: Vec<String> = Vec::new();
    for part in relative(base, file).split('/').filter(|part| !part.is_empty()) {
        names.push(if part == ".." { ABOVE.to_owned() } else { part.to_owned() });
    }
    names.join("/")
}

/// The path from `base` to `file`, both absolute, with `/` between folders; empty if they are the same.
pub(crate) fn relative(base: &Path, file: &Path) -> String {
    let (base, file): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (base.components().collect(), file.components().collect());
    let shared = base.iter().zip(&file).take_while(|(left, right)| left == right).count();
    let up = std::iter::repeat_n("..".to_owned(), base.len() - shared);
    let down = file[shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<String>>().join("/")
}

/// The folder of the package that `file` belongs to, if that is an installed one: what follows the last `node_modules`.
pub(super) fn package_folder(file: &Path) -> Option<(std::path::PathBuf, String)> {
    let parts: Vec<Component<'_>> = file.components().collect();
    let last = parts.iter().rposition(|part| part.as_os_str() == "node_modules")?;
    let first = parts.get(last + 1)?.as_os_str().to_string_lossy();
    let length = if first.starts_with('@') { 2 } else { 1 };
    let name: Vec<String> = parts
        .get(last + 1..=last + length)?
        .iter()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    Some((parts[..=last + length].iter().collect(), name.join("/")))
}

/// The package that an import names: `@scope/name` of `@scope/name/part`. `None` for paths, and for what only the bundler knows.
pub(super) fn package_name(specifier: &str) -> Option<&str> {
    if specifier.starts_with(['.', '/', '#', '\0']) || specifier.contains(':') || specifier.is_empty() {
        return None;
    }
    let slashes = usize::from(specifier.starts_with('@'));
    let end = specifier.match_indices('/').nth(slashes).map_or(specifier.len(), |(index, _)| index);
    Some(&specifier[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file keeps its place; what is above the project stays in the artifact.
    #[test]
    fn places() {
        let place = |file: &str| in_artifact(Path::new("/srv/site"), Path::new(file));
        assert_eq!(place("/srv/site/api/[id].ts"), "api/[id].ts");
        assert_eq!(place("/srv/shared/dates.ts"), "_above/shared/dates.ts");
        assert_eq!(place("/srv/site"), "");
        assert_eq!(relative(Path::new("/srv/site"), Path::new("/srv/shared/dates.ts")), "../shared/dates.ts");
    }

    /// A package is what its folder below the last `node_modules` is called.
    #[test]
    fn packages() {
        let package =
            |file: &str| package_folder(Path::new(file)).map(|(folder, name)| (folder.display().to_string(), name));
        assert_eq!(package("/a/node_modules/zod/lib/index.js"), Some(("/a/node_modules/zod".into(), "zod".into())));
        let pnpm = "/a/node_modules/.pnpm/@x+y@1/node_modules/@x/y/index.js";
        assert_eq!(package(pnpm), Some(("/a/node_modules/.pnpm/@x+y@1/node_modules/@x/y".into(), "@x/y".into())));
        assert_eq!(package("/a/lib/index.js"), None);
        assert_eq!(package_name("@x/y/part"), Some("@x/y"));
        assert_eq!(package_name("lodash-es/map.js"), Some("lodash-es"));
        assert_eq!(package_name("zod"), Some("zod"));
        assert_eq!([package_name("./a"), package_name("node:fs"), package_name("#dep")], [None, None, None]);
    }
}
