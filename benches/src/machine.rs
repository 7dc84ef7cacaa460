//! The machine the figures were measured on: without it they say nothing.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// What there is to say about a machine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    versions: Vec<String>,
}

/// This machine.
pub(crate) fn facts() -> Facts {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = value(&meminfo, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    Facts {
        processor: value(&cpuinfo, "model name").unwrap_or_else(|| "unknown processor".to_owned()),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: memory.unwrap_or(0) / 1024,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        versions: versions(),
    }
}

/// The first line that each program says about its version.
fn versions() -> Vec<String> {
    let asked = [("go", "version"), ("git", "--version"), ("rsync", "--version"), ("/usr/sbin/nginx", "-v")];
    let version = |(program, argument): (&str, &str)| {
        let output = Command::new(program).arg(argument).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
    };
    asked.into_iter().filter_map(version).collect()
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, memory_mib, kernel, versions } = self;
        write!(f, "{processor}, {cores} cores, {memory_mib} MiB, Linux {kernel}\n{}", versions.join("; "))?;
        f.write_str("\nmedian [least – greatest]; both sides of a line took turns in one run")
    }
}
