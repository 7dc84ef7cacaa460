//! Route tables: what compiles decides in bounded time and memory, the same way each time, and leads nobody to a host that it does not name.
//!
//! An input is text: a line with the routes as `config.json` has them, a line `METHOD host /path?query`, then a line `name: value` for each header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ship_core::route::{Heading, Outcome, Resolution, RouteRequest, RouteTable, resolve, resume};
use ship_core::{Asset, Digest, Function, FunctionLimits, FunctionRuntime, Manifest, MediaType, SiteIndex, UrlPath};

const ASSETS: [&str; 5] = ["index.html", "404.html", "about", "docs/index.html", "assets/100%.js"];
const FUNCTIONS: [&str; 4] = ["api/date", "api/[id]", "guard", "index"];

/// As much as all that is said of one request may take, in bytes: a visitor's whole head may have 64 KiB, and the input has at most 4.
const RESOLUTION_BYTES: usize = 16 * 1024 * 1024;

fn site(routes: RouteTable) -> Option<Manifest> {
    let digest = Digest::of(b"");
    let asset = |path: &str| Asset {
        path: path.parse().expect("a path"),
        digest,
        size_bytes: 0,
        media_type: MediaType::octet_stream(),
    };
    let function = |name: &str| Function {
        name: name.parse().expect("a name"),
        runtime: FunctionRuntime::Go,
        digest,
        size_bytes: 0,
        limits: FunctionLimits::default(),
        layers: Vec::new(),
        warm: Vec::new(),
    };
    Manifest::new(ASSETS.map(asset).into(), FUNCTIONS.map(function).into(), routes, Vec::new()).ok()
}

/// The decision about a request, and those after each middleware that it waits for.
fn decide(manifest: &Manifest, index: &SiteIndex, request: &RouteRequest<'_>) -> Vec<Resolution> {
    let mut decisions = vec![resolve(manifest.routes(), index, request)];
    while let Some(Outcome::Middleware { pause, .. }) = decisions.last().map(|decision| &decision.outcome) {
        assert!(decisions.len() <= FUNCTIONS.len(), "a middleware is asked once");
        let heading = if decisions.len() % 2 == 0 { Heading::Rewritten } else { Heading::AsBefore };
        let pause = (**pause).clone();
        decisions.push(resume(manifest.routes(), index, request, pause, heading));
    }
    decisions
}

fn is_text_of_a_header(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn is_sound(decision: &Resolution, manifest: &Manifest) {
    let headers: usize = decision.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let outcome = match &decision.outcome {
        Outcome::Found { query, .. } => query.as_deref().unwrap_or_default().len(),
        Outcome::Redirect { location, .. } => location.len(),
        Outcome::External { url, .. } => url.len(),
        _ => 0,
    };
    assert!(headers + outcome <= RESOLUTION_BYTES, "{headers} bytes of headers, {outcome} of the outcome");
    for (name, value) in &decision.headers {
        assert!(
            *name == name.to_ascii_lowercase() && name != "location" && is_text_of_a_header(value),
            "{name}: {value}"
        );
    }
    match &decision.outcome {
        Outcome::Redirect { status, location } => {
            assert!((300..400).contains(status) && is_text_of_a_header(location), "{location:?}");
            stays_here_unless_sent_away(location, manifest);
        }
        Outcome::External { url, .. } => is_host_of_a_destination(url, manifest),
        Outcome::Found { status, .. } => assert!(status.is_none_or(|status| (200..600).contains(&status))),
        Outcome::Status(status) => assert!((200..600).contains(status)),
        Outcome::Middleware { .. } | Outcome::NotFound | Outcome::Exhausted { .. } => {}
    }
}

/// Every text of the table that names where something leads.
fn texts(manifest: &Manifest) -> Vec<String> {
    let json = serde_json::to_value(manifest.routes()).expect("a table can be written");
    let routes = json.as_array().into_iter().flatten();
    let locations = |route: &serde_json::Value| {
        let headers = route["headers"].as_object().cloned().unwrap_or_default();
        headers.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, value)| value)
    };
    let all = routes.flat_map(|route| locations(route).chain([route["dest"].clone()]));
    all.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// A redirect whose template begins with one slash stays on the site that was asked.
fn stays_here_unless_sent_away(location: &str, manifest: &Manifest) {
    let is_local = |text: &String| text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
    if texts(manifest).iter().all(is_local) {
        assert!(location.starts_with('/'), "{location:?}");
        assert!(!location[1..].starts_with(['/', '\\']), "{location:?} leads to another host");
    }
}

/// Where a URL's authority begins and ends.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
}

/// A host that is asked on behalf of a visitor is one that the table names, with nothing caught in it but labels.
fn is_host_of_a_destination(url: &str, manifest: &Manifest) {
    let host = authority(url);
    let names = |destination: &String| {
        let template = authority(destination);
        let Some(first) = template.find('$') else { return template == host };
        let last = template.rfind('$').unwrap_or(first) + 1;
        let name = template[last..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let (before, behind) = (&template[..first], &template[last + name..]);
        let caught = host.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
        // Between two groups there may be anything that the table's author wrote.
        caught.is_some_and(|caught| last > first + 1 || !caught.contains(['@', ':', '\\', ' ']))
    };
    let destinations = texts(manifest);
    assert!(destinations.iter().any(names), "{url:?} is none of {destinations:?}");
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.lines();
    let Some(Ok(table)) = lines.next().map(serde_json::from_str::<RouteTable>) else { return };
    let written = serde_json::to_string(&table).expect("a table can be written");
    let again: RouteTable = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, table);
    let (Some(manifest), Some(other)) = (site(table), site(again)) else { return };
    if manifest.check_patterns().is_err() {
        return;
    }
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let (Some(method), Some(host), Some(target)) = (words.next(), words.next(), words.next()) else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let Ok(path) = UrlPath::parse(path) else { return };
    if !query.unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic()) {
        return;
    }
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let request = RouteRequest { method, host, path: &path, query, header: &header };
    let index = SiteIndex::new(&manifest);
    let decisions = decide(&manifest, &index, &request);
    decisions.iter().for_each(|decision| is_sound(decision, &manifest));
    assert_eq!(decide(&manifest, &index, &request), decisions, "asked again, it decides the same");
    assert_eq!(decide(&other, &SiteIndex::new(&other), &request), decisions, "and so does the same table, read anew");
});
