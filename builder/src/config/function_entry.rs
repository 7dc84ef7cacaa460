//! The keys of `[functions."glob"]`: what each may hold, and what several entries about one function say together.

use ship_core::{FunctionLimits, NetworkAccess};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::functions::{OwnLimits, in_range};
use super::model::FunctionEntry;
use super::warm;
use crate::included::Inclusion;

/// The bounds of `cpu`. With less than a twentieth of a processor, an interpreter does not start in its time.
const CPU: [f64; 2] = [0.05, 256.0];

/// The bounds of `target_utilization`. Less would be an instance per request.
const UTILIZATION: [f64; 2] = [0.1, 1.0];

/// The words for where a function may connect to.
const NETWORK: [&str; 3] = ["all", "none", "public"];

/// A key that holds a whole number: its name, its bounds, and what functions have that nothing is said about.
struct WholeKey {
    name: &'static str,
    least: i64,
    most: i64,
    usual: u32,
}

/// The keys that hold whole numbers, in the order of [`FunctionEntry::whole`].
///
/// Each value must be one that a host can keep to: no request lasts over an hour, no Go program starts below 32 MiB or with fewer
/// than 16 threads, and no machine holds a thousand instances of one function.
fn whole_keys() -> [WholeKey; 11] {
    let default = FunctionLimits::default();
    let key = |name, least, most, usual| WholeKey { name, least, most, usual };
    [
        key("timeout_secs", 1, 3_600, default.timeout_secs),
        key("init_timeout_secs", 1, 600, default.init_timeout_secs),
        key("memory_mb", 32, 65_536, default.memory_mb),
        key("concurrency", 1, 10_000, default.concurrency),
        key("min_instances", 0, 1_000, default.min_instances),
        key("max_instances", 1, 1_000, default.max_instances),
        key("idle_secs", 0, 86_400, default.idle_secs),
        key("max_body_mb", 1, 1_048_576, default.max_body_mb.unwrap_or(u32::MAX)),
        key("max_processes", 16, 65_536, default.max_processes),
        key("max_files", 64, 1_048_576, default.max_files),
        key("tmp_mb", 1, 65_536, default.tmp_mb),
    ]
}

impl FunctionEntry {
    /// The whole numbers, in the order of [`whole_keys`].
    const fn whole(&self) -> [&Option<Spanned<i64>>; 11] {
        [
            &self.timeout_secs,
            &self.init_timeout_secs,
            &self.memory_mb,
            &self.concurrency,
            &self.min_instances,
            &self.max_instances,
            &self.idle_secs,
            &self.max_body_mb,
            &self.max_processes,
            &self.max_files,
            &self.tmp_mb,
        ]
    }

    const fn whole_mut(&mut self) -> [&mut Option<Spanned<i64>>; 11] {
        [
            &mut self.timeout_secs,
            &mut self.init_timeout_secs,
            &mut self.memory_mb,
            &mut self.concurrency,
            &mut self.min_instances,
            &mut self.max_instances,
            &mut self.idle_secs,
            &mut self.max_body_mb,
            &mut self.max_processes,
            &mut self.max_files,
            &mut self.tmp_mb,
        ]
    }

    /// Checks each value by itself.
    pub(super) fn check(&self, text: ConfigText<'_>) -> Result<(), ConfigError> {
        for (key, value) in whole_keys().iter().zip(self.whole()) {
            if let Some(value) = value {
                in_range(text, key.name, value, key.least, key.most)?;
            }
        }
        for (name, value, [least, most]) in
            [("cpu", &self.cpu, CPU), ("target_utilization", &self.target_utilization, UTILIZATION)]
        {
            if let Some(value) = value {
                in_range(text, name, value, least, most)?;
            }
        }
        if let Some(network) = self.network.as_ref().filter(|word| word.get_ref().parse::<NetworkAccess>().is_err()) {
            return Err(text.unknown_value(network.span(), "network", network.get_ref(), &NETWORK));
        }
        warm::schedules(text, self.warm.as_deref().unwrap_or_default())?;
        self.check_included(text)
    }

    /// The globs of files must be ones that stay in the project.
    fn check_included(&self, text: ConfigText<'_>) -> Result<(), ConfigError> {
        let globs = self.include_files.iter().chain(&self.exclude_files).flatten();
        for glob in globs {
            if let Err(reason) = Inclusion::check(glob.get_ref()) {
                let message = format!("the glob `{}` is wrong: {reason}", glob.get_ref());
                return Err(text.error(glob.span(), message));
            }
        }
        Ok(())
    }

    /// Takes what another entry says, key by key.
    pub(super) fn overlay(&mut self, more_specific: &Self) {
        for (value, by) in self.whole_mut().into_iter().zip(more_specific.whole()) {
            replace(value, by.as_ref());
        }
        replace(&mut self.cpu, more_specific.cpu.as_ref());
        replace(&mut self.target_utilization, more_specific.target_utilization.as_ref());
        replace(&mut self.network, more_specific.network.as_ref());
        replace(&mut self.warm, more_specific.warm.as_ref());
        replace(&mut self.include_files, more_specific.include_files.as_ref());
        replace(&mut self.exclude_files, more_specific.exclude_files.as_ref());
    }

    /// Takes the larger of each two values, and the files of both. What is smaller than what functions have anyway is no
    /// reason to take from them: a part of a processor, a bound on bodies and less of the network are that.
    pub(super) fn widen(&mut self, other: &Self) {
        for ((value, other), key) in self.whole_mut().into_iter().zip(other.whole()).zip(whole_keys()) {
            let known = value.as_ref().map_or(i64::from(key.usual), |value| *value.get_ref());
            if other.as_ref().is_some_and(|other| *other.get_ref() > known) {
                value.clone_from(other);
            }
        }
        if other.network.as_ref().is_some_and(|network| network.get_ref() == NetworkAccess::All.as_str()) {
            self.network.clone_from(&other.network);
        }
        replace(&mut self.warm, other.warm.as_ref());
        for (globs, others) in
            [(&mut self.include_files, &other.include_files), (&mut self.exclude_files, &other.exclude_files)]
        {
            globs.get_or_insert_default().extend(others.iter().flatten().cloned());
        }
    }

    /// Which files a function takes along.
    pub(super) fn inclusion(&self) -> Inclusion {
        let globs = |written: &Option<Vec<Spanned<String>>>| {
            written.iter().flatten().map(|glob| glob.get_ref().clone()).collect()
        };
        Inclusion { include: globs(&self.include_files), exclude: globs(&self.exclude_files) }
    }

    /// The limits of a function, which may want some itself.
    pub(super) fn limits(&self, own: OwnLimits) -> FunctionLimits {
        let default = FunctionLimits::default();
        let number = |written: &Option<Spanned<i64>>| u32::try_from(*written.as_ref()?.get_ref()).ok();
        FunctionLimits {
            timeout_secs: number(&self.timeout_secs).or(own.timeout_secs).unwrap_or(default.timeout_secs),
            init_timeout_secs: number(&self.init_timeout_secs).unwrap_or(default.init_timeout_secs),
            memory_mb: number(&self.memory_mb).or(own.memory_mb).unwrap_or(default.memory_mb),
            concurrency: number(&self.concurrency).unwrap_or(default.concurrency),
            min_instances: number(&self.min_instances).unwrap_or(default.min_instances),
            max_instances: number(&self.max_instances).unwrap_or(default.max_instances),
            idle_secs: number(&self.idle_secs).unwrap_or(default.idle_secs),
            cpu_thousandths: parts(self.cpu.as_ref(), 1_000.0),
            max_body_mb: number(&self.max_body_mb),
            max_processes: number(&self.max_processes).unwrap_or(default.max_processes),
            max_files: number(&self.max_files).unwrap_or(default.max_files),
            tmp_mb: number(&self.tmp_mb).unwrap_or(default.tmp_mb),
            network: self.network.as_ref().and_then(|word| word.get_ref().parse().ok()).unwrap_or(default.network),
            target_utilization_percent: parts(self.target_utilization.as_ref(), 100.0)
                .unwrap_or(default.target_utilization_percent),
        }
    }
}

fn replace<T: Clone>(value: &mut Option<T>, by: Option<&T>) {
    if by.is_some() {
        *value = by.cloned();
    }
}

/// A number in whole parts of one, of which there are `parts_of_one`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range was checked")]
fn parts(written: Option<&Spanned<f64>>, parts_of_one: f64) -> Option<u32> {
    written.map(|value| (value.get_ref() * parts_of_one).round() as u32)
}
