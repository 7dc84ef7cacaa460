//! The examiner of pages that npm knows.

use std::process::Command;
use std::sync::OnceLock;

use crate::environment::shared_folder;

/// What looks for what people with other eyes, ears and hands could not use.
const AXE: &str = "axe-core@4.10.3";

/// The source of axe-core, which npm installs once for all stories.
#[track_caller]
pub fn axe() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let folder = shared_folder().join("axe");
        let script = folder.join("node_modules/axe-core/axe.min.js");
        if !script.exists() {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            let npm = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--prefix"])
                .arg(&folder)
                .arg(AXE)
                .output()
                .expect("npm is there");
            assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
        }
        std::fs::read_to_string(&script).expect("the package has its script")
    })
}
