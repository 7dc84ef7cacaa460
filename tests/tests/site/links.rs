//! Every link of the built site leads to a page, and every anchor to a place on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use walkdir::WalkDir;

static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:href|src|srcset)="([^"]*)""#).expect("the pattern is a constant"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\sid="([^"]*)""#).expect("the pattern is a constant"));

/// What stands in the folder of a built site: each path that a browser may ask for, and the places on those that are pages.
#[derive(Debug)]
pub(crate) struct BuiltSite {
    files: BTreeMap<String, String>,
}

impl BuiltSite {
    pub(crate) fn read(folder: &Path) -> Self {
        let entries = WalkDir::new(folder).into_iter().map(|entry| entry.expect("the folder is readable"));
        let files = entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
        Self { files: files.map(|file| (address(folder, &file), page(&file))).collect() }
    }

    /// How many pages it has.
    pub(crate) fn pages(&self) -> usize {
        self.files.values().filter(|text| !text.is_empty()).count()
    }

    /// Each link that leads nowhere, or to somebody else for something that the page itself needs, with the page it stands on.
    pub(crate) fn dead_links(&self) -> BTreeSet<String> {
        let of_page = |(path, text): (&String, &String)| -> Vec<String> {
            let links = LINK.captures_iter(text).map(|link| link[1].to_owned());
            links.filter(|link| !self.leads_somewhere(path, link)).map(|link| format!("{path} -> {link}")).collect()
        };
        self.files.iter().flat_map(of_page).collect()
    }

    fn leads_somewhere(&self, page: &str, link: &str) -> bool {
        if link.starts_with("https://") || link.starts_with("data:") {
            return true;
        }
        let (path, place) = link.split_once('#').unwrap_or((link, ""));
        let path = if path.is_empty() { page } else { path };
        let target = self.files.get(path).or_else(|| self.files.get(&format!("{path}/")));
        target.is_some_and(|text| place.is_empty() || PLACE.captures_iter(text).any(|found| &found[1] == place))
    }
}

/// What a browser asks for to get a file of a folder.
fn address(folder: &Path, file: &Path) -> String {
    let path = file.strip_prefix(folder).expect("it is below the folder").display().to_string();
    format!("/{}", path.strip_suffix("index.html").unwrap_or(&path))
}

/// The text of a file that is a page, nothing of any other.
fn page(file: &Path) -> String {
    let is_page = file.extension().is_some_and(|extension| extension == "html");
    if is_page { std::fs::read_to_string(file).expect("a page is text") } else { String::new() }
}
