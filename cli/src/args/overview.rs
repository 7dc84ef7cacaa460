//! The overview that `ship --help` shows: every command on one screen of 24 lines, and what is said at length elsewhere.

mod error_codes;

use std::fmt::Write as _;

use super::Room;
use super::narrow::{self, hanging};
use crate::error::EXIT_CODES;
use crate::settings::environment;

/// Commands that belong together.
pub(crate) struct Group {
    heading: &'static str,
    commands: &'static [&'static str],
    shown: Shown,
}

/// How much of its commands a group shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// A line for each, with what it does.
    Lines,
    /// Their names, on one line.
    Names,
}

/// Every command, in the order in which people come to need them.
pub(crate) const GROUPS: [Group; 6] = [
    Group { heading: "Make", commands: &["init", "dev", "build", "deploy"], shown: Shown::Lines },
    Group { heading: "Look", commands: &["ls", "inspect", "logs", "open"], shown: Shown::Lines },
    Group { heading: "Move", commands: &["promote", "rollback", "rm"], shown: Shown::Lines },
    Group {
        heading: "Project",
        commands: &["alias", "domains", "env", "protect", "link", "schema"],
        shown: Shown::Names,
    },
    Group { heading: "People", commands: &["login", "logout", "whoami", "tokens", "audit"], shown: Shown::Names },
    Group {
        heading: "Machine",
        commands: &["host", "dashboard", "doctor", "upgrade", "backup", "fsck", "gc", "completions", "man"],
        shown: Shown::Names,
    },
];

/// What a command's name takes beside its description, in characters, with the space behind it.
const NAME: usize = 9;

/// What a group's heading takes, in characters, with the space behind it.
const HEADING: usize = 8;

/// What `ship help` explains besides the commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Topic {
    /// The environment variables.
    Environment,
    /// The exit codes.
    ExitCodes,
    /// The codes with which a host says what went wrong.
    ErrorCodes,
}

impl Topic {
    /// All of them, with the words that ask for them.
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("environment", Self::Environment), ("exit-codes", Self::ExitCodes), ("error-codes", Self::ErrorCodes)];

    /// The topic that `word` asks for.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(name, topic)| (name == word).then_some(topic))
    }

    /// What is said of it, in lines of at most `room` characters.
    pub(crate) fn text(self, room: Room) -> String {
        let lines: Vec<String> = match self {
            Self::Environment => environment::REGISTRY
                .iter()
                .map(|variable| format!("{}\n    {}\n", variable.name, hanging(variable.meaning, 4, room)))
                .collect(),
            Self::ExitCodes => {
                let line = |(code, meaning): &(u8, &str)| format!("{code:>3}  {}\n", hanging(meaning, 5, room));
                EXIT_CODES.iter().map(line).collect()
            }
            Self::ErrorCodes => error_codes::lines(room),
        };
        lines.concat()
    }
}

/// The overview of a command line, as a template of clap's.
pub(super) fn overview(definition: &clap::Command, room: Room) -> String {
    let (start, end) =
        (definition.get_styles().get_header().render(), definition.get_styles().get_header().render_reset());
    let mut text = String::from("{about}\n\n{usage-heading} {usage}\n\n");
    for Group { heading, commands, shown } in &GROUPS {
        let heading = format!("{start}{heading}{end}{:width$}", "", width = HEADING - heading.len());
        match shown {
            Shown::Names => {
                let _ = writeln!(text, "{heading}{}", hanging(&commands.join(", "), HEADING, room));
            }
            Shown::Lines => {
                for (number, name) in commands.iter().enumerate() {
                    let heading = if number == 0 { heading.clone() } else { " ".repeat(HEADING) };
                    let about = definition.find_subcommand(name).and_then(clap::Command::get_about);
                    let about = about.map(ToString::to_string).unwrap_or_default();
                    let about = hanging(&about, HEADING + NAME, room);
                    let _ = writeln!(text, "{heading}{name:<8} {about}");
                }
            }
        }
    }
    text.push('\n');
    text.push_str(&narrow::examples(&FIRST, room).join("\n"));
    text.push('\n');
    text.push_str(&hanging(MORE, 0, room));
    text
}

/// What is typed first.
const FIRST: [(&str, &str); 2] = [
    ("ship init shop && cd shop && ship dev", "a project, and its site here"),
    ("ship deploy --prod", "the site live, as production"),
];

/// What stands below all.
const MORE: &str = "More: `ship help COMMAND`, `ship help environment`, `exit-codes`, `error-codes`";

/// The names of all commands, in order.
pub(crate) fn commands() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|group| group.commands).copied()
}
