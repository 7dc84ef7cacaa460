//! `Server-Timing`: where a request's time went, for whoever develops the site. Browsers show it beside the request.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::findings::Found;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Whether answers say where their time went. Whoever visits a site in production need not learn what is behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerTiming {
    /// They do.
    Shown,
    /// They do not.
    Hidden,
}

/// Says in an answer what was learnt of its request. What the function says of itself stays beside it.
pub(crate) fn tell(found: &Found, headers: &mut HeaderMap) {
    if let Some(entries) = entries(found) {
        let value = HeaderValue::from_str(&entries).expect("entries are words and numbers");
        headers.append(SERVER_TIMING, value);
    }
}

/// What the header says of a request, if there is anything to say.
pub(crate) fn entries(found: &Found) -> Option<String> {
    let mut entries = String::new();
    let mut entry = |name: &str, duration: Option<Duration>| {
        let Some(duration) = duration else { return };
        let comma = if entries.is_empty() { "" } else { ", " };
        let millis = duration.as_secs_f64() * 1e3;
        write!(entries, "{comma}{name};dur={millis:.3}").expect("text can always grow");
    };
    let course = found.course.unwrap_or_default();
    entry("route", found.routed);
    entry("cold", course.cold.map(|cold| cold.waited));
    entry("init", course.cold.map(|cold| cold.init));
    entry("fn", course.function);
    if let Some(cache) = found.cache {
        write!(entries, ", cache;desc={}", cache.as_str()).expect("text can always grow");
    }
    let entries = entries.trim_start_matches(", ");
    (!entries.is_empty()).then(|| entries.to_owned())
}

#[cfg(test)]
mod tests {
    use ship_core::CacheState;
    use ship_runtime::{ColdStart, Course};

    use super::*;

    fn told(found: &Found) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(SERVER_TIMING, HeaderValue::from_static("db;dur=1"));
        tell(found, &mut headers);
        headers.get_all(SERVER_TIMING).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// Each part that is known has its entry, and what the function said stays.
    #[test]
    fn entries() {
        let cold = ColdStart { waited: Duration::from_micros(2_500), init: Duration::from_millis(2) };
        let course = Course { cold: Some(cold), function: Some(Duration::from_millis(7)), memory_bytes: None };
        let routed = Some(Duration::from_nanos(1_500));
        let all = Found { function: None, course: Some(course), routed, cache: Some(CacheState::Miss) };
        assert_eq!(
            told(&all),
            ["db;dur=1", "route;dur=0.002, cold;dur=2.500, init;dur=2.000, fn;dur=7.000, cache;desc=MISS"]
        );
        assert_eq!(told(&Found { cache: Some(CacheState::Hit), ..Found::default() }), ["db;dur=1", "cache;desc=HIT"]);
        assert_eq!(told(&Found::default()), ["db;dur=1"]);
    }
}
