//! Heads and header values, from visitors and from functions: two programs that read the same bytes see the same requests, and no value means more than it says.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use ship_core::{CorsRule, Credentials, OriginPattern, RequestId, TraceContext};

/// Sizes of pieces that bytes arrive in, from the bytes themselves.
fn sizes(input: &[u8]) -> Vec<usize> {
    input.iter().rev().take(4).map(|byte| usize::from(*byte % 31) + 1).collect()
}

/// An origin that a rule for one pattern allows is a scheme and a host, and nothing else.
fn origin(pattern: &str, origin: &str) {
    let Ok(pattern) = pattern.parse::<OriginPattern>() else { return };
    let rule = CorsRule::new("/.*", vec![pattern.clone()], Vec::new(), Vec::new(), Credentials::Omitted, 0);
    let rule = rule.expect("one origin without credentials makes a rule");
    if !rule.allows_origin(origin, |_| false) || pattern == OriginPattern::Any {
        return;
    }
    let (scheme, host) = origin.split_once("://").expect("an origin");
    assert!(matches!(scheme, "http" | "https") && !host.is_empty(), "{origin:?}");
    assert!(!host.contains(['/', '@', '?', '#', '\\', ' ', '%']), "{origin:?}");
    let text = pattern.to_string();
    let suffix = text.rsplit_once('*').map_or(text.as_str(), |(_, suffix)| suffix);
    assert!(origin.ends_with(suffix), "{origin:?} for {text:?}");
    assert!(!rule.allows_origin("null", |_| true));
}

/// A trace that is passed on is the trace that came.
fn trace(value: &str) {
    let id = RequestId::from_parts(7, [7; 10]);
    let context = TraceContext::of_request(id, Some(value));
    let again = TraceContext::of_request(id, Some(&context.to_string()));
    assert_eq!((again.trace_id, again.sampled), (context.trace_id, context.sampled));
    assert_eq!(again.parent_id, Some(context.span_id));
}

fuzz_target!(|input: &[u8]| {
    ship_edge::laws::request_heads(input);
    ship_edge::laws::frames(input);
    ship_edge::laws::http3_frames(input);
    ship_runtime::laws::requests(input);
    ship_runtime::laws::responses(input, &sizes(input));
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (name, value) =
            line.iter().position(|byte| *byte == b':').map_or((&b""[..], line), |at| (&line[..at], &line[at + 1..]));
        let Ok(value) = HeaderValue::from_bytes(value.trim_ascii()) else { continue };
        ship_edge::laws::header_value(&value, line.len() as u64);
        if let Ok(text) = value.to_str() {
            trace(text);
            text.split_once(' ').into_iter().for_each(|(pattern, from)| origin(pattern, from));
        }
        if let Ok(name) = HeaderName::from_bytes(name) {
            headers.append(name, value);
        }
    }
    ship_edge::laws::header_map(&headers);
});
