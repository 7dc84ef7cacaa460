//! Pages that functions have left: `*.prerender-config.json`.
//!
//! A page that never expires and that no parameter changes is served as a file. Any other is made by its function at each
//! request: that is never stale, and costs what the function costs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use ship_core::route::{CaseRule, Pattern, Route};
use ship_core::{MediaType, SitePath};

use super::{OverriddenFile, Override, Place, PrebuiltError};
use crate::tree;

/// How the files are named.
const CONFIG_END: &str = ".prerender-config.json";

/// A page that is served as a file, and the headers it is sent with.
type Page = (Override, BTreeMap<String, String>);

/// The file, as far as it is looked at.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct PrerenderConfig {
    #[serde(default)]
    expiration: Value,
    #[serde(default)]
    fallback: Value,
    #[serde(default)]
    initial_headers: BTreeMap<String, String>,
    #[serde(default)]
    initial_status: Option<u16>,
    #[serde(default)]
    allow_query: Option<Vec<String>>,
}

/// Finds the pages of an output that are served as files.
pub(super) fn find(place: &Place<'_>) -> Result<Vec<Page>, PrebuiltError> {
    let mut pages = Vec::new();
    collect(place, &place.folder.join("functions"), &mut pages)?;
    Ok(pages)
}

fn collect(place: &Place<'_>, folder: &Path, pages: &mut Vec<Page>) -> Result<(), PrebuiltError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort_unstable();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name.strip_suffix(".func").is_none() {
            collect(place, &path, pages)?;
        } else if name.ends_with(CONFIG_END) {
            pages.extend(page(place, &path)?);
        }
    }
    Ok(())
}

/// The page that the file `config` is about, if it is served as a file.
fn page(place: &Place<'_>, config: &Path) -> Result<Option<Page>, PrebuiltError> {
    let read: PrerenderConfig = place.read_json(config)?;
    let is_fixed = read.expiration == Value::Bool(false)
        && read.allow_query.is_none_or(|names| names.is_empty())
        && read.initial_status.is_none_or(|status| status == 200);
    let file = match &read.fallback {
        Value::String(file) => Some(file.as_str()),
        Value::Object(file) => file.get("fsPath").and_then(Value::as_str),
        _ => None,
    };
    let Some(file) = file.filter(|_| is_fixed) else { return Ok(None) };
    let location = config.parent().unwrap_or(place.folder).join(file);
    let location = tree::follow(&location, place.project)?;
    let below = config.strip_prefix(place.folder.join("functions")).unwrap_or(config).to_string_lossy();
    let name = below.strip_suffix(CONFIG_END).unwrap_or(&below);
    let served = if name == "index" || name.ends_with("/index") { format!("{name}.html") } else { name.to_owned() };
    let path: SitePath =
        served.parse().map_err(|source| PrebuiltError::Path { config: place.shown(config), source })?;
    let mut headers: BTreeMap<String, String> =
        read.initial_headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let media_type = headers.remove("content-type").and_then(|text| text.parse::<MediaType>().ok());
    let media_type = media_type.or_else(|| Some(crate::assets::media_type(&file.parse().ok()?)));
    Ok(Some((Override { file: OverriddenFile::Fallback(location), path: Some(path), media_type }, headers)))
}

/// The route that sends `headers` with the page at `path`.
pub(super) fn headers_route(path: &SitePath, headers: BTreeMap<String, String>) -> Route {
    let shown = path.as_str().strip_suffix("index.html").unwrap_or(path.as_str());
    let src = format!("^/{}$", escape(shown));
    let mut route = Route::new(Pattern::anchored(&src, CaseRule::Sensitive).expect("an escaped text is a pattern"));
    route.headers = headers;
    route.continues = true;
    route
}

/// A text as a pattern that matches it alone.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if ".+*?^$()[]{}|\\/-".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
