//! What a configuration says, each value with its place: the one model that both readers fill. What the values mean is checked
//! by who uses them. Its keys are those of `ship.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use ship_core::FunctionRuntime;
use ship_core::route::Condition;
use toml::Spanned;

use super::legacy_builds::BuildItem;
use super::legacy_routes::RouteItem;

/// The whole file.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct Configuration {
    pub(crate) name: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) functions: BTreeMap<Spanned<String>, FunctionEntry>,
    #[serde(default)]
    pub(crate) redirects: Vec<RedirectEntry>,
    #[serde(default)]
    pub(crate) rewrites: Vec<RewriteEntry>,
    #[serde(default)]
    pub(crate) headers: Vec<HeadersEntry>,
    #[serde(default)]
    pub(crate) cors: Vec<CorsEntry>,
    #[serde(default)]
    pub(crate) build: BuildEntry,
    pub(crate) trailing_slash: Option<bool>,
    #[serde(default)]
    pub(crate) clean_urls: bool,
    #[serde(default)]
    pub(crate) crons: Vec<CronEntry>,
    /// The `routes` of `vercel.json`, which `ship.toml` does not have.
    #[serde(skip)]
    pub(crate) routes: Vec<Spanned<RouteItem>>,
    /// The `builds` of `vercel.json`, likewise.
    #[serde(skip)]
    pub(crate) builds: Vec<BuildItem>,
    /// What runs functions in TypeScript and JavaScript that nothing else is said about: `bunVersion` of `vercel.json`.
    #[serde(skip)]
    pub(crate) javascript: Option<FunctionRuntime>,
    /// `env` of `vercel.json`: what functions find set.
    #[serde(skip)]
    pub(crate) env: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// `[functions."glob"]`.
#[derive(Deserialize, Default, Clone, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct FunctionEntry {
    pub(crate) timeout_secs: Option<Spanned<i64>>,
    pub(crate) init_timeout_secs: Option<Spanned<i64>>,
    pub(crate) memory_mb: Option<Spanned<i64>>,
    pub(crate) concurrency: Option<Spanned<i64>>,
    pub(crate) min_instances: Option<Spanned<i64>>,
    pub(crate) max_instances: Option<Spanned<i64>>,
    pub(crate) idle_secs: Option<Spanned<i64>>,
    /// Processors.
    pub(crate) cpu: Option<Spanned<f64>>,
    pub(crate) max_body_mb: Option<Spanned<i64>>,
    pub(crate) max_processes: Option<Spanned<i64>>,
    pub(crate) max_files: Option<Spanned<i64>>,
    pub(crate) tmp_mb: Option<Spanned<i64>>,
    pub(crate) network: Option<Spanned<String>>,
    /// A part of one.
    pub(crate) target_utilization: Option<Spanned<f64>>,
    pub(crate) warm: Option<Vec<WarmEntry>>,
    pub(crate) include_files: Option<Vec<Spanned<String>>>,
    pub(crate) exclude_files: Option<Vec<Spanned<String>>>,
    /// The interpreter of functions in TypeScript and JavaScript.
    pub(crate) runtime: Option<Spanned<String>>,
}

/// One of `warm`.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct WarmEntry {
    pub(crate) cron: Spanned<String>,
    pub(crate) min_instances: Spanned<i64>,
    pub(crate) time_zone: Option<Spanned<String>>,
}

/// `[[redirects]]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct RedirectEntry {
    pub(crate) source: Spanned<String>,
    pub(crate) destination: Spanned<String>,
    pub(crate) permanent: Option<Spanned<bool>>,
    #[serde(alias = "statusCode")]
    pub(crate) status: Option<Spanned<i64>>,
    #[serde(default)]
    pub(crate) has: Vec<Condition>,
    #[serde(default)]
    pub(crate) missing: Vec<Condition>,
}

/// `[[rewrites]]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct RewriteEntry {
    pub(crate) source: Spanned<String>,
    pub(crate) destination: Spanned<String>,
    #[serde(alias = "statusCode")]
    pub(crate) status: Option<Spanned<i64>>,
    #[serde(default)]
    pub(crate) has: Vec<Condition>,
    #[serde(default)]
    pub(crate) missing: Vec<Condition>,
}

/// `[[headers]]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct HeadersEntry {
    pub(crate) source: Spanned<String>,
    pub(crate) headers: Vec<HeaderEntry>,
    #[serde(default)]
    pub(crate) has: Vec<Condition>,
    #[serde(default)]
    pub(crate) missing: Vec<Condition>,
}

/// One of `headers`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct HeaderEntry {
    pub(crate) key: Spanned<String>,
    pub(crate) value: Spanned<String>,
}

/// `[[cors]]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct CorsEntry {
    pub(crate) source: Spanned<String>,
    pub(crate) origins: Spanned<Vec<Spanned<String>>>,
    pub(crate) methods: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(crate) headers: Vec<Spanned<String>>,
    pub(crate) credentials: Option<Spanned<bool>>,
    pub(crate) max_age_secs: Option<Spanned<i64>>,
}

/// `[build]`.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct BuildEntry {
    pub(crate) output: Option<Spanned<String>>,
    pub(crate) root: Option<Spanned<String>>,
    pub(crate) command: Option<Spanned<String>>,
    pub(crate) install: Option<Spanned<String>>,
    pub(crate) framework: Option<Spanned<String>>,
    /// Whether unknown paths lead to `index.html`.
    pub(crate) spa: Option<bool>,
    /// `build.env` of `vercel.json`: what builds find set.
    #[serde(skip)]
    pub(crate) env: BTreeMap<Spanned<String>, Spanned<String>>,
    /// The line that says whether there is anything to deploy.
    pub(crate) ignore: Option<Spanned<String>>,
}

/// `[[crons]]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct CronEntry {
    pub(crate) path: Spanned<String>,
    pub(crate) schedule: Spanned<String>,
}
