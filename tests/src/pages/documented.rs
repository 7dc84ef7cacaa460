//! Commands that are not run have to exist all the same: the help of each knows every option that a page names.

use std::sync::LazyLock;

use regex::Regex;

use crate::TestEnv;

/// The words behind each `ship` that stands where a command may begin.
static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)(?:^|[;&|(:] ?|- |\$ |[A-Z_]+=\S+ |bin/)ship((?: [^|<>#&;\n]*)?)")
        .expect("the pattern is a constant")
});

/// A command in the middle of a sentence, in Markdown or in HTML.
static SPOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:`|<code>)(ship [^`<]*)(?:`|</code>)").expect("the pattern is a constant"));

/// The commands that a text names in passing. Of those that are put together with `|`, the first.
pub(super) fn spoken(text: &str) -> impl Iterator<Item = &str> {
    let commands = SPOKEN.captures_iter(text).filter_map(|found| found.get(1));
    commands.map(|command| command.as_str().split(['\\', '|', '…']).next().unwrap_or_default())
}

/// What is wrong with the commands of ship in a text, if anything is.
pub(super) fn problem(environment: &TestEnv, text: &str) -> Option<String> {
    let joined = text.replace("\\\n", " ");
    COMMAND.captures_iter(&joined).find_map(|found| {
        let words = found[1].split_whitespace().map(|word| word.trim_matches(['[', ']']));
        let words: Vec<&str> = words.collect();
        problem_of(environment, &words)
    })
}

fn problem_of(environment: &TestEnv, words: &[&str]) -> Option<String> {
    let help = help_of(environment, words);
    if help.is_empty() {
        return Some(format!("there is no `ship {}`", words.join(" ")));
    }
    let options = words.iter().filter(|word| word.starts_with('-')).map(|word| word.split('=').next().unwrap_or(word));
    let unknown = |option: &&str| {
        let pattern = format!(r"(?m)(^|[\s,]){}([\s,=]|$)", regex::escape(option));
        !Regex::new(&pattern).expect("the option is escaped").is_match(&help)
    };
    options.filter(unknown).map(|option| format!("`ship {}` has no {option}", words.join(" "))).next()
}

/// The help of the command that some words begin with, nothing if there is none.
fn help_of(environment: &TestEnv, words: &[&str]) -> String {
    let is_name = |word: &&&str| word.starts_with(|sign: char| sign.is_ascii_lowercase()) && !word.contains(['/', '.']);
    let names: Vec<&str> = words.iter().take_while(is_name).take(3).copied().collect();
    let overview = told(environment, &[]).unwrap_or_default();
    let Some((command, _)) = names.split_first() else { return overview };
    // To ship, a word that is no command is a folder to deploy, and what it says is the overview.
    let of_command = told(environment, &[command]).filter(|help| *help != overview);
    let below = |length: usize| names.get(..length).and_then(|names| told(environment, names));
    match names.len() {
        1 => of_command,
        2 => of_command.and(below(2)),
        _ => of_command.and(below(3).or_else(|| below(2))),
    }
    .unwrap_or_default()
}

/// What `--help` behind some words says, if ship understands them, and what `ship help` says of the command that they begin with: it has
/// the options that all commands take.
fn told(environment: &TestEnv, words: &[&str]) -> Option<String> {
    let asked = |words: &[&str], before: &[&str], behind: &[&str]| {
        let asked = environment.ship([before, words, behind].concat()).run();
        (asked.code() == Some(0)).then(|| asked.stdout().to_owned())
    };
    let short = asked(words, &[], &["--help"])?;
    let whole = (1..=words.len()).rev().find_map(|number| asked(&words[..number], &["help"], &[]));
    Some(short + &whole.unwrap_or_default())
}
