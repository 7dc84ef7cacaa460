//! Help in two lengths: what fits on a screen for `ship COMMAND --help`, and all of it for `ship help COMMAND`.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};

use super::{GLOBAL, Room, examples};

/// The shortest word that may be a slip of the pen, in characters: of shorter ones, half is another word.
const SHORTEST_SLIP: usize = 3;

/// The longest word in which one slip is all that is forgiven, in characters. In longer ones two are.
const LONGEST_OF_ONE_SLIP: usize = 4;

/// The shortest word that may be the beginning of a name, in characters.
const SHORTEST_BEGINNING: usize = 2;

/// How much a help says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Length {
    /// What fits on a screen: the options that all commands take are only named.
    Screen,
    /// All of it.
    Whole,
}

/// A command and those below it with a help of a length. `above` are the names of those that it belongs to.
pub(super) fn with_help(command: Command, above: &str, length: Length, room: Room) -> Command {
    let path = format!("{above}{}", command.get_name());
    let mut below = examples::of(&path, room).unwrap_or_default();
    let command = if length == Length::Screen {
        let global = format!("{GLOBAL}: --json, -q, -v, --no-color, --cwd, --project, --host, --token, --yes");
        let gap = if below.is_empty() { "" } else { "\n\n" };
        below = format!("{below}{gap}{global}\nMore: `ship help {path}`");
        let asked = Arg::new("help").short('h').long("help").action(ArgAction::HelpShort).help("Print this help");
        command.disable_help_flag(true).arg(asked)
    } else {
        command
    };
    let above = format!("{path} ");
    command.after_help(below).mut_subcommands(|command| with_help(command, &above, length, room))
}

/// The whole help of the command that `words` name, or that there is none.
pub(super) fn in_full(words: &[String], room: Room) -> clap::Error {
    let mut definition = super::definition_of(Length::Whole, room);
    let mut found = &definition;
    for word in words {
        match found.find_subcommand(word) {
            Some(command) => found = command,
            None => return nothing(words, &mut definition),
        }
    }
    let line = std::iter::once("ship").chain(words.iter().map(String::as_str)).chain(["--help"]);
    match definition.try_get_matches_from_mut(line) {
        Err(help) => help,
        Ok(_) => nothing(words, &mut definition),
    }
}

/// A word that stands where commands do is taken for the folder of a deploy, whose help says nothing about it.
pub(super) fn unless_for_nothing(error: clap::Error, words: &[OsString], definition: &mut Command) -> clap::Error {
    let word = words.get(1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let may_be_command = !word.is_empty() && !word.starts_with('-') && !word.contains(['/', '.']);
    let is_known = definition.find_subcommand(&word).is_some();
    if error.kind() == ErrorKind::DisplayHelp && may_be_command && !is_known {
        return nothing(&[word], definition);
    }
    error
}

fn nothing(words: &[String], definition: &mut Command) -> clap::Error {
    let asked = words.join(" ");
    let nearest = nearest_command(&asked, definition);
    let message = match nearest {
        Some(name) if words.len() == 1 => format!("there is no command `{asked}`: did you mean `{name}`?"),
        _ => format!("there is no command `{asked}`"),
    };
    definition.error(ErrorKind::InvalidSubcommand, message)
}

/// The command that a word was meant to be: one that it begins, or that is a slip or two away.
pub(crate) fn nearest_command<'d>(word: &str, definition: &'d Command) -> Option<&'d str> {
    let names = definition.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    let near = names.filter_map(|name| Some((distance(word, name)?, name)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many slips lie between a word and a name that it may have been meant to be; a beginning is none.
fn distance(word: &str, name: &str) -> Option<usize> {
    let length = word.chars().count();
    if length >= SHORTEST_BEGINNING && name.starts_with(word) {
        return Some(0);
    }
    let forgiven = match length {
        ..SHORTEST_SLIP => return None,
        SHORTEST_SLIP..=LONGEST_OF_ONE_SLIP => 1,
        _ => 2,
    };
    // Two letters in each other's place are one slip.
    Some(strsim::osa_distance(word, name)).filter(|distance| *distance <= forgiven)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word is taken for a command that is near, and for no other.
    #[test]
    fn nearest_commands() {
        let definition = crate::args::definition();
        let nearest = |word: &str| nearest_command(word, &definition);
        for (word, name) in [
            ("delpoy", "deploy"),
            ("promot", "promote"),
            ("lst", "ls"),
            ("lgos", "logs"),
            ("opn", "open"),
            ("up", "upgrade"),
            ("dashbord", "dashboard"),
            ("rolback", "rollback"),
        ] {
            assert_eq!(nearest(word), Some(name), "{word}");
        }
        for word in ["nope", "nowhere", "x", "rn", "site", "app", "docs", "blog", "public", "server", "staus"] {
            assert_eq!(nearest(word), None, "{word}");
        }
    }
}
