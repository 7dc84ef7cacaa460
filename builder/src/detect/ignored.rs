//! `.shipignore`, `.vercelignore` and, where the project folder itself is the site, `.gitignore`.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::DetectError;
use crate::project::ProjectDir;
use crate::tree::Selection;

/// What a person does not want to be deployed.
///
/// `.shipignore` goes before `.vercelignore`; one of them speaks for functions and static files. `.gitignore` is only asked
/// when neither is there and the site is the project folder itself: what is kept out of version control there (logs, keys,
/// local data) was never meant to be public, while an ignored `dist/` named as output was.
#[derive(Debug)]
pub(crate) struct IgnoreFile {
    root: PathBuf,
    deploy: Option<Gitignore>,
    version_control: Option<Gitignore>,
}

impl IgnoreFile {
    /// Reads the files in the project's root folder.
    pub(crate) fn read(project: &ProjectDir) -> Result<Self, DetectError> {
        let deploy = match load(project.root(), ".shipignore")? {
            Some(patterns) => Some(patterns),
            None => load(project.root(), ".vercelignore")?,
        };
        let version_control = if deploy.is_some() { None } else { load(project.root(), ".gitignore")? };
        Ok(Self { root: project.root().to_owned(), deploy, version_control })
    }

    /// Nothing is ignored.
    pub(crate) fn none(project: &ProjectDir) -> Self {
        Self { root: project.root().to_owned(), deploy: None, version_control: None }
    }

    /// The patterns that hold everywhere.
    pub(crate) fn everywhere(&self) -> Patterns<'_> {
        Patterns { root: &self.root, patterns: self.deploy.as_ref() }
    }

    /// The patterns that hold where the project folder itself is the site.
    pub(crate) fn in_project_folder(&self) -> Patterns<'_> {
        Patterns { root: &self.root, patterns: self.deploy.as_ref().or(self.version_control.as_ref()) }
    }
}

fn load(root: &Path, name: &str) -> Result<Option<Gitignore>, DetectError> {
    let file = root.join(name);
    if !file.is_file() {
        return Ok(None);
    }
    let mut builder = GitignoreBuilder::new(root);
    let wrong = |source| DetectError::IgnoreFile { file: PathBuf::from(name), source };
    if let Some(error) = builder.add(&file) {
        return Err(wrong(error));
    }
    let patterns = builder.build().map_err(wrong)?;
    Ok((!patterns.is_empty()).then_some(patterns))
}

/// Patterns that are asked from the top of a tree downwards.
#[derive(Clone, Copy)]
pub(crate) struct Patterns<'i> {
    root: &'i Path,
    patterns: Option<&'i Gitignore>,
}

impl Patterns<'_> {
    /// Wraps a selection of the tree at `folder`, leaving out what the patterns name.
    pub(crate) fn without_ignored<S: Selection>(self, folder: &Path, selection: S) -> impl Selection {
        let prefix = folder.strip_prefix(self.root).unwrap_or(Path::new("")).to_owned();
        WithoutIgnored { patterns: self.patterns, prefix, selection }
    }
}

struct WithoutIgnored<'i, S> {
    patterns: Option<&'i Gitignore>,
    prefix: PathBuf,
    selection: S,
}

impl<S> WithoutIgnored<'_, S> {
    fn ignores_folder(&self, path: &str) -> bool {
        self.patterns.is_some_and(|patterns| patterns.matched(self.prefix.join(path), true).is_ignore())
    }

    fn ignores_file(&self, path: &str) -> bool {
        self.patterns.is_some_and(|patterns| patterns.matched(self.prefix.join(path), false).is_ignore())
    }
}

impl<S: Selection> Selection for WithoutIgnored<'_, S> {
    fn enters(&self, path: &str, name: &str) -> bool {
        self.selection.enters(path, name) && !self.ignores_folder(path)
    }

    fn takes(&self, path: &str, name: &str) -> bool {
        self.selection.takes(path, name) && !self.ignores_file(path)
    }
}
