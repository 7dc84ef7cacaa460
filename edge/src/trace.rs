//! A request becomes a part of the trace that its visitor is in, and functions become a part of that.

use http::{HeaderMap, HeaderName, HeaderValue};
use ship_core::{RequestId, TraceContext};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Gives a request its place in the visitor's trace, or in a new one, and has whoever is asked on its behalf know that place.
pub(crate) fn join(id: RequestId, headers: &mut HeaderMap) -> TraceContext {
    let mut sent = headers.get_all(TRACEPARENT).iter();
    // Two of them are as good as none: nobody knows which is meant.
    let only = sent.next().filter(|_| sent.next().is_none()).and_then(|value| value.to_str().ok());
    let context = TraceContext::of_request(id, only);
    if context.parent_id.is_none() {
        // It belongs to the header that was not understood.
        headers.remove(TRACESTATE);
    }
    let value = HeaderValue::from_str(&context.to_string()).expect("a place in a trace is digits and hyphens");
    headers.insert(TRACEPARENT, value);
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn joined(sent: &[(&'static str, &'static str)]) -> (TraceContext, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        (join(RequestId::from_parts(1, [1; 10]), &mut headers), headers)
    }

    /// Whoever is asked next sees the request's own place; what belongs to a header that is not understood goes with it.
    #[test]
    fn headers() {
        let (context, headers) = joined(&[("traceparent", SENT), ("tracestate", "a=b")]);
        assert_eq!(
            (context.parent_id, &headers["tracestate"]),
            (Some(0xb7ad_6b71_6920_3331), &HeaderValue::from_static("a=b"))
        );
        assert_eq!(headers["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-0101010101010101-01");
        let (context, headers) = joined(&[("traceparent", SENT), ("traceparent", SENT), ("tracestate", "a=b")]);
        assert_eq!(
            (context.parent_id, headers.get("tracestate"), headers.get_all("traceparent").iter().count()),
            (None, None, 1)
        );
    }
}
