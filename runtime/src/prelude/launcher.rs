//! Launchers that are known before an artifact is.
//!
//! Artifacts of Node are started by a module of their own, which is the same in all of them but for what it launches. A host
//! whose own builder writes that module has it loaded and called before anybody asks; an artifact by another version starts
//! its own, as everywhere else.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

/// The longest text of what is launched, in bytes: a path and some flags.
const MOST_LAUNCHED_BYTES: usize = 64 * 1024;

/// The text of every launcher that a builder writes, but for what is launched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownLauncher {
    /// What stands before what is launched, which is JSON.
    pub before: String,
    /// What stands behind it: the module, and what launches.
    pub after: String,
    /// The module by itself. Its `launch` takes what is launched and the URL of the artifact.
    pub module: String,
}

impl KnownLauncher {
    /// What the launcher in a file launches, if it is this one.
    pub(crate) fn read(&self, file: &Path) -> io::Result<Option<Value>> {
        let metadata = file.symlink_metadata()?;
        let most = self.before.len() + self.after.len() + MOST_LAUNCHED_BYTES;
        // An artifact may hold something else under this name.
        if !metadata.is_file() || metadata.len() > most as u64 {
            return Ok(None);
        }
        Ok(self.launched(&fs::read_to_string(file)?))
    }

    /// What a launcher launches, if it is this one.
    fn launched(&self, text: &str) -> Option<Value> {
        let launched = text.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        serde_json::from_str(launched).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is launched is found in a launcher that is known, and in no other.
    #[test]
    fn known_or_not() {
        let known = KnownLauncher { before: "const a = ".into(), after: ";\nrun(a);\n".into(), module: String::new() };
        let launched = known.launched("const a = {\"entry\": \"./b\"};\nrun(a);\n").unwrap();
        assert_eq!(launched["entry"], "./b");
        for other in [
            "const a = {};\nrun(b);\n",
            "let a = {};\nrun(a);\n",
            "const a = f();\nrun(a);\n",
            "const a = ;\nrun(a);\n",
            "",
        ] {
            assert_eq!(known.launched(other), None, "{other}");
        }
    }
}
