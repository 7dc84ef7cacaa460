//! The command line: what all commands share, and how `ship PATH` comes to mean `ship deploy PATH`.

mod examples;
mod help;
mod narrow;
pub(crate) mod overview;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser};
use ship_core::ProjectName;

use self::help::Length;
pub(crate) use self::help::nearest_command;
use self::overview::Topic;
use crate::commands::Command;
use crate::commands::deploy::{Asked, DeployArgs};
use crate::error::CommandError;
use crate::output::{self, Output};
use crate::settings::environment::Environment;

/// The heading of the options that every command takes.
const GLOBAL: &str = "Global options";

/// Deploy a folder of static files and functions to a machine you own.
///
/// Without a command, ship deploys PATH or the current folder.
#[derive(Debug, Parser)]
#[command(name = "ship", bin_name = "ship", version, about, long_about = None, disable_help_subcommand = true)]
#[command(override_usage = "ship [OPTIONS] [PATH]\n       ship [OPTIONS] <COMMAND>")]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    deploy: DeployArgs,
    #[command(flatten)]
    global: GlobalArgs,
}

/// What every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct GlobalArgs {
    /// Write JSON on standard output
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// Say nothing but warnings and errors
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) quiet: bool,
    /// Say how things are done
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) verbose: bool,
    /// Use no colours
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) no_color: bool,
    /// Work as if started in this folder
    #[arg(long, value_name = "DIR", global = true, help_heading = GLOBAL)]
    pub(crate) cwd: Option<PathBuf>,
    /// The project (default: the name in ship.toml, else the folder's)
    #[arg(long, value_name = "NAME", value_parser = values::project, global = true, help_heading = GLOBAL)]
    pub(crate) project: Option<ProjectName>,
    /// The control address of the host (default: one on this machine)
    #[arg(long, value_name = "URL", global = true, help_heading = GLOBAL)]
    pub(crate) host: Option<String>,
    /// The token for the host
    #[arg(long, value_name = "T", global = true, help_heading = GLOBAL, hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Answer every question with yes
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) yes: bool,
}

/// A command line that was understood.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// What to do.
    pub(crate) command: Command,
    /// What every command takes.
    pub(crate) global: GlobalArgs,
}

/// Reads a command line, its first element the program.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let words: Vec<OsString> = words.into_iter().collect();
    let room = output::terminal_width();
    let mut definition = definition_of(Length::Screen, room);
    let matches = definition.try_get_matches_from_mut(&words);
    let matches = matches.map_err(|error| help::unless_for_nothing(with_tip(error), &words, &mut definition))?;
    let CommandLine { command, deploy, global } = CommandLine::from_arg_matches(&matches)?;
    let command = match command {
        Some(_) if deploy != DeployArgs::default() => {
            let message = "a path or an option of `ship deploy` stands before another command";
            return Err(definition.error(ErrorKind::ArgumentConflict, message));
        }
        Some(Command::Help { command }) if is_answered_by_command(&command, &global) => Command::Help { command },
        Some(Command::Help { command }) => return Err(help::in_full(&command, room)),
        Some(command) => command,
        None => Command::Deploy(DeployArgs { asked: Asked::ByFolder, ..deploy }),
    };
    Ok(Arguments { command, global })
}

/// What is called another way elsewhere is named, where clap has nothing better to say than that an option may be a value, too.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let is_name = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if word == "--name");
    if error.kind() == ErrorKind::UnknownArgument && is_name {
        let tip = StyledStr::from("'--project <NAME>' gives the project a name");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// Whether a question for help is one that no help of clap's answers: a topic, or all commands for a program.
fn is_answered_by_command(words: &[String], global: &GlobalArgs) -> bool {
    match words {
        [] => global.json,
        [word] => Topic::named(word).is_some(),
        _ => false,
    }
}

/// The longest line of help, in characters: longer ones are hard to read, however wide the terminal is.
const MAX_WIDTH: usize = 100;

/// How many characters a line of help has, where a terminal bounds it.
type Room = Option<usize>;

/// The definition of the command line, for reading it, for its help and for completions.
pub(crate) fn definition() -> clap::Command {
    definition_of(Length::Screen, None)
}

fn definition_of(length: Length, room: Room) -> clap::Command {
    let own: Vec<String> = DeployArgs::augment_args(clap::Command::new("deploy"))
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        .collect();
    let definition = CommandLine::command()
        .mut_args(|arg| match arg {
            arg if own.iter().any(|id| arg.get_id() == id.as_str()) => arg.hide(true),
            arg if arg.is_global_set() => arg.hide_short_help(length == Length::Screen),
            arg => arg,
        })
        .mut_subcommands(|command| help::with_help(command, "", length, room));
    let template = overview::overview(&definition, room);
    let definition = definition.help_template(template);
    match room {
        Some(room) => definition.term_width(room.min(MAX_WIDTH)),
        None => definition,
    }
}

/// The same for manual pages, which have room for what the overview leaves to others.
pub(crate) fn for_manual() -> clap::Command {
    let topics = Topic::ALL.map(|(name, topic)| format!("{name}:\n{}", topic.text(None))).join("\n");
    definition_of(Length::Whole, None).after_help(topics)
}

/// Says what was wrong with the command line, or what was asked about it, and gives the exit code.
pub(crate) fn report(error: &clap::Error, words: &[OsString], environment: &Environment) -> u8 {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let json = words.iter().any(|word| word == "--json");
    let output = Output::new(&GlobalArgs { json, ..GlobalArgs::default() }, environment);
    let rendered = error.render();
    if asked {
        return match output.text(&rendered.ansi().to_string()) {
            Ok(()) => 0,
            Err(error) => error.kind().exit_code(),
        };
    }
    let usage = for_programs(&rendered.to_string());
    if json {
        usage.report(&output);
    } else {
        output.error(rendered.ansi().to_string().trim_end());
    }
    usage.kind().exit_code()
}

/// What clap says of a command line, without what stands there for people alone: what could be typed instead is a hint.
fn for_programs(rendered: &str) -> CommandError {
    let (mut message, mut hints) = (Vec::new(), Vec::new());
    let mut is_behind = false;
    for line in rendered.trim_start_matches("error: ").lines().map(str::trim) {
        is_behind |= line.is_empty();
        if let Some(tip) = line.strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if let Some(values) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            hints.push(values.to_owned());
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            hints.push(format!("`{usage}`"));
        } else if !is_behind {
            message.push(line);
        }
    }
    hints.into_iter().fold(CommandError::usage(message.join(" ")), CommandError::hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program reads what is wrong in one line, and what could be typed instead as hints.
    #[test]
    fn usage_for_programs() {
        let said = |words: &[&str]| {
            let error = for_programs(&parsed(words).unwrap_err().render().to_string());
            serde_json::to_value(error.document()).unwrap()["error"].take()
        };
        let template = said(&["init", "x", "--template", "goo"]);
        assert_eq!(template["message"], "invalid value 'goo' for '--template <NAME>'");
        assert_eq!(template["hints"][1], "a similar value exists: 'go'");
        assert!(template["hints"][0].as_str().is_some_and(|hint| hint.starts_with("possible values: go, typescript")));
        let tokens = said(&["rollback", "--too"]);
        assert_eq!(tokens["message"], "unexpected argument '--too' found");
        let port = said(&["dev", "--port", "99999"]);
        assert_eq!(port["message"], "invalid value '99999' for '--port <PORT>': expected a port from 1 to 65535");
        let address = said(&["dev", "--listen", "foo"]);
        let expected =
            "invalid value 'foo' for '--listen <ADDR>': expected an address and a port, such as 127.0.0.1:4000";
        assert_eq!(address["message"], expected);
        let project = said(&["ls", "--project", "My Shop"]);
        assert!(project["message"].as_str().unwrap().ends_with("; `my-shop` would do"), "{project}");
        assert!(said(&["ls", "-n", "abc"])["message"].as_str().unwrap().ends_with("expected a number, such as 50"));
    }

    /// Who names a project with an option that there is not is told the one that there is.
    #[test]
    fn name_of_a_project() {
        for words in
            [&["init", "--name", "shop"][..], &["init", "shop", "--name=bakery"], &["deploy", "--name", "shop"]]
        {
            let error = parsed(words).unwrap_err().render().to_string();
            assert!(error.contains("tip: '--project <NAME>' gives the project a name"), "{words:?}: {error}");
            assert!(!error.contains("as a value"), "{words:?}: {error}");
        }
    }

    /// What Vercel calls another way is understood.
    #[test]
    fn names_of_another_tool() {
        assert!(matches!(parsed(&["env", "add", "KEY"]).unwrap().command, Command::Env(_)));
    }

    fn parsed(words: &[&str]) -> Result<Arguments, clap::Error> {
        parse(std::iter::once("ship").chain(words.iter().copied()).map(OsString::from))
    }

    /// `ship`, `ship PATH` and `ship deploy PATH` are one command.
    #[test]
    fn deploy_is_the_default() {
        let by_folder = [&["site", "--prod"][..], &["--prod", "--json", "site"]].map(|words| (words, Asked::ByFolder));
        for (words, asked) in by_folder.into_iter().chain([(&["deploy", "site", "--prod"][..], Asked::ByName)]) {
            let Command::Deploy(deploy) = parsed(words).unwrap().command else { panic!("{words:?} is no deploy") };
            assert_eq!(deploy, DeployArgs { path: Some("site".into()), prod: true, asked, ..DeployArgs::default() });
        }
        assert!(matches!(parsed(&[]).unwrap().command, Command::Deploy(_)));
        assert!(matches!(parsed(&["--json", "ls"]).unwrap().command, Command::Ls(_)));
    }

    /// What belongs to `ship deploy` is refused in front of another command, rather than ignored.
    #[test]
    fn options_of_deploy_before_another_command() {
        let error = parsed(&["--prod", "ls"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
        assert_eq!(error.exit_code(), 2);
    }

    /// Words that people try first, whatever else a program understands.
    #[test]
    fn help_and_version_as_words() {
        assert_eq!(parsed(&["help"]).unwrap_err().kind(), ErrorKind::DisplayHelp);
        assert_eq!(parsed(&["help", "ls"]).unwrap_err().kind(), ErrorKind::DisplayHelp);
        assert!(matches!(parsed(&["version"]).unwrap().command, Command::Version));
    }

    /// There is no help for what is no command, however it is asked for; a folder has that of `ship deploy`.
    #[test]
    fn help_for_nothing() {
        for words in
            [&["help", "nope"][..], &["help", "env", "nope"], &["help", "environment", "ls"], &["nope", "--help"]]
        {
            let error = parsed(words).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSubcommand, "{words:?}");
            assert!(error.to_string().contains("nope") || error.to_string().contains("environment"), "{error}");
        }
        assert!(parsed(&["help", "delpoy"]).unwrap_err().to_string().contains("did you mean `deploy`?"));
        for words in
            [&["help", "env", "set"][..], &["./nope", "--help"], &["--prod", "--help"], &["env", "set", "--help"]]
        {
            assert_eq!(parsed(words).unwrap_err().kind(), ErrorKind::DisplayHelp, "{words:?}");
        }
    }

    /// The definition is consistent in itself.
    #[test]
    fn definition_holds() {
        definition().debug_assert();
    }

    /// The overview fits on the smallest screen, with the line behind it that is typed next, and names every command once.
    #[test]
    fn help() {
        let help = definition().term_width(80).render_help().to_string();
        assert!(help.lines().count() <= 23, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        let mut named: Vec<&str> = overview::commands().collect();
        named.sort_unstable();
        let definition = definition();
        let commands = definition.get_subcommands().filter(|command| !command.is_hide_set());
        let mut commands: Vec<&str> = commands.map(clap::Command::get_name).collect();
        commands.sort_unstable();
        assert_eq!(named, commands);
        insta::assert_snapshot!(help);
    }

    /// The help of each command fits on a screen, and says how to get all of it.
    #[test]
    fn help_of_commands() {
        let mut definition = definition().term_width(100);
        definition.build();
        for command in definition.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            let help = command.render_help().to_string();
            assert!(help.lines().count() <= 37, "{help}");
            let more = format!("`ship help {}`", command.get_name());
            assert!(help.contains(&more) && help.contains("--json"), "{help}");
            insta::assert_snapshot!(format!("help_{}", command.get_name()), help);
        }
    }
}
