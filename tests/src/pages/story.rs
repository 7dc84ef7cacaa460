//! Following a page: each step in turn, and what is seen compared with what the page says.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::block::{Asked, Step, Typed};
use super::documented;
use super::names::Names;
use super::shell::{Printed, Shell};
use crate::TestEnv;

/// What a build says of functions that an earlier one has made: whether there was one may be a matter of time, as beside `ship dev`.
static CACHED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r" \((\d+ )?functions? from the build cache\)").expect("the pattern is a constant"));

/// Somebody who follows a page.
#[derive(Debug)]
pub(super) struct Story<'e> {
    environment: &'e TestEnv,
    page: &'e Path,
    shell: Shell<'e>,
    names: Names,
}

impl<'e> Story<'e> {
    pub(super) fn new(environment: &'e TestEnv, page: &'e Path) -> Self {
        Self { environment, page, shell: Shell::new(environment), names: Names::default() }
    }

    /// Does what a step asks for.
    #[track_caller]
    pub(super) fn tell(&mut self, step: &Step) {
        let place = format!("{}:{}", self.page.display(), step.line);
        match &step.asked {
            Asked::Write { path, text } => self.write(path, text),
            Asked::Type { typed, code } => typed.iter().for_each(|typed| self.type_command(typed, *code, &place)),
            Asked::Leave(typed) => {
                let shown = typed.output.as_deref().unwrap_or("…");
                let begun = self.shell.leave_line(&self.names.translate(&typed.command), shown.lines().count());
                self.compare(shown, &begun, &place);
            }
            Asked::Let { name, command } => {
                let printed = self.shell.type_line(&format!("{{ {command}; }} 2>/dev/null"));
                assert_eq!(printed.code, Some(0), "{place}: {}", printed.text);
                self.names.add(name.clone(), printed.text.trim().to_owned());
            }
            Asked::Nothing { language, text } => self.examine(language, text, &place),
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.shell.folder().join(path);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("the folder is writable");
        fs::write(path, text).expect("the file is writable");
    }

    #[track_caller]
    fn type_command(&mut self, typed: &Typed, code: i32, place: &str) {
        let command = self.names.translate(&typed.command);
        let Printed { text, code: ended_with } = self.shell.type_line(&command);
        assert_eq!(ended_with, Some(code), "{place}: `{command}` ended differently:\n{text}");
        if let Some(output) = &typed.output {
            self.compare(output, &text, place);
        }
    }

    /// Compares what a page shows with what was printed, all but what differs from run to run.
    #[track_caller]
    fn compare(&mut self, shown: &str, printed: &str, place: &str) {
        self.names.learn(shown, printed);
        let comparable = |text: &str| CACHED.replace_all(&self.environment.filtered(text), "").trim().to_owned();
        let (shown, printed) = (comparable(&self.names.translate(shown)), comparable(printed));
        let is_alike = pattern(&shown).is_match(&format!("{printed}\n"));
        assert!(is_alike, "{place}: the page shows\n{shown}\nand what is printed is\n{printed}");
    }

    /// Looks at a block that is not run.
    #[track_caller]
    fn examine(&self, language: &str, text: &str, place: &str) {
        assert_ne!(language, "toml", "{place}: what ship reads can be read by ship: give the block a title");
        if language == "json" {
            let _: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
        if let Some(problem) = documented::problem(self.environment, text) {
            panic!("{place}: {problem}");
        }
    }
}

/// What fits a text in which `…` stands for any text, and for any lines where it is alone.
fn pattern(shown: &str) -> Regex {
    let lines = shown.lines().map(|line| match line.trim() {
        "…" => r"(?:.*\n)*?".to_owned(),
        _ => regex::escape(line.trim_end()).replace('…', ".*") + r"\n",
    });
    Regex::new(&format!("^{}$", lines.collect::<String>())).expect("what is shown is escaped")
}
