//! Where a host sends telemetry: OpenTelemetry's own variables, read as its specification says.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use ship_host::TelemetryOptions;

use super::SettingsError;
use super::environment::{
    Environment, OTEL_BSP_SCHEDULE_DELAY, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_METRIC_EXPORT_INTERVAL, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED,
    OTEL_SERVICE_NAME, Variable,
};
use crate::connection::VERSION;

/// The one encoding that ship sends.
const PROTOCOL: &str = "http/json";

/// What telemetry is about if nobody says so.
const SERVICE: &str = "ship";

/// How long spans are gathered, in milliseconds: OpenTelemetry's default.
const SPAN_DELAY_MS: u64 = 5_000;

/// How often metrics are sent, in milliseconds: OpenTelemetry's default.
const METRIC_INTERVAL_MS: u64 = 60_000;

/// Where telemetry is sent. `None` if nobody asked for it, or it is switched off.
pub(super) fn options(environment: &Environment) -> Result<Option<TelemetryOptions>, SettingsError> {
    let Some(endpoint) = environment.text(OTEL_EXPORTER_OTLP_ENDPOINT) else { return Ok(None) };
    if environment.text(OTEL_SDK_DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let is_url = endpoint.parse().is_ok_and(|url: reqwest::Url| ["http", "https"].contains(&url.scheme()));
    if !is_url {
        return Err(wrong(OTEL_EXPORTER_OTLP_ENDPOINT, "the URL of a collector, such as http://127.0.0.1:4318"));
    }
    if environment.text(OTEL_EXPORTER_OTLP_PROTOCOL).is_some_and(|protocol| protocol != PROTOCOL) {
        return Err(wrong(OTEL_EXPORTER_OTLP_PROTOCOL, "`http/json`, which is what ship sends"));
    }
    let milliseconds = |variable: Variable, otherwise| match environment.text(variable) {
        None => Ok(Duration::from_millis(otherwise)),
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => Err(wrong(variable, "a number of milliseconds")),
            Ok(number) => Ok(Duration::from_millis(number)),
        },
    };
    Ok(Some(TelemetryOptions {
        endpoint: endpoint.to_owned(),
        headers: pairs(environment, OTEL_EXPORTER_OTLP_HEADERS)?,
        resource: resource(environment)?,
        span_delay: milliseconds(OTEL_BSP_SCHEDULE_DELAY, SPAN_DELAY_MS)?,
        metric_interval: milliseconds(OTEL_METRIC_EXPORT_INTERVAL, METRIC_INTERVAL_MS)?,
    }))
}

/// What the telemetry is about. A name of its own goes before one among the attributes.
fn resource(environment: &Environment) -> Result<Vec<(String, String)>, SettingsError> {
    let mut resource = pairs(environment, OTEL_RESOURCE_ATTRIBUTES)?;
    if let Some(name) = environment.text(OTEL_SERVICE_NAME) {
        resource.retain(|(key, _)| key != "service.name");
        resource.push(("service.name".to_owned(), name.to_owned()));
    }
    for (key, value) in [("service.name", SERVICE), ("service.version", VERSION)] {
        if !resource.iter().any(|(known, _)| known == key) {
            resource.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(resource)
}

/// `key=value` pairs with commas between them, their values escaped as in URLs.
fn pairs(environment: &Environment, variable: Variable) -> Result<Vec<(String, String)>, SettingsError> {
    let entries = environment.text(variable).unwrap_or_default().split(',').filter(|entry| !entry.trim().is_empty());
    let pair = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((key.trim().to_owned(), value.into_owned())).filter(|(key, _)| !key.is_empty())
    };
    entries
        .map(|entry| pair(entry).ok_or_else(|| wrong(variable, "`key=value` pairs with commas between them")))
        .collect()
}

/// A value is never shown: it may hold a token.
fn wrong(variable: Variable, expected: &'static str) -> SettingsError {
    SettingsError::Telemetry { variable: variable.name, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (Variable, &str) = (OTEL_EXPORTER_OTLP_ENDPOINT, "http://127.0.0.1:4318");

    fn resolved<const N: usize>(variables: [(Variable, &str); N]) -> Result<Option<TelemetryOptions>, String> {
        options(&Environment::from(variables)).map_err(|error| error.to_string())
    }

    /// Nothing is sent unless somebody says where; what is said has the meaning it has elsewhere.
    #[test]
    fn variables() {
        assert!(resolved([(OTEL_SERVICE_NAME, "site")]).unwrap().is_none());
        assert!(resolved([ENDPOINT, (OTEL_SDK_DISABLED, "True")]).unwrap().is_none());
        let plain = resolved([ENDPOINT]).unwrap().unwrap();
        let resource =
            [("service.name", "ship"), ("service.version", VERSION)].map(|(key, value)| (key.into(), value.into()));
        assert_eq!((plain.headers, plain.resource.as_slice()), (vec![], &resource[..]));
        assert_eq!((plain.span_delay, plain.metric_interval), (Duration::from_secs(5), Duration::from_mins(1)));
        let full = [
            ENDPOINT,
            (OTEL_EXPORTER_OTLP_HEADERS, "authorization=Bearer%20a%2Cb , x = 1"),
            (OTEL_RESOURCE_ATTRIBUTES, "service.name=other,deployment.environment.name=test"),
            (OTEL_SERVICE_NAME, "site"),
            (OTEL_EXPORTER_OTLP_PROTOCOL, "http/json"),
            (OTEL_BSP_SCHEDULE_DELAY, "100"),
        ];
        let full = resolved(full).unwrap().unwrap();
        assert_eq!(
            full.headers,
            [("authorization", "Bearer a,b"), ("x", "1")].map(|(key, value)| (key.into(), value.into()))
        );
        assert_eq!(full.resource[1], ("service.name".into(), "site".into()));
        assert_eq!((full.resource.len(), full.span_delay), (3, Duration::from_millis(100)));
        for wrong in [
            (OTEL_EXPORTER_OTLP_ENDPOINT, "nowhere"),
            (OTEL_EXPORTER_OTLP_PROTOCOL, "grpc"),
            (OTEL_EXPORTER_OTLP_HEADERS, "secret"),
            (OTEL_METRIC_EXPORT_INTERVAL, "0"),
        ] {
            let error = resolved([wrong, ENDPOINT]).unwrap_err();
            assert!(error.starts_with(&format!("`{}` is not ", wrong.0.name)) && !error.contains(wrong.1), "{error}");
        }
    }
}
