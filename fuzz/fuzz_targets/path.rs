//! Paths and names: whatever is accepted is written as it was read, stays below its folder, and can stand where it is put.
#![no_main]

use std::fmt::Display;
use std::path::{Component, Path};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use ship_core::{
    AddressRange, BranchName, DeploymentId, DeploymentIdPrefix, Digest, DomainName, FunctionName, HostLabel, Lifetime,
    LogCursor, LogLevels, LogMoment, LoginCode, MediaType, OriginPattern, ProjectName, RequestId, SitePath,
    StatusRanges, TokenId, TokenName, UrlPath, VariableName,
};

/// What is read, written and read again is the same, and written the same.
fn there_and_back<T: FromStr + Display>(text: &str) -> Option<String> {
    let written = text.parse::<T>().ok()?.to_string();
    let again = written.parse::<T>().ok().map(|again| again.to_string());
    assert_eq!(again.as_deref(), Some(written.as_str()), "read from {text:?}");
    Some(written)
}

/// Joined to a folder it stays below it, by its text alone.
fn stays_below(path: &str) {
    assert!(path.len() <= 4096 && !path.contains(['\0', '\\', '\r', '\n']), "{path:?}");
    let mut parts = Path::new(path).components();
    assert!(parts.all(|part| matches!(part, Component::Normal(_))), "{path:?}");
    assert!(!path.split('/').any(|part| matches!(part, "" | "." | "..")), "{path:?}");
}

/// What stands before a dot of a host name.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn url_path(text: &str) {
    let Ok(path) = UrlPath::parse(text) else { return };
    let normal = path.as_str();
    assert!(normal.starts_with('/') && !normal.bytes().any(|byte| byte.is_ascii_control()), "{normal:?}");
    assert!(!normal.contains("//") && !normal.split('/').any(|part| matches!(part, "." | "..")), "{normal:?}");
    assert_eq!(UrlPath::parse(normal).as_ref(), Ok(&path), "normalising twice changes nothing");
    let escaped = path.to_escaped();
    assert!(escaped.bytes().all(|byte| byte.is_ascii_graphic()), "{escaped:?}");
    assert_eq!(UrlPath::parse(&escaped).as_ref(), Ok(&path), "what is escaped means the same");
    if let Some(asset) = path.to_site_path() {
        stays_below(asset.as_str());
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    url_path(text);
    for path in [there_and_back::<SitePath>(text), there_and_back::<FunctionName>(text)].into_iter().flatten() {
        assert_eq!(path, text, "a path is taken as it is or not at all");
        stays_below(&path);
    }
    if let Some(name) = there_and_back::<ProjectName>(text) {
        assert!(is_label(&name), "{name:?}");
    }
    if let Some(label) = there_and_back::<HostLabel>(text) {
        assert!(is_label(&label), "{label:?}");
    }
    if let Some(name) = there_and_back::<DomainName>(text) {
        assert!(name.len() <= 253 && name.split('.').all(is_label), "{name:?}");
    }
    if let Some(name) = there_and_back::<VariableName>(text) {
        assert!(!name.contains(['=', '\0']), "{name:?}");
    }
    if let Some(value) = there_and_back::<MediaType>(text) {
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{value:?}");
    }
    there_and_back::<AddressRange>(text);
    there_and_back::<BranchName>(text);
    there_and_back::<DeploymentId>(text);
    there_and_back::<Digest>(text);
    there_and_back::<Lifetime>(text);
    there_and_back::<LogCursor>(text);
    there_and_back::<LoginCode>(text);
    there_and_back::<OriginPattern>(text);
    there_and_back::<RequestId>(text);
    there_and_back::<TokenId>(text);
    there_and_back::<TokenName>(text);
    // Read alone: nobody writes them.
    let _ = (
        text.parse::<DeploymentIdPrefix>(),
        text.parse::<LogLevels>(),
        text.parse::<LogMoment>(),
        text.parse::<StatusRanges>(),
    );
});
