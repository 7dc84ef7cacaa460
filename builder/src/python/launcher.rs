//! The launcher: what turns a file of a project into a server. It is the same for all functions of all projects, so it is a
//! layer of its own; a function's artifact holds two lines that say which file.

use ship_core::{Digest, DigestHasher, FunctionRuntime};

use super::inputs::PythonEntry;
use crate::artifact::{Content, Member};

/// The folder of the layer, and the name under which Python knows it.
pub(super) const MOUNT: &str = "ship_launcher";

/// Its modules.
const MODULES: [(&str, &str); 10] = [
    ("__init__.py", include_str!("launcher/__init__.py")),
    ("asgi.py", include_str!("launcher/asgi.py")),
    ("handler.py", include_str!("launcher/handler.py")),
    ("levels.py", include_str!("launcher/levels.py")),
    ("listener.py", include_str!("launcher/listener.py")),
    ("messages.py", include_str!("launcher/messages.py")),
    ("report.py", include_str!("launcher/report.py")),
    ("threads.py", include_str!("launcher/threads.py")),
    ("websocket.py", include_str!("launcher/websocket.py")),
    ("wsgi.py", include_str!("launcher/wsgi.py")),
];

/// The package that starts functions in Python: its name, and the names and texts of its modules.
pub const fn python_launcher() -> (&'static str, &'static [(&'static str, &'static str)]) {
    (MOUNT, &MODULES)
}

/// The digest of the launcher.
pub(super) fn digest() -> Digest {
    let mut hasher = DigestHasher::new();
    for (name, text) in MODULES {
        hasher.update_field(name.as_bytes());
        hasher.update_field(text.as_bytes());
    }
    hasher.finish()
}

/// The members of the launcher's layer.
pub(super) fn members() -> Vec<Member> {
    let member = |(name, text): (&str, &str)| Member::data(format!("{MOUNT}/{name}"), Content::Bytes(text.into()));
    MODULES.into_iter().map(member).collect()
}

/// The program that starts the launcher for one function, with a Python that is `named` by its version if there is a name.
pub(super) fn program(entry: &PythonEntry, named: Option<&str>) -> String {
    // A string of JSON is a string of Python.
    let quoted = |text: &str| serde_json::to_string(text).expect("a string can be written as JSON");
    let variable = entry.variable.as_deref().map_or_else(|| "None".to_owned(), quoted);
    let become_named = named.map(|named| format!("    from {MOUNT} import become\n\n    become({})\n", quoted(named)));
    // The processes of `multiprocessing` import this file under another name.
    format!(
        "import os, sys\n\nif __name__ == \"__main__\":\n    sys.path.insert(0, os.getcwd())\n{}    from {MOUNT} import run\n\n    \
         run({}, {variable})\n",
        become_named.unwrap_or_default(),
        quoted(&entry.file)
    )
}

/// The only member of a function's artifact.
pub(super) fn artifact(program: String) -> Vec<Member> {
    vec![Member::data(FunctionRuntime::Python.entry(), Content::Bytes(program.into_bytes()))]
}

#[cfg(test)]
mod tests;
