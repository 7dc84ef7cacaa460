//! Pages that functions have left: `*.prerender-config.json`.
//!
//! A page that never changes and is the same for all is served as a file. Any other is kept by the edge as long as it is fresh,
//! and its function makes the next one.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use ship_core::route::{CaseRule, Pattern, Route};
use ship_core::{BypassToken, Digest, Expiration, Fallback, FunctionName, MediaType, Prerender, QueryPlace, SitePath};

use super::{OverriddenFile, Override, Place, PrebuiltError};
use crate::artifact::{ArtifactError, digest_file};
use crate::tree;

/// How the files are named.
const CONFIG_END: &str = ".prerender-config.json";

/// The status of most pages.
const OK: u16 = 200;

/// A page as it was left.
pub(super) enum Page {
    /// It is served as a file, with these headers.
    File(Override, BTreeMap<String, String>),
    /// It is kept, and made anew.
    Kept(KeptPage),
}

/// A page that is kept, and what was left of it.
#[derive(Debug)]
pub(crate) struct KeptPage {
    /// Without a fallback: the digest of its body is not known yet.
    prerender: Prerender,
    fallback: Option<LeftAnswer>,
}

/// An answer of a function, its body in a file.
#[derive(Debug)]
struct LeftAnswer {
    file: PathBuf,
    status: u16,
    headers: BTreeMap<String, String>,
}

/// The file, as far as it is looked at.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct PrerenderConfig {
    #[serde(default)]
    expiration: Option<Expiration>,
    #[serde(default)]
    fallback: Value,
    #[serde(default)]
    initial_headers: BTreeMap<String, String>,
    #[serde(default)]
    initial_status: Option<u16>,
    #[serde(default)]
    allow_query: Option<Vec<String>>,
    #[serde(default)]
    pass_query: bool,
    #[serde(default)]
    bypass_token: Option<String>,
}

/// Finds the pages of an output.
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
            pages.push(page(place, &path)?);
        }
    }
    Ok(())
}

/// The page that the file `config` is about.
fn page(place: &Place<'_>, config: &Path) -> Result<Page, PrebuiltError> {
    let mut read: PrerenderConfig = place.read_json(config)?;
    let below = config.strip_prefix(place.folder.join("functions")).unwrap_or(config).to_string_lossy();
    let name = below.strip_suffix(CONFIG_END).unwrap_or(&below);
    let wrong = |source| PrebuiltError::Path { config: place.shown(config), source };
    let bypass_token = read.bypass_token.take().and_then(|token| BypassToken::try_from(token).ok());
    let expiration = read.expiration.unwrap_or(Expiration::Never);
    let answer = left_answer(place, config, &mut read)?;
    let is_same_for_all = read.allow_query.as_ref().is_some_and(Vec::is_empty);
    let is_fixed = expiration == Expiration::Never && is_same_for_all && bypass_token.is_none();
    match answer {
        Some(answer) if is_fixed && answer.status == OK => file(name, answer).map_err(wrong),
        _ if !config.with_file_name(format!("{}.func", file_name(name))).is_dir() => {
            Err(PrebuiltError::PageWithoutFunction { config: place.shown(config) })
        }
        fallback => {
            let function: FunctionName = name.parse().map_err(wrong)?;
            let query_place = if read.pass_query { QueryPlace::Url } else { QueryPlace::Header };
            let allow_query = read.allow_query;
            let prerender = Prerender { function, expiration, allow_query, query_place, bypass_token, fallback: None };
            Ok(Page::Kept(KeptPage { prerender, fallback }))
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The answer that was left beside `config`.
fn left_answer(
    place: &Place<'_>,
    config: &Path,
    read: &mut PrerenderConfig,
) -> Result<Option<LeftAnswer>, PrebuiltError> {
    let file = match &read.fallback {
        Value::String(file) => file.as_str(),
        Value::Object(file) => file.get("fsPath").and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    };
    if file.is_empty() {
        return Ok(None);
    }
    let location = tree::follow(&config.parent().unwrap_or(place.folder).join(file), place.project)?;
    let headers = std::mem::take(&mut read.initial_headers);
    let mut headers: BTreeMap<String, String> =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    if !headers.contains_key("content-type")
        && let Ok(path) = file.parse()
    {
        headers.insert("content-type".to_owned(), crate::assets::media_type(&path).as_str().to_owned());
    }
    Ok(Some(LeftAnswer { file: location, status: read.initial_status.unwrap_or(OK), headers }))
}

/// The page as a file of the site.
fn file(name: &str, answer: LeftAnswer) -> Result<Page, ship_core::ParsePathError> {
    let LeftAnswer { file, mut headers, .. } = answer;
    let served = if name == "index" || name.ends_with("/index") { format!("{name}.html") } else { name.to_owned() };
    let path = Some(served.parse()?);
    let media_type = headers.remove("content-type").and_then(|text| text.parse::<MediaType>().ok());
    Ok(Page::File(Override { file: OverriddenFile::Fallback(file), path, media_type }, headers))
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

/// The pages as a manifest has them, and where the bodies of their fallbacks are.
pub(crate) fn digested(pages: &[KeptPage]) -> Result<(Vec<Prerender>, HashMap<Digest, PathBuf>), ArtifactError> {
    let mut files = HashMap::new();
    let mut digested = Vec::with_capacity(pages.len());
    for KeptPage { prerender, fallback } in pages {
        let mut prerender = prerender.clone();
        if let Some(LeftAnswer { file, status, headers }) = fallback {
            let read = || digest_file(&mut std::fs::File::open(file)?);
            let (digest, size_bytes) =
                read().map_err(|source| ArtifactError::Unwritable { path: file.clone(), source })?;
            files.insert(digest, file.clone());
            prerender.fallback = Some(Fallback { digest, size_bytes, status: *status, headers: headers.clone() });
        }
        digested.push(prerender);
    }
    Ok((digested, files))
}
