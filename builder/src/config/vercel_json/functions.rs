//! `functions` of `vercel.json`.

use serde::Deserialize;
use ship_core::FunctionRuntime;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::diagnostic::{ConfigError, ConfigText};
use super::super::functions::in_range;
use super::super::interpreter::VERCEL_DENO;
use super::super::model::FunctionEntry;
use super::remove;

/// Keys that are about Vercel's own service, or that the host decides.
const ABOUT_VERCEL: [&str; 6] = [
    "architecture",
    "experimentalTriggers",
    "functionFailoverRegions",
    "regions",
    "supportsCancellation",
    "supportsResponseStreaming",
];

/// The longest that a request may take, in seconds: what `"max"` stands for.
const MAX_DURATION_SECS: i64 = 3_600;

/// The builders whose work ship does itself, whatever version is named.
const KNOWN_RUNTIMES: [&str; 12] = [
    "@now/go",
    "@now/node",
    "@now/python",
    "@vercel/go",
    "@vercel/node",
    "@vercel/python",
    "@vercel/rust",
    "now-go",
    "now-node",
    "now-python",
    "now-rust",
    "vercel-rust",
];

/// What stands behind a glob.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase", expecting = "a table")]
pub(super) struct VercelFunction {
    max_duration: Option<Spanned<Duration>>,
    memory: Option<Spanned<i64>>,
    max_concurrency: Option<Spanned<i64>>,
    runtime: Option<Spanned<String>>,
    include_files: Option<Spanned<String>>,
    exclude_files: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number of seconds or \"max\"")]
enum Duration {
    Secs(i64),
    Word(String),
}

/// Takes out of each entry what is not used.
pub(super) fn prepare(table: &mut DeTable<'_>) {
    let Some(DeValue::Table(functions)) = table.get_mut("functions").map(Spanned::get_mut) else { return };
    for (_, entry) in functions.iter_mut() {
        if let DeValue::Table(entry) = entry.get_mut() {
            remove(entry, &ABOUT_VERCEL);
        }
    }
}

/// Vercel's code for a value of the wrong type at a place: it goes by the key in front of it.
pub(super) fn code_at(text: ConfigText<'_>, at: usize) -> &'static str {
    let before = text.text.get(..at).unwrap_or_default();
    let key = before.trim_end().strip_suffix(':').and_then(|before| before.trim_end().rsplit('"').nth(1));
    match key {
        Some("maxDuration") => "invalid_function_duration",
        Some("memory") => "invalid_function_memory",
        Some("runtime") => "invalid_function_runtime",
        Some("includeFiles" | "excludeFiles") => "invalid_function_property",
        _ => "invalid_function",
    }
}

impl VercelFunction {
    pub(super) fn into_entry(self, text: ConfigText<'_>) -> Result<FunctionEntry, ConfigError> {
        let runtime = self.runtime.map(|runtime| interpreter(text, &runtime)).transpose()?.flatten();
        let timeout_secs = self.max_duration.map(|duration| seconds(text, duration)).transpose()?;
        if let Some(memory) = &self.memory {
            in_range(text, "memory", memory, 128, 10_240).map_err(|error| error.coded("invalid_function_memory"))?;
        }
        if let Some(concurrency) = &self.max_concurrency {
            in_range(text, "maxConcurrency", concurrency, 1, 10_000)
                .map_err(|error| error.coded("invalid_function"))?;
        }
        Ok(FunctionEntry {
            timeout_secs,
            memory_mb: self.memory,
            concurrency: self.max_concurrency,
            include_files: self.include_files.map(|glob| vec![glob]),
            exclude_files: self.exclude_files.map(|glob| vec![glob]),
            runtime,
            ..FunctionEntry::default()
        })
    }
}

fn seconds(text: ConfigText<'_>, duration: Spanned<Duration>) -> Result<Spanned<i64>, ConfigError> {
    let place = duration.span();
    let wrong = |error: ConfigError| error.coded("invalid_function_duration");
    let seconds = match duration.into_inner() {
        Duration::Word(word) if word == "max" => MAX_DURATION_SECS,
        Duration::Word(word) => {
            let message = format!("`maxDuration` is a number of seconds or \"max\", found {word:?}");
            return Err(wrong(text.error(place, message)));
        }
        Duration::Secs(seconds) => seconds,
    };
    let seconds = Spanned::new(place, seconds);
    in_range(text, "maxDuration", &seconds, 1, MAX_DURATION_SECS).map_err(wrong)?;
    Ok(seconds)
}

/// The interpreter that a runtime means, where it means one. It is a package with a version; those that ship does not replace would
/// build nothing here.
fn interpreter(text: ConfigText<'_>, runtime: &Spanned<String>) -> Result<Option<Spanned<String>>, ConfigError> {
    let wrong = |message: String| Err(text.error(runtime.span(), message).coded("invalid_function_runtime"));
    let at = runtime.get_ref().rfind('@').filter(|at| *at > 0);
    let Some((name, version)) = at.map(|at| (&runtime.get_ref()[..at], &runtime.get_ref()[at + 1..])) else {
        return wrong("a runtime has a version, as in `@vercel/go@3.2.0`; ship needs no `runtime` at all".to_owned());
    };
    if !version.starts_with(|first: char| first.is_ascii_digit()) {
        return wrong(format!("`{version}` is not a version: a runtime is written as `@vercel/go@3.2.0`"));
    }
    if name == VERCEL_DENO {
        return Ok(Some(Spanned::new(runtime.span(), FunctionRuntime::Deno.to_string())));
    }
    if !KNOWN_RUNTIMES.contains(&name) {
        return wrong(format!(
            "ship does not run the builder `{name}`: functions are in Go, TypeScript, Python or Rust"
        ));
    }
    Ok(None)
}
