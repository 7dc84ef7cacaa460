//! The machine: room on its disks, ports, and its clock.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, Problem};
use crate::embedded::DEFAULT_SITES;
use crate::output::{shell_word, size};
use crate::settings::Settings;

/// Below how much room a disk counts as nearly full, in bytes: a deploy with a frontend takes some hundred megabytes.
const LITTLE_ROOM: u64 = 1 << 30;

/// Below which share of its inodes a disk counts as nearly full of files: one in so many.
const FEW_INODES: u64 = 50;

/// How far a clock may be off, in seconds: certificates and tokens are made to bear a minute.
const OFF_SECONDS: i64 = 60;

/// How long a host may take to say what time it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// The room on the disk of what ship keeps.
pub(super) fn disk(settings: &Settings) -> Finding {
    let home = settings.home.folder();
    // It may be made only by the first command that keeps something.
    let Some(there) = home.ancestors().find(|folder| folder.exists()) else { return unknown_disk(home) };
    let Ok(found) = rustix::fs::statvfs(there) else { return unknown_disk(home) };
    let (free, all) = (found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize));
    let mut problems = Vec::new();
    let path = shell_word(&there.to_string_lossy());
    if free < LITTLE_ROOM {
        let what = format!(
            "the disk of {} has {} left of {}: builds and deploys will fail",
            home.display(),
            size(free),
            size(all)
        );
        problems.push(Problem::new(
            what,
            format!("`ship gc` removes what no deployment needs, `du -xsh {path}/*` shows what takes room"),
        ));
    }
    if found.f_files > 0 && found.f_favail < found.f_files / FEW_INODES {
        let what = format!(
            "the disk of {} can hold {} more files of {}: builds and deploys will fail with room left",
            home.display(),
            found.f_favail,
            found.f_files
        );
        problems.push(Problem::new(what, format!("`du -x --inodes -d 2 {path}` shows where the many files are")));
    }
    Finding::new("disk", format!("{} free of {}", size(free), size(all)), problems)
}

fn unknown_disk(home: &Path) -> Finding {
    let what = format!("the disk of {} cannot be asked how much room it has", home.display());
    Finding::new("disk", "unknown".to_owned(), vec![Problem::new(what, "`df -h` shows what is mounted")])
}

/// Whether the port is free at which sites are served unless something else listens there.
pub(super) fn port() -> Finding {
    let address = DEFAULT_SITES.strip_prefix("http://").and_then(|address| address.parse::<SocketAddr>().ok());
    let Some(address) = address else { return Finding::new("port", "unknown".to_owned(), Vec::new()) };
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::new("port", format!("{address} is free"), Vec::new()),
        Err(error) => {
            let by =
                ship_host::holder_of(address).map_or_else(|| error.to_string(), |holder| format!("taken by {holder}"));
            let what = format!(
                "{address} is not free for a host on this machine ({by}), so its sites will be at another port"
            );
            let hint = "`ship host --listen 127.0.0.1:0` takes any free port";
            Finding::new("port", format!("{address} is taken"), vec![Problem::new(what, hint)])
        }
    }
}

/// The clock against what was stored last, where the host is on this machine, and against the host's, where it is elsewhere.
pub(super) async fn clock(newest: Option<Timestamp>, elsewhere: Option<&str>) -> Finding {
    let now = Timestamp::now();
    let (other, whose) = match (elsewhere, newest) {
        (Some(url), _) => (asked(url).await, "the host's clock"),
        (None, Some(newest)) if newest > now => (Some(newest), "the newest deployment"),
        (None, _) => (None, ""),
    };
    let Some(other) = other else {
        let compared = if newest.is_some() { ", after the newest deployment" } else { "" };
        return Finding::new("clock", format!("{now:.0}{compared}"), Vec::new());
    };
    let off = other.duration_since(now).as_secs();
    let problems = if off.abs() < OFF_SECONDS { Vec::new() } else { vec![off_by(off, whose)] };
    Finding::new("clock", format!("{off:+} s from {whose}"), problems)
}

fn off_by(off: i64, whose: &str) -> Problem {
    let way = if off > 0 { "behind" } else { "ahead of" };
    let off = SignedDuration::from_secs(off.abs());
    let what =
        format!("this machine's clock is {off:#} {way} {whose}: tokens and certificates may not count yet, or no more");
    Problem::new(what, "`timedatectl set-ntp true` has the clock set by itself")
}

/// What a host's answers say the time is.
async fn asked(url: &str) -> Option<Timestamp> {
    // Another provider may have been installed by an earlier client of this process: either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client =
        reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build().ok()?;
    let answer = client.head(url).send().await.ok()?;
    let date = answer.headers().get(reqwest::header::DATE)?.to_str().ok()?;
    let parsed = jiff::fmt::rfc2822::parse(date).ok()?;
    SystemTime::from(parsed.timestamp()).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deployment of tomorrow says that the clock went back; one of yesterday says nothing.
    #[tokio::test]
    async fn clocks() {
        let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
        let found = clock(Some(tomorrow), None).await;
        assert!(found.problems[0].what().contains("behind the newest deployment"), "{found:?}");
        let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
        assert!(clock(Some(yesterday), None).await.problems.is_empty());
        assert!(clock(None, None).await.problems.is_empty());
    }
}
