//! Spans as OTLP's JSON encoding has them: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>. Names are those of the
//! semantic conventions for HTTP servers and for functions.

use jiff::Timestamp;
use serde_json::{Value, json};
use ship_core::{LogRecord, LogSource, ProjectName};

/// A request that was answered, as a part of a trace: its log record, and whose it is.
pub(super) struct Span {
    pub(super) project: ProjectName,
    pub(super) record: LogRecord,
}

/// `SPAN_KIND_SERVER`.
const SERVER: u8 = 2;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// The body of a request with spans.
pub(super) fn document(resource: &Value, spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().filter_map(Span::to_json).collect();
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": scope(), "spans": spans }] }] })
}

/// What made the telemetry.
pub(super) fn scope() -> Value {
    json!({ "name": "ship", "version": env!("CARGO_PKG_VERSION") })
}

/// An attribute. Numbers of 64 bits are text in this encoding.
pub(super) fn attribute(key: &str, value: impl Into<Attribute>) -> Value {
    let value = match value.into() {
        Attribute::Text(text) => json!({ "stringValue": text }),
        Attribute::Number(number) => json!({ "intValue": number.to_string() }),
        Attribute::Flag(flag) => json!({ "boolValue": flag }),
    };
    json!({ "key": key, "value": value })
}

/// The value of an attribute.
pub(super) enum Attribute {
    Text(String),
    Number(u64),
    Flag(bool),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Attribute {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Attribute {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// A time as this encoding writes it.
pub(super) fn unix_nanos(at: Timestamp) -> String {
    at.as_nanosecond().to_string()
}

impl Span {
    fn to_json(&self) -> Option<Value> {
        let LogSource::Request { method, host, path, status, function, cold_start, trace, cache, error, .. } =
            &self.record.source
        else {
            return None;
        };
        let trace = trace.as_ref()?;
        let (target, query) = path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
        let mut attributes = vec![
            attribute("http.request.method", method.as_str()),
            attribute("url.path", target),
            attribute("server.address", host.as_str()),
            attribute("http.response.status_code", u64::from(*status)),
            attribute("ship.project", self.project.as_str()),
            attribute("ship.deployment", self.record.deployment.to_string().as_str()),
        ];
        attributes.extend(query.map(|query| attribute("url.query", query)));
        attributes.extend(cache.map(|state| attribute("ship.cache", state.as_str())));
        attributes.extend(error.as_ref().map(|error| attribute("error.type", error.as_str())));
        let id = self.record.requests.first().map(ToString::to_string).unwrap_or_default();
        if let Some(function) = function {
            attributes.extend([
                attribute("faas.trigger", "http"),
                attribute("faas.name", function.as_str()),
                attribute("faas.version", self.record.deployment.to_string().as_str()),
                attribute("faas.invocation_id", id.as_str()),
                attribute("faas.coldstart", *cold_start),
            ]);
        } else {
            attributes.push(attribute("ship.request_id", id.as_str()));
        }
        // A path that a visitor chose is no name: there are too many of them.
        let name = function.as_ref().map_or_else(|| method.clone(), |function| format!("{method} /{function}"));
        let mut span = json!({
            "traceId": format!("{:032x}", trace.trace_id),
            "spanId": format!("{:016x}", trace.span_id),
            "name": name,
            "kind": SERVER,
            "startTimeUnixNano": unix_nanos(self.record.at),
            "endTimeUnixNano": unix_nanos(self.record.written_at()),
            "attributes": attributes,
            "status": if *status >= 500 { json!({ "code": ERROR }) } else { json!({}) },
        });
        if let Some(parent) = trace.parent_id {
            span["parentSpanId"] = format!("{parent:016x}").into();
        }
        Some(span)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A span of a function that failed.
    pub(in super::super) fn span() -> Span {
        let record = r#"{"at":"2026-04-14T12:00:00Z","deployment":"0123456789abcdefghijklmnopqrstuv",
            "requests":["01hzy3v7k2m4n6p8r0s2t4v6w8"],"source":"request","method":"GET","host":"a.localhost:1","path":"/api/x?y=1",
            "status":500,"duration_micros":1500,"function":"api/x","cold_start":true,"error":"FUNCTION_INVOCATION_FAILED",
            "trace":{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"0000000000000001","parent_id":"b7ad6b7169203331",
            "sampled":true}}"#;
        Span { project: "site".parse().unwrap(), record: serde_json::from_str(record).unwrap() }
    }

    /// The encoding: ids in hexadecimal, times and numbers of 64 bits as text, kinds and codes as numbers.
    #[test]
    fn encoding() {
        let document = document(&json!({ "attributes": [attribute("service.name", "ship")] }), &[span()]);
        let of_scope = &document["resourceSpans"][0]["scopeSpans"][0];
        let mut span = of_scope["spans"][0].clone();
        let attributes = span.as_object_mut().unwrap().remove("attributes").unwrap();
        assert_eq!(
            span,
            json!({
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "0000000000000001",
                "parentSpanId": "b7ad6b7169203331", "name": "GET /api/x", "kind": 2,
                "startTimeUnixNano": "1776168000000000000", "endTimeUnixNano": "1776168000001500000",
                "status": { "code": 2 },
            })
        );
        let attributes: Vec<String> = attributes.as_array().unwrap().iter().map(ToString::to_string).collect();
        for expected in [
            r#"{"key":"http.response.status_code","value":{"intValue":"500"}}"#,
            r#"{"key":"url.path","value":{"stringValue":"/api/x"}}"#,
            r#"{"key":"url.query","value":{"stringValue":"y=1"}}"#,
            r#"{"key":"faas.coldstart","value":{"boolValue":true}}"#,
            r#"{"key":"faas.invocation_id","value":{"stringValue":"01hzy3v7k2m4n6p8r0s2t4v6w8"}}"#,
            r#"{"key":"error.type","value":{"stringValue":"FUNCTION_INVOCATION_FAILED"}}"#,
        ] {
            assert!(attributes.iter().any(|attribute| attribute == expected), "{expected} in {attributes:#?}");
        }
    }
}
