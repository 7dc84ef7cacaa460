//! Whole configurations against `@vercel/routing-utils`, by what becomes of requests.

use serde_json::Value;
use ship_builder::{ProjectDir, detect};
use ship_core::route::{Outcome, RouteRequest, RouteTable, resolve};
use ship_core::{Asset, Digest, Found, Manifest, MediaType, SiteIndex, UrlPath};

use crate::generate::{self, Dice, FILES, TARGETS};
use crate::npm;

const CONFIGURATIONS: usize = 400;

/// Who asks: nobody in particular, somebody with a language, somebody with a cookie, somebody at another name.
const VISITORS: [(&str, &[(&str, &str)]); 4] = [
    ("site.test", &[]),
    ("site.test", &[("x-lang", "de"), ("lang", "en")]),
    ("site.test", &[("cookie", "beta=on"), ("x-lang", "es")]),
    ("www.example", &[]),
];

/// A site of files, and its routes.
struct Site {
    manifest: Manifest,
    index: SiteIndex,
}

impl Site {
    fn new(files: impl Iterator<Item = String>, routes: RouteTable) -> Self {
        let asset = |path: String| Asset {
            path: path.parse().unwrap(),
            digest: Digest::of(b""),
            size_bytes: 0,
            media_type: MediaType::octet_stream(),
        };
        let manifest = Manifest::new(files.map(asset).collect(), Vec::new(), routes, Vec::new()).unwrap();
        let index = SiteIndex::new(&manifest);
        Self { manifest, index }
    }

    /// What becomes of a request, in one line, written the same however it was reached.
    fn ask(&self, target: &str, host: &str, headers: &[(&str, &str)]) -> String {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let path = UrlPath::parse(path).unwrap();
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let request = RouteRequest { method: "GET", host, path: &path, query, header: &header };
        let mut resolution = resolve(self.manifest.routes(), &self.index, &request);
        resolution.headers.sort();
        let outcome = match resolution.outcome {
            Outcome::Found { found: Found::Asset(asset), query, status } => {
                let path = self.manifest.assets()[asset.0 as usize].path.as_str();
                format!("{} {} {status:?}", page(path), sorted(&query.unwrap_or_default()))
            }
            Outcome::Redirect { status, location } => format!("{status} to {}", with_sorted_query(&location)),
            Outcome::External { url, status } => format!("external {} {status:?}", with_sorted_query(&url)),
            other => format!("{other:?}"),
        };
        format!("{outcome} {:?}", resolution.headers)
    }
}

/// A page's name, whether it stands in a file or in a folder of its own.
fn page(path: &str) -> &str {
    let path = path.strip_suffix(".html").unwrap_or(path);
    path.strip_suffix("/index").unwrap_or(path)
}

/// A query decoded and sorted: in which order parameters are added, and how they are escaped, is nobody's concern.
fn sorted(query: &str) -> String {
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    let mut pairs: Vec<String> = query.split('&').filter(|pair| !pair.is_empty()).map(decode).collect();
    pairs.sort();
    pairs.join("&")
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn with_sorted_query(url: &str) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    // Vercel's `/` of a host without a path, and its redirect of `/index` with a trailing slash, which leads to another host.
    let path =
        if path == "//" { "/" } else { path.strip_suffix('/').filter(|host| host.ends_with(".com")).unwrap_or(path) };
    format!("{path}?{}", sorted(query))
}

/// Hundreds of configurations of clean URLs, trailing slashes, legacy routes, redirects, headers and rewrites, with conditions: each
/// request is answered as Vercel's routes would have it.
///
/// The differences that are meant: `/index.html` with clean URLs and trailing slashes leads to `/`, where Vercel's leads to `//`; and
/// `/:path*` is about `/` as well (see the other test). A condition on `X-Lang` without a value adds no parameter, because `$X-Lang` can
/// name none. Clean URLs stand in the files of Vercel's site, where they are routes of ship's.
#[test]
fn same_as_routing_utils() {
    let mut dice = Dice::new(2);
    let mut files: Vec<Value> = (0..CONFIGURATIONS).map(|_| generate::configuration(&mut dice)).collect();
    let answers: Vec<Option<Value>> = npm::ask("tables.js", &files);
    let folder = tempfile::tempdir().unwrap();
    let (mut asked, mut differences) = (0, Vec::new());
    for (file, answer) in files.iter_mut().zip(answers) {
        let routes = answer.unwrap_or_else(|| panic!("Vercel refuses {file}"));
        let text = file.to_string();
        std::fs::write(folder.path().join("vercel.json"), &text).unwrap();
        std::fs::write(folder.path().join("index.html"), "").unwrap();
        let config =
            detect(&ProjectDir::open(folder.path()).unwrap()).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let ours = Site::new(FILES.iter().map(ToString::to_string), config.routes().clone());
        let has_clean_urls = file["cleanUrls"] == true;
        let vercels_file = |path: &&str| match path.strip_suffix(".html").filter(|name| !name.ends_with("index")) {
            Some(name) if has_clean_urls => format!("{name}/index.html"),
            _ => (*path).to_owned(),
        };
        let theirs = Site::new(FILES.iter().map(vercels_file), serde_json::from_value(routes).unwrap());
        for target in TARGETS {
            for (host, headers) in VISITORS {
                let (found, expected) = (ours.ask(target, host, headers), theirs.ask(target, host, headers));
                asked += 1;
                if differences.last().is_some_and(|known: &String| known.ends_with(&text)) {
                    continue;
                }
                if found != expected && !(target == "/" && text.contains("\"/:p*\"")) {
                    differences.push(format!(
                        "{target} at {host} with {headers:?}\n  ship   {found}\n  vercel {expected}\n{text}"
                    ));
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {asked} differ, among them\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}
