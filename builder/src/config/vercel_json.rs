//! The reader of `vercel.json`: its keys, in the words of the one model. What means nothing on a machine of one's own is accepted
//! and passed over; what would be missed is warned about or refused.

mod functions;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, de::Deserializer};

use super::diagnostic::{ConfigError, ConfigText};
use super::interpreter;
use super::json;
use super::legacy_builds::BuildItem;
use super::legacy_routes::RouteItem;
use super::model::{BuildEntry, Configuration, CronEntry, HeadersEntry, RedirectEntry, RewriteEntry};
use functions::VercelFunction;

/// Keys that are about Vercel's own service: where it runs, whom it tells, what it optimises, how it is tested.
const ABOUT_VERCEL: [&str; 16] = [
    "$schema",
    "alias",
    "fluid",
    "functionFailoverRegions",
    "git",
    "github",
    "images",
    "microfrontends",
    "passiveRegions",
    "probes",
    "public",
    "regions",
    "relatedProjects",
    "scope",
    "version",
    "wildcard",
];

/// Keys whose absence a site would feel, and what to do instead.
const NOT_USED: [(&str, &str); 5] = [
    ("bulkRedirectsPath", "write the redirects into `redirects`"),
    ("devCommand", "`ship dev` starts the script `dev` of package.json, or the framework's own command"),
    ("experimentalServices", "deploy each service as a project of its own"),
    ("proxy", "use `rewrites` with the URL of the other server"),
    ("services", "deploy each service as a project of its own"),
];

/// Keys that mean something here.
const USED: [&str; 18] = [
    "build",
    "buildCommand",
    "builds",
    "bunVersion",
    "cleanUrls",
    "crons",
    "env",
    "framework",
    "functions",
    "headers",
    "ignoreCommand",
    "installCommand",
    "name",
    "outputDirectory",
    "redirects",
    "rewrites",
    "routes",
    "trailingSlash",
];

/// Keys of rewrites, redirects and routes that change nothing here.
const PASSED_OVER_IN_ROUTES: [&str; 5] = ["important", "isInternal", "override", "respectOriginCacheControl", "user"];

/// Keys of rewrites, redirects and routes that a site would be wrong without.
const REFUSED_IN_ROUTES: [&str; 7] =
    ["env", "locale", "middleware", "middlewarePath", "middlewareRawSrc", "mitigate", "transforms"];

/// How many redirects, rewrites or headers there may be: as many as Vercel takes.
const MAX_ENTRIES: usize = 2048;

/// A key of the file that is not used, with what to do instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UnusedKey {
    pub(crate) key: &'static str,
    pub(crate) line: usize,
    pub(crate) instead: &'static str,
}

/// The keys that mean something here.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase", expecting = "a table")]
struct VercelJson {
    name: Option<Spanned<String>>,
    functions: BTreeMap<Spanned<String>, VercelFunction>,
    redirects: Vec<RedirectEntry>,
    rewrites: Vec<RewriteEntry>,
    headers: Vec<HeadersEntry>,
    routes: Vec<Spanned<RouteItem>>,
    builds: Vec<BuildItem>,
    env: BTreeMap<Spanned<String>, Spanned<String>>,
    build: BuildVariables,
    crons: Vec<CronEntry>,
    bun_version: Option<Spanned<String>>,
    clean_urls: bool,
    trailing_slash: Option<bool>,
    build_command: Option<Spanned<String>>,
    install_command: Option<Spanned<String>>,
    output_directory: Option<Spanned<String>>,
    framework: Option<Spanned<String>>,
    ignore_command: Option<Spanned<String>>,
}

/// `build`: what a build finds set.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct BuildVariables {
    env: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// Reads the file's text.
pub(super) fn read(text: ConfigText<'_>) -> Result<(Configuration, Vec<UnusedKey>), ConfigError> {
    let mut table = json::read(text)?;
    let places: Vec<(String, std::ops::Range<usize>)> = table
        .get_ref()
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), key.span().start..value.span().end))
        .collect();
    let unused = prepare(text, table.get_mut())?;
    let file = VercelJson::deserialize(Deserializer::from(table)).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let key = places.iter().find(|(_, place)| place.contains(&at)).map(|(key, _)| key.as_str());
        let wrong = text.toml_error(&error);
        match key.and_then(code_of) {
            Some("invalid_function") => wrong.coded(functions::code_at(text, at)),
            Some(code) => wrong.coded(code),
            None => wrong,
        }
    })?;
    Ok((file.into_configuration(text)?, unused))
}

/// Vercel's code for what is wrong below a key.
fn code_of(key: &str) -> Option<&'static str> {
    match key {
        "redirects" => Some("invalid_redirect"),
        "rewrites" => Some("invalid_rewrite"),
        "headers" => Some("invalid_header"),
        "routes" => Some("invalid_route"),
        "cleanUrls" => Some("invalid_clean_urls"),
        "trailingSlash" => Some("invalid_trailing_slash"),
        "functions" => Some("invalid_function"),
        "crons" => Some("invalid_cron"),
        "bunVersion" => Some("invalid_bun_version"),
        "builds" => Some("invalid_builds"),
        "env" | "build" => Some("invalid_env"),
        _ => None,
    }
}

/// Takes out what is not used, and refuses what cannot be passed over.
fn prepare(text: ConfigText<'_>, table: &mut DeTable<'_>) -> Result<Vec<UnusedKey>, ConfigError> {
    refuse_unknown(text, table)?;
    refuse_functions_beside_builds(text, table)?;
    remove(table, &ABOUT_VERCEL);
    let mut unused = Vec::new();
    for (key, instead) in NOT_USED {
        if let Some((place, _)) = table.get_key_value(key) {
            unused.push(UnusedKey { key, line: text.line(place.span().start), instead });
        }
        table.remove(key);
    }
    for key in ["redirects", "rewrites", "headers", "routes"] {
        let code = code_of(key).unwrap_or_default();
        if let Some(list) = table.get_mut(key) {
            prepare_list(text, list).map_err(|error| error.coded(code))?;
        }
    }
    functions::prepare(table);
    Ok(unused)
}

/// What functions may use is said in `functions`, or in the `config` of `builds`: Vercel refuses both together.
fn refuse_functions_beside_builds(text: ConfigText<'_>, table: &DeTable<'_>) -> Result<(), ConfigError> {
    let has_builds =
        table.get("builds").is_some_and(|builds| builds.get_ref().as_array().is_some_and(|all| !all.is_empty()));
    match table.get_key_value("functions").filter(|_| has_builds) {
        None => Ok(()),
        Some((key, _)) => {
            let message = "`functions` and `builds` cannot stand together: remove `builds`, and ship finds the functions below \
                           `api/` by itself, or say in the `config` of each build what its functions may use";
            Err(text.error(key.span(), message).coded("FUNCTIONS_AND_BUILDS"))
        }
    }
}

/// Takes keys out of a table.
fn remove(table: &mut DeTable<'_>, keys: &[&str]) {
    for key in keys {
        table.remove(*key);
    }
}

fn refuse_unknown(text: ConfigText<'_>, table: &DeTable<'_>) -> Result<(), ConfigError> {
    let known: Vec<&str> = USED.into_iter().chain(ABOUT_VERCEL).chain(NOT_USED.map(|(key, _)| key)).collect();
    match table.keys().find(|key| !known.contains(&&**key.get_ref())) {
        None => Ok(()),
        Some(key) => Err(text.unknown_key(key.span(), key.get_ref(), &known)),
    }
}

fn prepare_list(text: ConfigText<'_>, list: &mut Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
    let place = list.span();
    let DeValue::Array(list) = list.get_mut() else { return Ok(()) };
    if list.len() > MAX_ENTRIES {
        return Err(text.error(place, format!("{} entries are more than the {MAX_ENTRIES} there may be", list.len())));
    }
    for entry in list.iter_mut() {
        let DeValue::Table(entry) = entry.get_mut() else { continue };
        remove(entry, &PASSED_OVER_IN_ROUTES);
        if let Some(key) = entry.keys().find(|key| REFUSED_IN_ROUTES.contains(&&**key.get_ref())) {
            let message =
                format!("this version of ship does not know `{}` of a route: use a function for it", key.get_ref());
            return Err(text.error(key.span(), message));
        }
        if let Some(destination) = entry.get("destination").filter(|value| value.get_ref().is_table()) {
            let message = "this version of ship has no services: a destination is a path or a URL";
            return Err(text.error(destination.span(), message));
        }
    }
    Ok(())
}

impl VercelJson {
    fn into_configuration(self, text: ConfigText<'_>) -> Result<Configuration, ConfigError> {
        let mut functions = BTreeMap::new();
        for (glob, function) in self.functions {
            functions.insert(glob, function.into_entry(text)?);
        }
        Ok(Configuration {
            name: self.name,
            functions,
            redirects: self.redirects,
            rewrites: self.rewrites,
            headers: self.headers,
            routes: self.routes,
            builds: self.builds,
            env: self.env,
            crons: self.crons,
            javascript: self.bun_version.map(|version| interpreter::bun(text, &version)).transpose()?,
            cors: Vec::new(),
            trailing_slash: self.trailing_slash,
            clean_urls: self.clean_urls,
            build: BuildEntry {
                output: self.output_directory,
                root: None,
                command: self.build_command,
                install: self.install_command,
                framework: self.framework.filter(|framework| !framework.get_ref().is_empty()),
                spa: None,
                env: self.build.env,
                ignore: self.ignore_command,
            },
        })
    }
}
