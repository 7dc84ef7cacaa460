//! What a function is made of until it is packed.

use std::collections::BTreeMap;
use std::path::Path;

use super::folder::PackedFile;
use crate::node::Calling;
use crate::tree;

/// The files of a function that is still to be packed.
#[derive(Clone, Debug)]
pub(crate) struct FunctionFiles {
    /// By their names in the artifact.
    pub(crate) files: BTreeMap<String, PackedFile>,
    /// Installed packages, which change less often than what uses them: a layer of their own. By their names in the artifact,
    /// all of them below [`PACKAGES`].
    pub(crate) packages: BTreeMap<String, PackedFile>,
    pub(crate) start: Start,
}

/// Where installed packages stand in a function's folder.
pub(crate) const PACKAGES: &str = "node_modules";

impl FunctionFiles {
    /// All of it as one artifact.
    pub(super) fn together(&self) -> Self {
        let files = self.files.iter().chain(&self.packages).map(|(name, file)| (name.clone(), file.clone()));
        Self { files: files.collect(), packages: BTreeMap::new(), start: self.start.clone() }
    }

    /// What is made of `files`. Packages are a layer if they can be: a link from one of them to something else in the function
    /// would lead nowhere.
    pub(crate) fn with_packages_apart(files: BTreeMap<String, PackedFile>, start: Start) -> Self {
        let is_package = |path: &Path| path.starts_with(PACKAGES);
        let stays = |(name, file): (&String, &PackedFile)| match file {
            PackedFile::Link { target } => {
                let stands_in = Path::new(name).parent().unwrap_or(Path::new(""));
                is_package(&tree::normalised(&stands_in.join(target)))
            }
            PackedFile::File { .. } => true,
        };
        let (packages, others): (BTreeMap<_, _>, _) =
            files.into_iter().partition(|(name, _)| is_package(Path::new(name)));
        if packages.iter().all(stays) {
            return Self { files: others, packages, start };
        }
        Self { files: others.into_iter().chain(packages).collect(), packages: BTreeMap::new(), start }
    }
}

/// How a function is started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// A program of its own.
    Program {
        /// Its file in the artifact.
        handler: String,
    },
    /// A module that Node loads.
    Node {
        /// Its file in the artifact.
        entry: String,
        /// How it wants to be called.
        calling: Calling,
        /// Variables that it finds set.
        environment: BTreeMap<String, String>,
    },
    /// A module that ship adds, for Node to load.
    Module {
        /// Its file in the artifact.
        name: &'static str,
        /// What stands in it.
        text: Vec<u8>,
        /// How it wants to be called.
        calling: Calling,
    },
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn apart(links: &[(&str, &str)]) -> Vec<String> {
        let file = |name: &str| (name.to_owned(), PackedFile::File { file: PathBuf::from(name), is_executable: false });
        let link =
            |(name, target): &(&str, &str)| ((*name).to_owned(), PackedFile::Link { target: (*target).to_owned() });
        let files = ["server.js", "node_modules/a/index.js", "lib/node_modules/b/index.js"].map(file);
        let start = Start::Program { handler: "server.js".to_owned() };
        let parts =
            FunctionFiles::with_packages_apart(files.into_iter().chain(links.iter().map(link)).collect(), start);
        assert_eq!(parts.together().files.len(), 3 + links.len());
        parts.packages.into_keys().collect()
    }

    /// Installed packages stand apart with their links, unless one of these leads to what is no package.
    #[test]
    fn packages() {
        assert_eq!(apart(&[]), ["node_modules/a/index.js"]);
        let within = [("node_modules/.pnpm/b/c", "../../a"), ("lib/node_modules/a", "../../node_modules/a")];
        assert_eq!(apart(&within), ["node_modules/.pnpm/b/c", "node_modules/a/index.js"]);
        assert_eq!(apart(&[("node_modules/@mono/ui", "../../packages/ui")]), Vec::<String>::new());
    }
}
