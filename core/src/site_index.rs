//! What stands where in a deployment.

use std::collections::{HashMap, HashSet};

use crate::manifest::Manifest;
use crate::path::FunctionName;

/// The place of an asset in [`Manifest::assets`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct AssetIndex(pub u32);

/// The place of a function in [`Manifest::functions`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct FunctionIndex(pub u32);

/// What stands at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Found {
    /// A static file.
    Asset(AssetIndex),
    /// A function.
    Function(FunctionIndex),
}

/// What stands where in a deployment: a lookup in a map, never a path joined to a folder.
#[derive(Debug, Default)]
pub struct SiteIndex {
    files: HashMap<Box<str>, Found>,
    folders: HashMap<Box<str>, Found>,
}

impl SiteIndex {
    /// The index of a manifest. An asset goes before a function at the same path; `index.html` and a function `index` also
    /// stand at their folder; a function, and an asset without an extension, answer with and without a trailing `/`. A
    /// middleware stands nowhere: it is only asked by routes.
    pub fn new(manifest: &Manifest) -> Self {
        let mut index = Self::default();
        for (number, asset) in (0..).zip(manifest.assets()) {
            let found = Found::Asset(AssetIndex(number));
            index.files.insert(asset.path.as_str().into(), found);
            if let Some(folder) = folder_of(asset.path.as_str(), "index.html") {
                index.folders.insert(folder.into(), found);
            }
        }
        // A page that is called `about` answers at `/about/` too: frameworks write it as `about.html` and route to either.
        for (number, asset) in (0..).zip(manifest.assets()) {
            if asset.path.extension().is_none() {
                let found = Found::Asset(AssetIndex(number));
                index.folders.entry(asset.path.as_str().into()).or_insert(found);
            }
        }
        let middleware: HashSet<&FunctionName> = manifest.routes().middleware().collect();
        for (number, function) in (0..).zip(manifest.functions()) {
            if middleware.contains(&function.name) {
                continue;
            }
            let found = Found::Function(FunctionIndex(number));
            let name = function.name.as_str();
            index.files.entry(name.into()).or_insert(found);
            index.folders.entry(name.into()).or_insert(found);
            if let Some(folder) = folder_of(name, "index") {
                index.folders.entry(folder.into()).or_insert(found);
            }
        }
        index
    }

    /// What stands at a normalised URL path (see [`crate::UrlPath`]).
    pub fn find(&self, url_path: &str) -> Option<Found> {
        let path = url_path.trim_start_matches('/');
        if path.contains('%') {
            let site_path = crate::path::site_path_of(url_path)?;
            return self.lookup(site_path.as_str(), path.ends_with('/'));
        }
        self.lookup(path.trim_end_matches('/'), path.is_empty() || path.ends_with('/'))
    }

    fn lookup(&self, path: &str, as_folder: bool) -> Option<Found> {
        let file = if as_folder { None } else { self.files.get(path) };
        file.or_else(|| self.folders.get(path)).copied()
    }
}

/// The folder that `path` is the index of.
fn folder_of<'p>(path: &'p str, index_name: &str) -> Option<&'p str> {
    match path.strip_suffix(index_name)? {
        "" => Some(""),
        folder => folder.strip_suffix('/'),
    }
}
