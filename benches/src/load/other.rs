//! Load by programs that others wrote, for whoever does not want to believe this one: wrk from Debian, oha from crates.io.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Generator, Order, Report, Target};
use crate::machine;
use crate::peer::NotThere;

/// The version of oha that is installed.
const OHA: &str = "1.14.0";

impl Order {
    /// Makes the load by `generator`. Other programs than our own speak TCP alone, and take no rate and no expected bodies.
    pub(crate) fn carry_out_by(&self, generator: Generator) -> Report {
        let Target::Tcp(address) = &self.target else { return self.carry_out() };
        let url = format!("http://{address}{}", self.path);
        match generator {
            Generator::Own => self.carry_out(),
            Generator::Wrk => wrk_report(&said(self.wrk(&url)), self.seconds),
            Generator::Oha => oha_report(&said(self.oha(&url))),
        }
    }

    fn wrk(&self, url: &str) -> Command {
        let mut command = Command::new("wrk");
        command.args(["--threads=1", "--latency"]).arg(format!("--connections={}", self.connections));
        command.arg(format!("--duration={}s", self.seconds.ceil()));
        // In these letters: wrk sends a second one where it does not find its own.
        command.arg("--header").arg(format!("Host: {}", self.host));
        for header in &self.headers {
            command.arg("--header").arg(header);
        }
        command.arg(url);
        command
    }

    fn oha(&self, url: &str) -> Command {
        let mut command = Command::new(oha_program());
        command.args(["--no-tui", "--output-format", "json", "--disable-compression", "--host", &self.host]);
        command.arg("-c").arg(self.connections.to_string()).arg("-z").arg(format!("{}s", self.seconds.ceil()));
        for header in &self.headers {
            command.arg("-H").arg(header);
        }
        command.arg(url);
        command
    }
}

fn said(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the load generator was installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wrk_report(text: &str, seconds: f64) -> Report {
    let field = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let time = |label: &str| field(label).and_then(wrk_time).unwrap_or(f64::NAN);
    let count = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.);
    let per_second = count(field("Requests/sec:"));
    // `Socket errors: connect 0, read 0, write 0, timeout 0`
    let socket_errors =
        field("Socket errors:").map_or(0., |errors| errors.split([' ', ',']).map(|word| count(Some(word))).sum());
    let failed = count(field("Non-2xx or 3xx responses:")) + socket_errors;
    Report {
        answered: whole(per_second * seconds.ceil()),
        failed: whole(failed),
        per_second,
        p50: time("50%"),
        p99: time("99%"),
    }
}

/// A time as wrk writes it, in seconds: `1.74ms`.
fn wrk_time(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let scale = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.,
        "m" => 60.,
        _ => return None,
    };
    digits.parse::<f64>().ok().map(|value| value * scale)
}

fn oha_report(text: &str) -> Report {
    let report: Value = serde_json::from_str(text).expect("oha prints JSON");
    let counts = |name: &str| report[name].as_object().cloned().unwrap_or_default();
    let is_success = |status: &str| status.starts_with('2');
    let sum = |counts: Vec<Value>| counts.iter().filter_map(Value::as_u64).sum::<u64>();
    let (good, bad): (Vec<_>, Vec<_>) =
        counts("statusCodeDistribution").into_iter().partition(|(status, _)| is_success(status));
    // Who was still waiting when the time was over has not failed.
    let errors = counts("errorDistribution").into_iter().filter(|(name, _)| name != "aborted due to deadline");
    let values = |entries: Vec<(String, Value)>| entries.into_iter().map(|(_, count)| count).collect();
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    Report {
        answered: sum(values(good)),
        failed: sum(values(bad)) + sum(values(errors.collect())),
        per_second: number(&report["summary"]["requestsPerSec"]),
        p50: number(&report["latencyPercentiles"]["p50"]),
        p99: number(&report["latencyPercentiles"]["p99"]),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
fn whole(count: f64) -> u64 {
    count.max(0.).round() as u64
}

/// Sees to it that a generator can be started, and says which one it is, for the facts.
pub(crate) fn prepare(generator: Generator) -> Result<String, NotThere> {
    match generator {
        Generator::Own => Ok("ship-bench's own generator, in a process of its own, every latency kept".to_owned()),
        Generator::Wrk => {
            let line = machine::first_line("wrk".as_ref(), &["--version"]);
            // `wrk debian/4.1.0-3+b2 [epoll] Copyright …`
            let version = line.ok_or_else(|| NotThere("wrk is not installed".to_owned()))?;
            Ok(version.split(" [").next().unwrap_or(&version).to_owned())
        }
        Generator::Oha => install_oha().map(|()| format!("oha {OHA}")),
    }
}

fn oha_folder() -> std::path::PathBuf {
    machine::kept_folder().join(format!("oha-{OHA}"))
}

fn oha_program() -> std::path::PathBuf {
    oha_folder().join("bin/oha")
}

fn install_oha() -> Result<(), NotThere> {
    if oha_program().is_file() {
        return Ok(());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["install", "--quiet", "--locked", "oha", "--version", OHA, "--root"]).arg(oha_folder());
    // Not in the folder of ship's own build, which it would compile anew.
    cargo.arg("--target-dir").arg(oha_folder().join("target"));
    let installed = cargo.status().is_ok_and(|status| status.success());
    // What was compiled on the way is worth half a gigabyte and nothing else.
    let _ = std::fs::remove_dir_all(oha_folder().join("target"));
    if installed { Ok(()) } else { Err(NotThere(format!("cargo install oha {OHA} fails"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What wrk 4.1.0 printed.
    #[test]
    fn wrk() {
        let text = "  Latency Distribution\n     50%    1.74ms\n     99%   12.12us\n  1732 requests in 1.00s, 1.93MB read\n  Socket errors: connect 1, read 2, write 0, timeout 0\n  Non-2xx or 3xx responses: 7\nRequests/sec:   1730.46\n";
        let report = wrk_report(text, 1.);
        assert_eq!((report.answered, report.failed), (1730, 10));
        assert!((report.p50 - 1.74e-3).abs() < 1e-9 && (report.p99 - 12.12e-6).abs() < 1e-12, "{report:?}");
    }

    /// What oha 1.14.0 printed.
    #[test]
    fn oha() {
        let text = r#"{"summary":{"requestsPerSec":1250.5},"latencyPercentiles":{"p50":0.0025,"p99":0.0101},
            "statusCodeDistribution":{"200":1249,"404":3},"errorDistribution":{"aborted due to deadline":4,"refused":2}}"#;
        let report = oha_report(text);
        assert_eq!((report.answered, report.failed), (1249, 5));
        assert_eq!((report.per_second, report.p50, report.p99), (1250.5, 0.0025, 0.0101));
    }
}
