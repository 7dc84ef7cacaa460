//! Figures that are stories of the tests: the bench runs the story on the binary that it measures, and counts.

use std::process::{Command, Stdio};

use ship_tests::{TestEnv, TestHost, workspace_root};

use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::samples::Samples;

/// How often the host is killed.
const KILLS: u32 = 50;

/// Who asks in the story of K5: seven kinds of token, and four strangers.
const ASKING: usize = 11;

/// K1: four clients keep a ledger of what was acknowledged, while the host is killed again and again.
pub(crate) fn killed(_: &Bench) -> Vec<Row> {
    let work = format!("acknowledged deployments lost or altered over {KILLS} random kills");
    let kills = KILLS.to_string();
    let note =
        "story `killed_under_load`; each operation of the disk, power cuts and full disks: docs/durability.md, I1";
    vec![told(&work, "ledger", &["killed_under_load"], &[("SHIP_KILLS", &kills)], note)]
}

/// K5: every route of the control API, asked by everybody.
pub(crate) fn routes_and_roles(_: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let description = host.control("GET", "/v1/openapi.json").send().success().json();
    let paths = description["paths"].as_object().expect("the description has paths");
    let routes = paths.values().filter_map(serde_json::Value::as_object).map(serde_json::Map::len).sum::<usize>();
    let work = format!("of {routes} routes × {ASKING} roles and strangers, not tried or not as documented");
    let note = "stories `every_route_and_everybody` and `documented`; the table is in docs/access.md";
    vec![told(&work, "access", &["every_route_and_everybody", "documented"], &[], note)]
}

/// Runs stories; zero stands for all of them having ended well.
fn told(work: &str, area: &str, stories: &[&str], variables: &[(&str, &str)], note: &str) -> Row {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--quiet", "--package", "ship-tests", "--test", area, "--", "--exact"]).args(stories);
    cargo
        .current_dir(workspace_root())
        .env("SHIP_TEST_BINARY", ship_tests::ship_binary())
        .envs(variables.iter().copied());
    let Ok(output) = cargo.stdin(Stdio::null()).output() else { return Row::skipped(work, "no cargo on PATH") };
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = format!("{} passed", stories.len());
    let failed = u64::from(!output.status.success() || !said.contains(&passed));
    if failed > 0 {
        crate::talk::say(&said);
    }
    Row::alone(work, Samples::count(failed), Some(Bound::AtMost { value: 0. })).noting(note.to_owned())
}
