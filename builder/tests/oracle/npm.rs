//! The packages, installed once per machine, and the programs that ask them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The packages with their versions: Vercel's own translation, and what it is built on.
const PACKAGES: [&str; 2] = ["path-to-regexp@6.1.0", "@vercel/routing-utils@6.6.0"];

/// Asks the program `script` of this folder.
pub(crate) fn ask<Q: Serialize, A: DeserializeOwned>(script: &str, question: &Q) -> A {
    let program = std::fs::read_to_string(here().join(script)).unwrap();
    let mut node = Command::new("node")
        .args(["--input-type=commonjs", "--eval", &program])
        .current_dir(packages())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Node starts: these tests need Node 20");
    let mut stdin = node.stdin.take().unwrap();
    let question = serde_json::to_vec(question).unwrap();
    let asking = std::thread::spawn(move || stdin.write_all(&question));
    let answer = node.wait_with_output().unwrap();
    asking.join().unwrap().unwrap();
    assert!(answer.status.success(), "{script} failed");
    serde_json::from_slice(&answer.stdout).unwrap()
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// The folder that the packages are installed in. It stays for later runs.
fn packages() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder =
            std::env::temp_dir().join(format!("ship-test-oracle-{}", PACKAGES.join("-").replace(['/', '@'], "-")));
        if !folder.is_dir() {
            let fresh = tempfile::tempdir_in(std::env::temp_dir()).unwrap();
            std::fs::write(fresh.path().join("package.json"), "{}").unwrap();
            let installed = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
                .args(PACKAGES)
                .current_dir(fresh.path())
                .output()
                .expect("npm starts: these tests need Node 20 with npm");
            assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
            // Another run may have been faster: then its folder is as good.
            let _ = std::fs::rename(fresh.path(), &folder);
        }
        folder
    })
}
