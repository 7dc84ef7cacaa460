//! A block of code in a page, and what it asks of whoever follows the page.

use std::sync::LazyLock;

use regex::Regex;

/// What stands behind a block's language.
static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"([a-z]+)(?:="([^"]*)")?"#).expect("the pattern is a constant"));

/// Something that a page asks for, and the line of the page where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) asked: Asked,
}

/// What a page asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// A file is written.
    Write { path: String, text: String },
    /// Commands are typed, each of which ends with a code.
    Type { typed: Vec<Typed>, code: i32 },
    /// A command is typed and left running.
    Leave(Typed),
    /// From here on a name stands for what a command prints.
    Let { name: String, command: String },
    /// Nothing that a test's machine could do.
    Nothing { language: String, text: String },
}

/// A command, and what the page shows of its output, if it shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Typed {
    pub(super) command: String,
    pub(super) output: Option<String>,
}

/// What stands on the first line of a block.
struct Info<'b> {
    language: &'b str,
    rest: &'b str,
}

impl<'b> Info<'b> {
    fn of(line: &'b str) -> Self {
        let (language, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        Self { language, rest }
    }

    /// The value of an attribute, if it is there; nothing if it has none.
    fn attribute(&self, name: &str) -> Option<&'b str> {
        let found = ATTRIBUTE.captures_iter(self.rest).find(|found| &found[1] == name)?;
        Some(found.get(2).map_or("", |value| value.as_str()))
    }
}

/// What the block with this first line and these contents asks for.
pub(super) fn asked(line: &str, text: &str) -> Result<Asked, String> {
    let info = Info::of(line);
    match (info.attribute("unrun"), info.attribute("title")) {
        (Some(""), _) => Err("a block that is not run says why".into()),
        (Some(_), _) => Ok(Asked::Nothing { language: info.language.to_owned(), text: text.to_owned() }),
        (None, Some(path)) => Ok(Asked::Write { path: path.to_owned(), text: text.to_owned() }),
        (None, None) => typed(&info, text),
    }
}

/// What a block of commands asks for.
fn typed(info: &Info<'_>, text: &str) -> Result<Asked, String> {
    let mut typed = match info.language {
        "sh" => commands(text),
        "console" => session(text),
        other => return Err(format!("a block of {other:?} is no file, no command, and has no reason not to be run")),
    };
    if info.attribute("running").is_none() {
        let code = info.attribute("exits").unwrap_or("0").parse().map_err(|error| format!("the exit code: {error}"))?;
        return Ok(Asked::Type { typed, code });
    }
    match (typed.pop(), typed.is_empty()) {
        (Some(only), true) => Ok(Asked::Leave(only)),
        _ => Err("one command can be left running, and no more".into()),
    }
}

/// The commands of a block that holds nothing else. A line that ends with `\` goes on in the next.
pub(super) fn commands(text: &str) -> Vec<Typed> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Typed { command: line.to_owned(), output: None }).collect()
}

/// The commands of a terminal, with what they printed.
fn session(text: &str) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            typed.push(Typed { command: command.to_owned(), output: None });
        } else if let Some(last) = typed.last_mut() {
            let output = last.output.get_or_insert_default();
            output.push_str(line);
            output.push('\n');
        }
    }
    typed
}
