//! Metrics as Prometheus reads them: its text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use ship_core::{BUCKET_BOUNDS_MICROS, HistogramView};

use super::Counts;

/// The media type of the format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What stands for names beyond those that are told apart. No project and no function can be called so.
const OTHERS: &str = "_other";

/// The document.
pub(crate) fn render(counts: &Counts) -> String {
    let mut page = Page::default();
    page.host(counts);
    page.requests(counts);
    page.functions(counts);
    page.instances(counts);
    page.storage(counts);
    page.care(counts);
    page.text
}

/// The document as far as it is written.
#[derive(Default)]
struct Page {
    text: String,
}

/// The labels of a sample, as they are written between braces.
type Labels<'l> = [(&'static str, &'l str)];

impl Page {
    fn host(&mut self, counts: &Counts) {
        self.family("ship_build_info", "gauge", "The version of the host.");
        self.sample("ship_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.family("process_start_time_seconds", "gauge", "When the host began, in seconds since 1970.");
        self.sample("process_start_time_seconds", &[], Seconds::of_micros(counts.started_at.as_microsecond()));
    }

    fn requests(&mut self, counts: &Counts) {
        let projects = &counts.edge.projects;
        let named =
            || projects.iter().map(|(name, counts)| (name.as_ref().map_or(OTHERS, |name| name.as_str()), counts));
        let name = "ship_requests_total";
        self.family(name, "counter", "Requests that were answered, by what answered and the class of the status.");
        for (project, counts) in named() {
            for (kind, class, durations) in &counts.answered {
                let labels = [("project", project), ("kind", kind.as_str()), ("code", *class)];
                self.sample(name, &labels, durations.count());
            }
        }
        if counts.edge.homeless > 0 {
            let labels = [("project", ""), ("kind", "unknown_host"), ("code", "4xx")];
            self.sample(name, &labels, counts.edge.homeless);
        }
        let name = "ship_request_duration_seconds";
        self.family(name, "histogram", "From a request's head to the end of its answer.");
        for (project, counts) in named() {
            let kinds = counts.answered.chunk_by(|(one, ..), (next, ..)| one == next);
            for classes in kinds {
                let mut durations = HistogramView::default();
                for (_, _, class) in classes {
                    durations.merge(class);
                }
                let labels = [("project", project), ("kind", classes[0].0.as_str())];
                self.histogram(name, &labels, &durations);
            }
        }
        let name = "ship_cache_requests_total";
        self.family(name, "counter", "Answers that may be kept for more than one visitor, by where they came from.");
        for (project, counts) in named() {
            for (state, number) in &counts.caching {
                let state = state.as_str().to_ascii_lowercase();
                self.sample(name, &[("project", project), ("state", &state)], number);
            }
        }
        self.family("ship_cache_answers", "gauge", "Answers of functions that are kept in memory.");
        self.sample("ship_cache_answers", &[], counts.edge.kept_answers);
        self.family("ship_cache_bytes", "gauge", "What kept answers take in memory.");
        self.sample("ship_cache_bytes", &[], counts.edge.kept_bytes);
        let name = "ship_requests_in_flight";
        self.family(name, "gauge", "Requests whose answer has not ended.");
        for (project, counts) in named() {
            self.sample(name, &[("project", project)], counts.in_flight);
        }
    }

    fn functions(&mut self, counts: &Counts) {
        let mut functions = Vec::new();
        for (project, counts) in &counts.edge.projects {
            let project = project.as_ref().map_or(OTHERS, |name| name.as_str());
            let names = counts.functions.iter();
            functions.extend(names.map(|(name, counts)| {
                let name = name.as_ref().map_or(OTHERS, |name| name.as_str());
                ([("project", project), ("function", name)], counts)
            }));
        }
        let name = "ship_function_duration_seconds";
        self.family(
            name,
            "histogram",
            "From a call of a function to the head of its answer, waiting for a start included.",
        );
        for (labels, counts) in &functions {
            self.histogram(name, labels, &counts.durations);
        }
        let mut counter = |name, help, value: fn(&ship_edge::FunctionCounts) -> u64| {
            self.family(name, "counter", help);
            for (labels, counts) in &functions {
                self.sample(name, labels, value(counts));
            }
        };
        counter("ship_function_coldstarts_total", "Calls that waited for a start.", |counts| counts.cold_starts);
        counter("ship_function_errors_total", "Calls that failed otherwise than by time or crowd.", |counts| {
            counts.errors
        });
        counter("ship_function_timeouts_total", "Calls that ran into the function's time.", |counts| counts.timeouts);
        counter("ship_function_throttled_total", "Calls that were turned away.", |counts| counts.throttled);
    }

    fn instances(&mut self, counts: &Counts) {
        let name = "ship_function_init_duration_seconds";
        self.family(name, "histogram", "From the start of a process until it was first seen to answer.");
        for (runtime, durations) in &counts.runtime.inits {
            self.histogram(name, &[("runtime", runtime.as_str())], durations);
        }
        self.family("ship_function_instances", "gauge", "Instances of functions.");
        for (state, number) in counts.instances {
            self.sample("ship_function_instances", &[("state", state.as_str())], number);
        }
        self.family("ship_function_queue_depth", "gauge", "Requests that wait for an instance.");
        self.sample("ship_function_queue_depth", &[], counts.runtime.queue_depth);
        self.family("ship_function_exits_total", "counter", "Processes of functions that have ended.");
        for (reason, number) in &counts.runtime.exits {
            self.sample("ship_function_exits_total", &[("reason", reason.as_str())], number);
        }
    }

    fn storage(&mut self, counts: &Counts) {
        let name = "ship_log_dropped_bytes_total";
        self.family(name, "counter", "Bytes that are missing in logs: printed too fast, or too much for the disk.");
        self.sample(name, &[("reason", "rate")], counts.runtime.dropped_log_bytes);
        self.sample(name, &[("reason", "disk")], counts.undurable_log_bytes);
        self.family("ship_blobs", "gauge", "Stored blobs.");
        self.sample("ship_blobs", &[], counts.blobs.blobs);
        self.family("ship_blobs_bytes", "gauge", "What stored blobs take.");
        self.sample("ship_blobs_bytes", &[], counts.blobs.bytes);
        if let Some(dropped) = counts.dropped_spans {
            let name = "ship_telemetry_dropped_spans_total";
            self.family(
                name,
                "counter",
                "Spans that were not sent: there were too many, or the collector did not take them.",
            );
            self.sample(name, &[], dropped);
        }
        let name = "ship_blob_corrupt_total";
        self.family(name, "counter", "How often a blob was found missing or damaged.");
        self.sample(name, &[], counts.blobs_damaged);
        let name = "ship_deploy_duration_seconds";
        self.family(name, "histogram", "How long parts of deploys took on the host.");
        for (phase, durations) in &counts.deploys {
            self.histogram(name, &[("phase", phase.as_str())], durations);
        }
    }

    fn care(&mut self, counts: &Counts) {
        let care = &counts.care;
        self.family("ship_gc_runs_total", "counter", "How often garbage was collected.");
        self.sample("ship_gc_runs_total", &[], care.collections);
        self.family("ship_gc_removed_total", "counter", "What was removed because nobody needed it.");
        for (what, number) in care.removed {
            self.sample("ship_gc_removed_total", &[("what", what)], number);
        }
        self.family("ship_gc_removed_bytes_total", "counter", "The bytes of what was removed.");
        self.sample("ship_gc_removed_bytes_total", &[], care.removed_bytes);
        self.family("ship_scrubs_total", "counter", "How often everything was read again in the background.");
        self.sample("ship_scrubs_total", &[], care.scrubs);
        self.family("ship_scrubbed_bytes_total", "counter", "How many bytes were read again in the background.");
        self.sample("ship_scrubbed_bytes_total", &[], care.scrubbed_bytes);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            self.write(format_args!("{before}{label}=\"{}\"", Escaped(text)));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    fn histogram(&mut self, name: &str, labels: &Labels<'_>, durations: &HistogramView) {
        let (bucket, sum, count) = (format!("{name}_bucket"), format!("{name}_sum"), format!("{name}_count"));
        let mut below = 0;
        for (at, number) in durations.buckets.iter().enumerate() {
            below += number;
            let bound = BUCKET_BOUNDS_MICROS.get(at).map(|bound| Seconds(*bound).to_string());
            let bound = bound.as_deref().unwrap_or("+Inf");
            self.sample(&bucket, &[labels, &[("le", bound)]].concat(), below);
        }
        self.sample(&sum, labels, Seconds(durations.sum_micros));
        self.sample(&count, labels, below);
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.text.write_fmt(arguments).expect("text can always grow");
    }
}

/// Microseconds, written as seconds.
struct Seconds(u64);

impl Seconds {
    fn of_micros(micros: i64) -> Self {
        Self(u64::try_from(micros).unwrap_or(0))
    }
}

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if micros == 0 {
            return seconds.fmt(f);
        }
        f.write_str(format!("{seconds}.{micros:06}").trim_end_matches('0'))
    }
}

/// The value of a label, with what has a meaning between quotes escaped.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds are written exactly, labels cannot end early, and buckets add up.
    #[test]
    fn writing() {
        let seconds = [0, 500, 1_000_000, 10_250_000].map(|micros| Seconds(micros).to_string());
        assert_eq!(seconds, ["0", "0.0005", "1", "10.25"]);
        let mut page = Page::default();
        page.sample("name", &[("label", "a\"\\\nb")], 1);
        assert_eq!(page.text, "name{label=\"a\\\"\\\\\\nb\"} 1\n");
        let mut page = Page::default();
        let mut durations = HistogramView { sum_micros: 1_500, ..HistogramView::default() };
        (durations.buckets[0], durations.buckets[17]) = (2, 1);
        page.histogram("h", &[("x", "y")], &durations);
        let lines: Vec<&str> = page.text.lines().collect();
        assert_eq!(lines[0], "h_bucket{x=\"y\",le=\"0.0005\"} 2");
        assert_eq!(
            lines[16..],
            [
                "h_bucket{x=\"y\",le=\"10\"} 2",
                "h_bucket{x=\"y\",le=\"+Inf\"} 3",
                "h_sum{x=\"y\"} 0.0015",
                "h_count{x=\"y\"} 3",
            ]
        );
    }
}
