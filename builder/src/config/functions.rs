//! `[functions."glob"]`: which function may use what. For each key the most specific glob that sets it wins.

use std::ops::Range;

use globset::{GlobBuilder, GlobMatcher};
use ship_core::{FunctionLimits, FunctionRuntime};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::interpreter;
use super::model::{Configuration, FunctionEntry};
use crate::included::Inclusion;

/// The longest glob, in bytes: what `vercel.json` accepts.
const MAX_GLOB_BYTES: usize = 256;

/// What a function's own source says that it wants to use.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct OwnLimits {
    pub(crate) timeout_secs: Option<u32>,
    pub(crate) memory_mb: Option<u32>,
}

/// The entries of `[functions]`, from the least to the most specific.
#[derive(Debug)]
pub(crate) struct FunctionRules<'t> {
    text: ConfigText<'t>,
    rules: Vec<FunctionRule>,
    /// What runs functions in TypeScript and JavaScript that nothing else is said about.
    javascript: FunctionRuntime,
}

#[derive(Debug)]
struct FunctionRule {
    glob: String,
    matcher: GlobMatcher,
    span: Range<usize>,
    entry: FunctionEntry,
    runtime: Option<FunctionRuntime>,
    is_used: bool,
}

impl<'t> FunctionRules<'t> {
    /// The entries of a file, ordered by how many literal characters their globs have; of two with as many, the later one in
    /// the file counts as more specific.
    pub(crate) fn new(text: ConfigText<'t>, file: &Configuration) -> Result<Self, ConfigError> {
        let rule = |(glob, entry): (&Spanned<String>, &FunctionEntry)| {
            check_ranges(text, entry)?;
            check_included(text, entry)?;
            Ok(FunctionRule {
                glob: glob.get_ref().clone(),
                matcher: compile(text, glob)?,
                span: glob.span(),
                entry: entry.clone(),
                runtime: entry.runtime.as_ref().map(|written| interpreter::named(text, written)).transpose()?,
                is_used: false,
            })
        };
        let mut rules = file.functions.iter().map(rule).collect::<Result<Vec<_>, ConfigError>>()?;
        rules.sort_by_key(|rule| (literal_characters(&rule.glob), rule.span.start));
        Ok(Self { text, rules, javascript: file.javascript.unwrap_or(FunctionRuntime::Node) })
    }

    /// What the function `name`, made of the file `file`, may use. What it says itself holds where no entry says otherwise.
    pub(crate) fn limits(&mut self, name: &str, file: &str, own: OwnLimits) -> Result<FunctionLimits, ConfigError> {
        let chosen = self.entry(name, file);
        self.checked(name, &chosen, own)
    }

    fn checked(&self, name: &str, chosen: &FunctionEntry, own: OwnLimits) -> Result<FunctionLimits, ConfigError> {
        let limits = chosen.limits(own);
        if limits.min_instances > limits.max_instances {
            let place = [&chosen.min_instances, &chosen.max_instances].into_iter().flatten().next();
            let place = place.map_or(0..0, Spanned::span);
            let message = format!(
                "`{name}` would have min_instances {} above max_instances {}",
                limits.min_instances, limits.max_instances
            );
            return Err(self.text.error(place, message));
        }
        Ok(limits)
    }

    /// What the server of a framework may use, which is one function for all routes: what is said about it, else the most that
    /// any entry allows which is about no other function, and so about one of those routes.
    pub(crate) fn of_server(&mut self, name: &str, file: &str) -> Result<(FunctionLimits, Inclusion), ConfigError> {
        let mut most = FunctionEntry::default();
        for rule in self.rules.iter_mut().filter(|rule| !rule.is_used) {
            rule.is_used = true;
            most.widen(&rule.entry);
        }
        most.overlay(&self.entry(name, file));
        Ok((self.checked(name, &most, OwnLimits::default())?, most.inclusion()))
    }

    /// Which files the function `name`, made of the file `file`, takes along.
    pub(crate) fn inclusion(&mut self, name: &str, file: &str) -> Inclusion {
        self.entry(name, file).inclusion()
    }

    /// What runs the function `name` in TypeScript or JavaScript, made of the file `file`: what the most specific entry says that
    /// says anything, else what the file itself asks for, else what the project does.
    pub(crate) fn interpreter(&self, name: &str, file: &str, own: Option<FunctionRuntime>) -> FunctionRuntime {
        let about = self.rules.iter().rev().filter(|rule| rule.is_about(name) || rule.is_about(file));
        let said = about.into_iter().find_map(|rule| rule.runtime);
        said.or(own).unwrap_or(self.javascript)
    }

    /// What the rules about a function say together.
    fn entry(&mut self, name: &str, file: &str) -> FunctionEntry {
        let mut chosen = FunctionEntry::default();
        for rule in &mut self.rules {
            if rule.is_about(name) || rule.is_about(file) {
                rule.is_used = true;
                chosen.overlay(&rule.entry);
            }
        }
        chosen
    }

    /// Refuses globs that are about no function: a slip in a glob would otherwise silently set nothing.
    pub(crate) fn refuse_unused(&self) -> Result<(), ConfigError> {
        match self.rules.iter().filter(|rule| !rule.is_used).min_by_key(|rule| rule.span.start) {
            None => Ok(()),
            Some(rule) => {
                let message = format!("the glob `{}` matches no function", rule.glob);
                Err(self.text.error(rule.span.clone(), message).coded("unused_function"))
            }
        }
    }
}

impl FunctionRule {
    fn is_about(&self, path: &str) -> bool {
        self.matcher.is_match(path)
    }
}

impl FunctionEntry {
    fn overlay(&mut self, more_specific: &Self) {
        let replace = |value: &mut Option<Spanned<i64>>, by: &Option<Spanned<i64>>| {
            if by.is_some() {
                value.clone_from(by);
            }
        };
        replace(&mut self.timeout_secs, &more_specific.timeout_secs);
        replace(&mut self.init_timeout_secs, &more_specific.init_timeout_secs);
        replace(&mut self.memory_mb, &more_specific.memory_mb);
        replace(&mut self.concurrency, &more_specific.concurrency);
        replace(&mut self.min_instances, &more_specific.min_instances);
        replace(&mut self.max_instances, &more_specific.max_instances);
        replace(&mut self.idle_secs, &more_specific.idle_secs);
        for (globs, by) in [
            (&mut self.include_files, &more_specific.include_files),
            (&mut self.exclude_files, &more_specific.exclude_files),
        ] {
            if by.is_some() {
                globs.clone_from(by);
            }
        }
    }

    /// Takes the larger of each two values, and the files of both. What is smaller than what functions have anyway is no
    /// reason to take from them.
    fn widen(&mut self, other: &Self) {
        let default = FunctionLimits::default();
        let larger = |value: &mut Option<Spanned<i64>>, other: &Option<Spanned<i64>>, usual: u32| {
            let known = value.as_ref().map_or(i64::from(usual), |value| *value.get_ref());
            if other.as_ref().is_some_and(|other| *other.get_ref() > known) {
                value.clone_from(other);
            }
        };
        larger(&mut self.timeout_secs, &other.timeout_secs, default.timeout_secs);
        larger(&mut self.init_timeout_secs, &other.init_timeout_secs, default.init_timeout_secs);
        larger(&mut self.memory_mb, &other.memory_mb, default.memory_mb);
        larger(&mut self.concurrency, &other.concurrency, default.concurrency);
        larger(&mut self.min_instances, &other.min_instances, default.min_instances);
        larger(&mut self.max_instances, &other.max_instances, default.max_instances);
        larger(&mut self.idle_secs, &other.idle_secs, default.idle_secs);
        for (globs, others) in
            [(&mut self.include_files, &other.include_files), (&mut self.exclude_files, &other.exclude_files)]
        {
            globs.get_or_insert_default().extend(others.iter().flatten().cloned());
        }
    }

    /// Which files a function takes along.
    fn inclusion(&self) -> Inclusion {
        let globs = |written: &Option<Vec<Spanned<String>>>| {
            written.iter().flatten().map(|glob| glob.get_ref().clone()).collect()
        };
        Inclusion { include: globs(&self.include_files), exclude: globs(&self.exclude_files) }
    }

    fn limits(&self, own: OwnLimits) -> FunctionLimits {
        let default = FunctionLimits::default();
        let timeout_secs = own.timeout_secs.unwrap_or(default.timeout_secs);
        let memory_mb = own.memory_mb.unwrap_or(default.memory_mb);
        let default = FunctionLimits { timeout_secs, memory_mb, ..default };
        let value = |written: &Option<Spanned<i64>>, default: u32| {
            written.as_ref().and_then(|value| u32::try_from(*value.get_ref()).ok()).unwrap_or(default)
        };
        FunctionLimits {
            timeout_secs: value(&self.timeout_secs, default.timeout_secs),
            init_timeout_secs: value(&self.init_timeout_secs, default.init_timeout_secs),
            memory_mb: value(&self.memory_mb, default.memory_mb),
            concurrency: value(&self.concurrency, default.concurrency),
            min_instances: value(&self.min_instances, default.min_instances),
            max_instances: value(&self.max_instances, default.max_instances),
            idle_secs: value(&self.idle_secs, default.idle_secs),
        }
    }
}

/// Each value must be one that a host can keep to: no request lasts over an hour, no Go program starts below 32 MiB, and no
/// machine holds a thousand instances of one function.
fn check_ranges(text: ConfigText<'_>, entry: &FunctionEntry) -> Result<(), ConfigError> {
    for (key, value, least, most) in [
        ("timeout_secs", &entry.timeout_secs, 1, 3_600),
        ("init_timeout_secs", &entry.init_timeout_secs, 1, 600),
        ("memory_mb", &entry.memory_mb, 32, 65_536),
        ("concurrency", &entry.concurrency, 1, 10_000),
        ("min_instances", &entry.min_instances, 0, 1_000),
        ("max_instances", &entry.max_instances, 1, 1_000),
        ("idle_secs", &entry.idle_secs, 0, 86_400),
    ] {
        if let Some(value) = value {
            in_range(text, key, value, least, most)?;
        }
    }
    Ok(())
}

/// The globs of files must be ones that stay in the project.
fn check_included(text: ConfigText<'_>, entry: &FunctionEntry) -> Result<(), ConfigError> {
    let globs = entry.include_files.iter().chain(&entry.exclude_files).flatten();
    for glob in globs {
        if let Err(reason) = Inclusion::check(glob.get_ref()) {
            let message = format!("the glob `{}` is wrong: {reason}", glob.get_ref());
            return Err(text.error(glob.span(), message));
        }
    }
    Ok(())
}

/// Checks that a number is within its bounds.
pub(super) fn in_range(
    text: ConfigText<'_>,
    key: &str,
    value: &Spanned<i64>,
    least: i64,
    most: i64,
) -> Result<(), ConfigError> {
    if (least..=most).contains(value.get_ref()) {
        return Ok(());
    }
    Err(text.error(value.span(), format!("`{key}` must be from {least} to {most}, found {}", value.get_ref())))
}

fn compile(text: ConfigText<'_>, glob: &Spanned<String>) -> Result<GlobMatcher, ConfigError> {
    let wrong = |code: &'static str, reason: &str| {
        text.error(glob.span(), format!("the glob `{}` is wrong: {reason}", glob.get_ref())).coded(code)
    };
    if glob.get_ref().len() > MAX_GLOB_BYTES {
        return Err(wrong("invalid_function_glob", "it is longer than 256 bytes"));
    }
    if glob.get_ref().starts_with('/') {
        let reason = "it starts with `/`; globs are relative to the project, as in `api/*`";
        return Err(wrong("invalid_function_source", reason));
    }
    let compiled = GlobBuilder::new(&literal_brackets(glob.get_ref())).literal_separator(true).build();
    compiled.map(|glob| glob.compile_matcher()).map_err(|error| wrong("invalid_function", &error.kind().to_string()))
}

/// Brackets mean themselves: in a path of a function `[id]` is a placeholder, not a choice of characters. Only in an ending they
/// are one, as in `api/*.[jt]s`.
fn literal_brackets(glob: &str) -> String {
    let (path, ending) = glob.rfind(".[").map_or((glob, ""), |dot| glob.split_at(dot));
    let (path, ending) = if ending.contains('/') { (glob, "") } else { (path, ending) };
    let escape = |character: char| match character {
        '[' => "[[]".to_owned(),
        ']' => "[]]".to_owned(),
        other => other.to_string(),
    };
    path.chars().map(escape).collect::<String>() + ending
}

fn literal_characters(glob: &str) -> usize {
    glob.chars().filter(|character| !"*?{},".contains(*character)).count()
}
