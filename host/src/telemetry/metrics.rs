//! What is counted, as OTLP's JSON encoding has it, under the names of the semantic conventions where there are any.

use jiff::Timestamp;
use serde_json::{Value, json};
use ship_core::{BUCKET_BOUNDS_MICROS, HistogramView};
use ship_edge::FunctionCounts;

use super::spans::{attribute, scope, unix_nanos};
use crate::metrics::Counts;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: numbers count from the start of the host.
const CUMULATIVE: u8 = 2;

/// What stands for names beyond those that are told apart.
const OTHERS: &str = "_other";

/// The body of a request with metrics.
pub(super) fn document(resource: &Value, counts: &Counts, now: Timestamp) -> Value {
    let clock = Clock { start: unix_nanos(counts.started_at), now: unix_nanos(now) };
    let metrics: Vec<Value> = [requests(counts, &clock), functions(counts, &clock), instances(counts, &clock)].concat();
    json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": [{ "scope": scope(), "metrics": metrics }] }] })
}

/// Since when and until when the numbers count.
struct Clock {
    start: String,
    now: String,
}

impl Clock {
    fn number(&self, attributes: &[Value], value: u64) -> Value {
        json!({
            "attributes": attributes, "startTimeUnixNano": self.start, "timeUnixNano": self.now,
            "asInt": value.to_string(),
        })
    }

    fn durations(&self, attributes: &[Value], durations: &HistogramView) -> Value {
        let text = |number: &u64| number.to_string();
        json!({
            "attributes": attributes, "startTimeUnixNano": self.start, "timeUnixNano": self.now,
            "count": durations.count().to_string(),
            "sum": seconds(durations.sum_micros),
            "bucketCounts": durations.buckets.iter().map(text).collect::<Vec<_>>(),
            "explicitBounds": BUCKET_BOUNDS_MICROS.iter().map(|micros| seconds(*micros)).collect::<Vec<_>>(),
        })
    }
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

fn histogram(name: &str, points: impl IntoIterator<Item = Value>) -> Value {
    let data = json!({ "dataPoints": points.into_iter().collect::<Value>(), "aggregationTemporality": CUMULATIVE });
    json!({ "name": name, "unit": "s", "histogram": data })
}

fn counter(name: &str, unit: &str, points: impl IntoIterator<Item = Value>) -> Value {
    let data = json!({ "dataPoints": points.into_iter().collect::<Value>(), "aggregationTemporality": CUMULATIVE, "isMonotonic": true });
    json!({ "name": name, "unit": unit, "sum": data })
}

/// A sum that also becomes smaller, as the conventions have numbers of things that are there now.
fn level(name: &str, unit: &str, points: impl IntoIterator<Item = Value>) -> Value {
    let data = json!({ "dataPoints": points.into_iter().collect::<Value>(), "aggregationTemporality": CUMULATIVE, "isMonotonic": false });
    json!({ "name": name, "unit": unit, "sum": data })
}

fn requests(counts: &Counts, clock: &Clock) -> Vec<Value> {
    let (mut durations, mut active) = (Vec::new(), Vec::new());
    for (project, counts) in &counts.edge.projects {
        let project = attribute("ship.project", project.as_ref().map_or(OTHERS, |name| name.as_str()));
        for (kind, class, view) in &counts.answered {
            let attributes =
                [project.clone(), attribute("ship.kind", kind.as_str()), attribute("ship.status_class", *class)];
            durations.push(clock.durations(&attributes, view));
        }
        active.push(clock.number(&[project], counts.in_flight));
    }
    vec![
        histogram("http.server.request.duration", durations),
        level("http.server.active_requests", "{request}", active),
    ]
}

fn functions(counts: &Counts, clock: &Clock) -> Vec<Value> {
    let mut functions: Vec<(Vec<Value>, &FunctionCounts)> = Vec::new();
    for (project, counts) in &counts.edge.projects {
        let project = project.as_ref().map_or(OTHERS, |name| name.as_str());
        functions.extend(counts.functions.iter().map(|(name, counts)| {
            let name = name.as_ref().map_or(OTHERS, |name| name.as_str());
            let trigger = attribute("faas.trigger", "http");
            (vec![attribute("faas.name", name), attribute("ship.project", project), trigger], counts)
        }));
    }
    let numbers = |value: fn(&FunctionCounts) -> u64| {
        functions.iter().map(|(attributes, counts)| clock.number(attributes, value(counts))).collect::<Vec<_>>()
    };
    let durations = functions.iter().map(|(attributes, counts)| clock.durations(attributes, &counts.durations));
    vec![
        histogram("faas.invoke_duration", durations),
        counter("faas.invocations", "{invocation}", numbers(|counts| counts.durations.count())),
        counter("faas.coldstarts", "{coldstart}", numbers(|counts| counts.cold_starts)),
        counter("faas.errors", "{error}", numbers(|counts| counts.errors)),
        counter("faas.timeouts", "{timeout}", numbers(|counts| counts.timeouts)),
    ]
}

fn instances(counts: &Counts, clock: &Clock) -> Vec<Value> {
    let inits = counts.runtime.inits.iter().filter(|(_, init)| init.count() > 0);
    let inits = inits.map(|(runtime, init)| clock.durations(&[attribute("ship.runtime", runtime.as_str())], init));
    let states = counts.instances.iter();
    let states = states.map(|(state, number)| clock.number(&[attribute("ship.state", state.as_str())], *number));
    let exits = counts.runtime.exits.iter();
    let exits = exits.map(|(reason, number)| clock.number(&[attribute("ship.reason", reason.as_str())], *number));
    let dropped = [("rate", counts.runtime.dropped_log_bytes), ("disk", counts.undurable_log_bytes)];
    let dropped = dropped.map(|(reason, bytes)| clock.number(&[attribute("ship.reason", reason)], bytes));
    vec![
        histogram("faas.init_duration", inits),
        level("ship.function.instances", "{instance}", states),
        level("ship.function.queue_depth", "{request}", [clock.number(&[], counts.runtime.queue_depth as u64)]),
        counter("ship.function.exits", "{process}", exits),
        counter("ship.log.dropped_bytes", "By", dropped),
        level("ship.blobs.size", "By", [clock.number(&[], counts.blobs.bytes)]),
    ]
}
