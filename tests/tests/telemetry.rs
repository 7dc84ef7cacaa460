//! What others can see of requests: where their time went, which trace they belong to, and what a collector is told.

use std::collections::BTreeMap;

use serde_json::Value;
use ship_tests::{Collector, Document, Exposition, TestEnv, TestHost, TestProject, http};

/// The names of the entries of `server-timing`, and whether each that has a duration has a sensible one.
fn entries(answer: &http::Answer) -> Vec<String> {
    let header = answer.header("server-timing").unwrap_or_default();
    let parts = header.split(", ").filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once(';').expect("an entry has a value");
            if let Some(millis) = value.strip_prefix("dur=") {
                let millis: f64 = millis.parse().expect("a duration is a number");
                assert!((0.0..60_000.0).contains(&millis), "{header}");
                name.to_owned()
            } else {
                part.to_owned()
            }
        })
        .collect()
}

/// Previews say where a request's time went; production does not, whoever asks.
#[test]
fn server_timing_on_previews() {
    let environment = TestEnv::new();
    let project = environment.project("timed").file("public/index.html", "a page").file(
        "api/hello.js",
        "export const GET = () => new Response('hello', { headers: { 'server-timing': 'db;dur=1' } });",
    );
    let host = TestHost::start(&environment);
    let words = ["deploy", "--no-check", "--branch", "main"];
    let preview = host.ship(words).within(project.folder()).run().success().url();
    let [branch, production] = ["timed-git-main", "timed"].map(|label| host.site_url(label));
    let hello = |url: &str| http::get(&format!("{url}/api/hello")).success();
    let first = hello(&preview);
    let told = entries(&first);
    assert!(["db", "route", "cold", "init"].iter().all(|name| told.iter().any(|entry| entry == name)), "{told:?}");
    assert_eq!(entries(&hello(&preview)), ["db", "route", "fn"]);
    assert_eq!(entries(&hello(&branch)), ["db", "route", "fn"]);
    assert_eq!(entries(&http::get(&preview).success()), ["route"]);
    assert_eq!(entries(&http::get(&format!("{preview}/none"))), ["route"]);
    assert_eq!(entries(&hello(&production)), ["db"], "what the function says itself stays");
    assert_eq!(entries(&http::get(&production).success()), [""; 0]);
}

/// A host that sends telemetry to `collector` without waiting long.
fn observed<'e>(environment: &'e TestEnv, collector: &Collector) -> TestHost<'e> {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20of-the-collector".to_owned()),
        ("OTEL_SERVICE_NAME", "observed".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50".to_owned()),
    ];
    TestHost::start_in(environment, &variables.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// A function that says which trace it was called in.
fn traced(environment: &TestEnv) -> TestProject {
    environment.project("traced").file("public/index.html", "a page").file(
        "api/trace.js",
        "export const GET = ({ headers }) => Response.json([headers.get('traceparent'), headers.get('tracestate')]);",
    )
}

/// The attributes of a span, a data point or a resource.
fn attributes(of: &Value) -> BTreeMap<String, String> {
    let attributes = of["attributes"].as_array().expect("there are attributes").iter();
    let text = |value: &Value| value.as_object().and_then(|value| value.values().next()).map(ToString::to_string);
    attributes
        .map(|attribute| {
            let key = attribute["key"].as_str().expect("an attribute has a key").to_owned();
            (key, text(&attribute["value"]).expect("an attribute has a value").trim_matches('"').to_owned())
        })
        .collect()
}

/// The span with this id.
fn span(collector: &Collector, id: &str) -> (Document, Value) {
    collector.wait_for(|document| {
        let spans = document.body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array()?;
        let found = spans.iter().find(|span| span["spanId"] == id)?;
        Some((document.clone(), found.clone()))
    })
}

/// A request is a span in the visitor's trace, the function that it calls is told so, and the log knows it too.
#[test]
fn spans() {
    let environment = TestEnv::new();
    let (collector, project) = (Collector::start(), traced(&environment));
    let host = observed(&environment, &collector);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = http::request("GET", &format!("{url}/api/trace?a=b"));
    let answer = request.header("traceparent", sent).header("tracestate", "vendor=1").send().success();
    let told: [String; 2] = serde_json::from_str(&answer.text()).expect("the function answers with two texts");
    let parts: Vec<&str> = told[0].split('-').collect();
    assert_eq!((parts[1], parts[3], told[1].as_str()), ("0af7651916cd43dd8448eb211c80319c", "01", "vendor=1"));
    let (document, span) = span(&collector, parts[2]);
    assert_eq!(document.path, "/v1/traces");
    assert!(document.head.contains("\r\nauthorization: bearer of-the-collector\r\n"), "{}", document.head);
    assert!(document.head.contains("\r\ncontent-type: application/json\r\n"), "{}", document.head);
    assert_eq!(attributes(&document.body["resourceSpans"][0]["resource"])["service.name"], "observed");
    assert_eq!((&span["traceId"], &span["parentSpanId"]), (&parts[1].into(), &"b7ad6b7169203331".into()));
    assert_eq!((&span["name"], &span["kind"]), (&"GET /api/trace".into(), &2.into()));
    let id = answer.header("x-ship-id").expect("every response carries an id");
    let attributes = attributes(&span);
    let expected = [
        ("faas.coldstart", "true"),
        ("faas.invocation_id", &id),
        ("faas.name", "api/trace"),
        ("faas.trigger", "http"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("ship.project", "traced"),
        ("url.path", "/api/trace"),
        ("url.query", "a=b"),
    ];
    for (name, value) in expected {
        assert_eq!(attributes.get(name).map(String::as_str), Some(value), "{name} in {attributes:?}");
    }
    let time = |key: &str| span[key].as_str().and_then(|nanos| nanos.parse::<u64>().ok()).expect("a time is digits");
    assert!(time("endTimeUnixNano") > time("startTimeUnixNano"), "{span}");
    let record = following.stdout().wait_for(|line| line.contains(r#""source":"request""#));
    let record: Value = serde_json::from_str(&record).expect("each line is one JSON document");
    assert_eq!((&record["trace"]["trace_id"], &record["trace"]["span_id"]), (&span["traceId"], &span["spanId"]));
}

/// A visitor without a trace begins one, and one whose trace is not recorded leaves no span but is passed on.
#[test]
fn traces_of_others() {
    let environment = TestEnv::new();
    let (collector, project) = (Collector::start(), traced(&environment));
    let host = observed(&environment, &collector);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let ask = |traceparent: &str| {
        let answer = http::request("GET", &format!("{url}/api/trace")).header("traceparent", traceparent).send();
        let told: [Option<String>; 2] = serde_json::from_str(&answer.success().text()).expect("two texts");
        told[0].as_deref().expect("there is always a trace").split('-').map(str::to_owned).collect::<Vec<_>>()
    };
    let unrecorded = ask("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    assert_eq!((unrecorded[1].as_str(), unrecorded[3].as_str()), ("0af7651916cd43dd8448eb211c80319c", "00"));
    let first = ask("nonsense");
    assert_ne!(first[1], unrecorded[1]);
    let spans: Vec<Value> = collector.wait_for(|document| {
        let spans = document.body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array()?;
        Some(spans.clone())
    });
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!((&spans[0]["spanId"], spans[0].get("parentSpanId")), (&first[2].as_str().into(), None));
}

/// What is counted is sent at intervals, under the names of the semantic conventions.
#[test]
fn metrics() {
    let environment = TestEnv::new();
    let (collector, project) = (Collector::start(), traced(&environment));
    let host = observed(&environment, &collector);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    let _ = http::get(&format!("{url}/api/trace")).success();
    let metric = |document: &Document, name: &str| {
        let metrics = document.body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()?;
        metrics.iter().find(|metric| metric["name"] == name).cloned()
    };
    let document = collector.wait_for(|document| {
        let durations = metric(document, "http.server.request.duration")?;
        (document.path == "/v1/metrics" && durations["histogram"]["dataPoints"][0].is_object())
            .then(|| document.clone())
    });
    let durations = metric(&document, "http.server.request.duration").expect("it was found");
    assert_eq!((&durations["unit"], &durations["histogram"]["aggregationTemporality"]), (&"s".into(), &2.into()));
    let point = &durations["histogram"]["dataPoints"][0];
    let expected = [("ship.kind", "function"), ("ship.project", "traced"), ("ship.status_class", "2xx")];
    assert_eq!(attributes(point), expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let buckets = point["bucketCounts"].as_array().expect("there are buckets");
    let bounds = point["explicitBounds"].as_array().expect("there are bounds");
    assert_eq!((buckets.len(), &point["count"]), (bounds.len() + 1, &"1".into()));
    for (name, value) in
        [("faas.invocations", "1"), ("faas.coldstarts", "1"), ("faas.errors", "0"), ("faas.timeouts", "0")]
    {
        let counter = metric(&document, name).unwrap_or_else(|| panic!("no {name}"));
        let point = &counter["sum"]["dataPoints"][0];
        assert_eq!(
            (&point["asInt"], &attributes(point)["faas.name"]),
            (&value.into(), &"api/trace".to_owned()),
            "{name}"
        );
    }
    for name in ["http.server.active_requests", "faas.invoke_duration", "faas.init_duration", "ship.function.instances"]
    {
        assert!(metric(&document, name).is_some(), "{name}");
    }
}

/// A collector that takes nothing costs visitors nothing: what it does not take is counted.
#[test]
fn collector_that_refuses() {
    let environment = TestEnv::new();
    let (collector, project) = (Collector::answering("400 Bad Request"), traced(&environment));
    let host = observed(&environment, &collector);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    for _ in 0..3 {
        let _ = http::get(&format!("{url}/api/trace")).success();
    }
    let counted = || {
        let text = host.control("GET", "/metrics").send().success().text();
        Exposition::read(&text).count("ship_telemetry_dropped_spans_total")
    };
    while counted() < 3 {
        collector.wait_for(|_| Some(()));
    }
    assert_eq!(counted(), 3);
}

/// Without a collector, a visitor's trace reaches functions as it was sent; a variable that is wrong is said before anything starts.
#[test]
fn nobody_collects() {
    let environment = TestEnv::new();
    let project = traced(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = http::request("GET", &format!("{url}/api/trace")).header("traceparent", sent).send().success();
    assert_eq!(answer.text(), format!("[\"{sent}\",null]"));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let wrong = environment.ship(["host"]).with(endpoint.0, endpoint.1).with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    insta::assert_snapshot!(wrong.run().snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `OTEL_EXPORTER_OTLP_PROTOCOL` is not `http/json`, which is what ship sends
    ");
}
