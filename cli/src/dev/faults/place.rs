//! Where in a project's sources a function failed, by what it printed.

use std::path::Path;

use ship_core::FunctionName;

use crate::place::{Place, in_go, in_python};

/// The endings of files that functions are made of.
const ENDINGS: [&str; 11] = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs", "py", "go", "rs"];

/// How lines begin with which a file says what answers requests.
const ENTRIES: [&str; 11] = [
    "export default",
    "export const fetch",
    "module.exports",
    "exports.",
    "app ",
    "app:",
    "application ",
    "def app(",
    "async def app(",
    "class handler(",
    "pub async fn handler(",
];

/// The place in the project's sources at which it happened: in a traceback of Python the last, in the others the first.
pub(super) fn place_of(lines: &[&str], root: &Path) -> Option<Place> {
    let of_python = lines.iter().rev().find_map(|line| in_python(line, root));
    of_python.or_else(|| {
        lines.iter().find_map(|line| {
            line.split_whitespace().find_map(|word| Place::parse(word, root).or_else(|| in_go(word, root)))
        })
    })
}

/// The line with which a function's file says what answers requests of this method. It is what ship's own code speaks of when what was
/// thrown leads nowhere in the project: of a handler that gives nothing, or of an application that is none.
pub(super) fn entry_of(function: &FunctionName, method: &str, lines: &[&str], root: &Path) -> Option<Place> {
    lines.iter().find(|line| is_thrown(line))?;
    let file = ENDINGS.iter().map(|ending| format!("{function}.{ending}")).find(|file| root.join(file).is_file())?;
    let text = std::fs::read_to_string(root.join(&file)).ok()?;
    let is_of_method = |line: &str| {
        line.starts_with("export ") && line.split(|c: char| !c.is_alphanumeric()).any(|word| word == method)
    };
    let is_entry = |line: &str| ENTRIES.iter().any(|entry| line.starts_with(entry));
    let is_throw = |line: &str| line.starts_with("throw ") && lines.iter().any(|line| has_no_stack(line));
    let throw = text.lines().position(is_throw);
    let line = throw.or_else(|| text.lines().position(is_of_method)).or_else(|| text.lines().position(is_entry))?;
    Place::in_project(&file, line + 1, None, root)
}

/// `TypeError: …`, or what ship says of an application that is none.
fn is_thrown(line: &str) -> bool {
    let is_error = |name: &str| name.ends_with("Error") && name.chars().all(|c| c.is_alphanumeric() || c == '.');
    line.split_once(": ").is_some_and(|(name, _)| is_error(name))
        || line.contains(" cannot answer requests: ")
        || has_no_stack(line)
}

/// What ship says of something that was thrown and tells nothing of its place.
fn has_no_stack(line: &str) -> bool {
    line.contains(" is no Error, so nothing says where")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nothing in a stack is the project's own, the line is shown that says what answers.
    #[test]
    fn entries() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("api")).unwrap();
        fs_err::write(folder.path().join("api/a.ts"), "// GET\nexport const config = {};\nexport function GET() {}\n")
            .unwrap();
        fs_err::write(folder.path().join("api/b.py"), "import os\n\napp = 5\n").unwrap();
        let found = |function: &str, line: &str| {
            entry_of(&function.parse().unwrap(), "GET", &[line], folder.path()).map(|place| place.shown())
        };
        let nothing = "TypeError: the handler gave nothing, not a Response";
        assert_eq!(found("api/a", nothing).as_deref(), Some("api/a.ts:3"));
        let five = "`app` in api/b.py cannot answer requests: expected an ASGI application";
        assert_eq!(found("api/b", five).as_deref(), Some("api/b.py:3"));
        fs_err::write(folder.path().join("api/c.ts"), "export function GET() {}\nthrow 'c';\n").unwrap();
        let text = "what was thrown is no Error, so nothing says where: `throw new Error(…)` does";
        assert_eq!(found("api/c", text).as_deref(), Some("api/c.ts:2"));
        assert_eq!(found("api/c", nothing).as_deref(), Some("api/c.ts:1"));
        assert_eq!(found("api/a", "the database is down: try again"), None);
        assert_eq!(found("api/d", nothing), None);
    }
}
