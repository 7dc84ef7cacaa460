//! `[functions."glob"]`: which function may use what. For each key the most specific glob that sets it wins.

use std::fmt::Display;
use std::ops::Range;

use globset::{GlobBuilder, GlobMatcher};
use ship_core::{FunctionLimits, FunctionRuntime, WarmSchedule};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::model::{Configuration, FunctionEntry};
use super::{interpreter, warm};
use crate::included::Inclusion;

/// The longest glob, in bytes: what `vercel.json` accepts.
const MAX_GLOB_BYTES: usize = 256;

/// What a function's own source says that it wants to use.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct OwnLimits {
    pub(crate) timeout_secs: Option<u32>,
    pub(crate) memory_mb: Option<u32>,
}

/// What a function may use: its limits, and when other numbers of instances are kept than these say.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) limits: FunctionLimits,
    pub(crate) warm: Vec<WarmSchedule>,
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
            entry.check(text)?;
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
    pub(crate) fn allowance(&mut self, name: &str, file: &str, own: OwnLimits) -> Result<Allowance, ConfigError> {
        let chosen = self.entry(name, file);
        self.checked(name, &chosen, own)
    }

    fn checked(&self, name: &str, chosen: &FunctionEntry, own: OwnLimits) -> Result<Allowance, ConfigError> {
        let limits = chosen.limits(own);
        let warm = warm::schedules(self.text, chosen.warm.as_deref().unwrap_or_default())?;
        if limits.min_instances > limits.max_instances {
            let place = [&chosen.min_instances, &chosen.max_instances].into_iter().flatten().next();
            let place = place.map_or(0..0, Spanned::span);
            let message = format!(
                "`{name}` would have min_instances {} above max_instances {}",
                limits.min_instances, limits.max_instances
            );
            return Err(self.text.error(place, message));
        }
        warm::check_most(self.text, name, chosen, limits.max_instances)?;
        Ok(Allowance { limits, warm })
    }

    /// What the server of a framework may use, which is one function for all routes: what is said about it, else the most that
    /// any entry allows which is about no other function, and so about one of those routes.
    pub(crate) fn of_server(&mut self, name: &str, file: &str) -> Result<(Allowance, Inclusion), ConfigError> {
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

/// Checks that a number is within its bounds.
pub(super) fn in_range<N: PartialOrd + Display + Copy>(
    text: ConfigText<'_>,
    key: &str,
    value: &Spanned<N>,
    least: N,
    most: N,
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
