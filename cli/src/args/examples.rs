//! What people type most with each command, for its help. A test reads every line as a command line.

use super::narrow;

/// A command's name, behind those of the commands that it belongs to, and lines with what each is for.
type Examples = (&'static str, &'static [(&'static str, &'static str)]);

const EXAMPLES: [Examples; 42] = [
    (
        "init",
        &[
            ("ship init shop --template go", "a new folder"),
            ("ship init", "two questions, or the project that is here"),
        ],
    ),
    ("deploy", &[("ship deploy", "the current folder"), ("ship deploy shop --prod", "another one, as production")]),
    ("dev", &[("ship dev", "the current folder"), ("ship dev shop --listen 127.0.0.1:4000", "at another port")]),
    (
        "build",
        &[("ship build --prod", "what production would get"), ("ship build --arch arm64", "for another machine")],
    ),
    (
        "host",
        &[
            ("ship host --listen 0.0.0.0:80 --domain example.com", "sites below a domain"),
            ("ship host status", "the one in the background"),
        ],
    ),
    (
        "ls",
        &[
            ("ship ls", "the newest of all projects"),
            ("ship ls -n 50 --project shop", "more, of one"),
            ("ship ls --chart --project shop", "their sizes"),
        ],
    ),
    (
        "inspect",
        &[
            ("ship inspect k3v9x2ab", "by the beginning of its id"),
            ("ship inspect shop.localhost", "by a name that leads to it"),
            ("ship inspect --graph -o shop.svg", "a picture of routes and functions"),
            ("ship inspect --bundle api/date -o date.html", "what a function is made of"),
        ],
    ),
    (
        "dashboard",
        &[
            ("ship dashboard", "of the host on this machine"),
            ("ship dashboard --host https://ship.example.com", "of another"),
        ],
    ),
    ("open", &[("ship open", "production of the current project"), ("ship open k3v9x2ab", "one deployment")]),
    (
        "logs",
        &[
            ("ship logs -f", "the current project, as it happens"),
            ("ship logs --chart --since 1h", "requests and errors, drawn"),
            ("ship logs k3v9x2ab --json", "one deployment, for a program"),
        ],
    ),
    (
        "promote",
        &[
            ("ship promote k3v9x2ab", "production is this one"),
            ("ship promote shop-git-main.localhost", "what a branch has"),
        ],
    ),
    ("rollback", &[("ship rollback", "the one before"), ("ship rollback k3v9x2ab", "a given one")]),
    ("rm", &[("ship rm k3v9x2ab", "one deployment"), ("ship rm --project shop", "all of a project")]),
    ("alias", &[("ship alias", "of all projects"), ("ship alias --project shop", "of one")]),
    (
        "domains",
        &[("ship domains add shop.example.com", "for the current project"), ("ship domains ls", "all of them")],
    ),
    ("env", &[("ship env set API_KEY < key.txt", "the value from a file"), ("ship env ls", "the names")]),
    (
        "env set",
        &[
            ("ship env set API_KEY < key.txt", "for production and previews"),
            ("ship env set API_KEY --target development", "typed, for `ship dev`"),
            ("ship env set VITE_API --plain --branch next", "for builds of one branch"),
        ],
    ),
    ("env ls", &[("ship env ls", "the current project's"), ("ship env ls --json", "for a program")]),
    ("env rm", &[("ship env rm API_KEY", "altogether"), ("ship env rm API_KEY --target preview", "for previews")]),
    ("env pull", &[("ship env pull", "into .env.local"), ("ship env pull .env --target preview", "into another file")]),
    (
        "domains add",
        &[
            ("ship domains add shop.example.com", "says which TXT record proves it"),
            ("ship domains add www.example.com --redirect-to example.com", "leads to the other one"),
        ],
    ),
    ("host status", &[("ship host status", "addresses, and what runs"), ("ship host status --json", "for a program")]),
    ("host stop", &[("ship host stop", "the one in the background; the next deploy starts it")]),
    (
        "tokens create",
        &[
            ("ship tokens create --role deployer --project shop", "for a colleague"),
            ("ship tokens create --role viewer --expires 1d", "to look, for a day"),
        ],
    ),
    ("tokens ls", &[("ship tokens ls", "names, roles and last uses"), ("ship tokens ls --json", "for a program")]),
    ("tokens rm", &[("ship tokens rm smheutcx5g", "by the id that `ship tokens ls` shows")]),
    ("protect", &[("ship protect", "what is protected"), ("ship protect --project shop", "of another project")]),
    (
        "link",
        &[("ship link --host https://ship.example.com:7701", "this folder's host"), ("ship link", "what is known")],
    ),
    ("login", &[("ship login https://ship.example.com:7701", "asks for a token")]),
    ("logout", &[("ship logout", "the host that commands talk to")]),
    ("whoami", &[("ship whoami", "the token and its role"), ("ship whoami --json", "for a program")]),
    (
        "tokens",
        &[("ship tokens create --role deployer --project shop", "for a colleague"), ("ship tokens ls", "all of them")],
    ),
    ("audit", &[("ship audit", "the newest"), ("ship audit --json", "for a program")]),
    (
        "doctor",
        &[("ship doctor", "what is missing, and what to do"), ("ship doctor --fix", "and what can be repaired is")],
    ),
    (
        "upgrade",
        &[("ship upgrade --check", "whether there is a newer release"), ("ship upgrade", "and it is installed")],
    ),
    (
        "schema",
        &[("ship schema --write", "for the editors of this project"), ("ship schema > ship.schema.json", "elsewhere")],
    ),
    ("backup", &[("ship backup ship.tar", "everything in one file"), ("ship host --restore ship.tar", "and back")]),
    ("fsck", &[("ship fsck", "all that is kept"), ("ship fsck --json", "for a program")]),
    ("gc", &[("ship gc --dry-run", "what would go"), ("ship gc", "and it is gone")]),
    (
        "completions",
        &[
            ("ship completions bash > ~/.local/share/bash-completion/completions/ship", ""),
            ("ship completions fish > ~/.config/fish/completions/ship.fish", ""),
        ],
    ),
    (
        "man",
        &[
            ("ship man | man -l -", "the page of ship"),
            ("ship man --dir ~/.local/share/man/man1", "all pages, for `man ship-deploy`"),
        ],
    ),
    ("help", &[("ship help deploy", "a command"), ("ship help environment", "a topic")]),
];

/// The examples of a command as lines below its help, each of at most `room` characters.
pub(super) fn of(command: &str, room: Option<usize>) -> Option<String> {
    let (_, examples) = EXAMPLES.iter().find(|(name, _)| *name == command)?;
    Some(format!("Examples:\n{}", narrow::examples(examples, room).join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    /// Every example is one that ship reads, and belongs to the command whose help shows it.
    #[test]
    fn examples_are_read() {
        for (name, examples) in EXAMPLES {
            for (line, _) in examples {
                let words = line.split(['|', '<', '>']).next().unwrap_or_default();
                let parsed = args::parse(words.split_whitespace().map(Into::into));
                match parsed {
                    Ok(_) => {}
                    Err(help) => assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp, "{name}: {help}"),
                }
            }
        }
    }

    /// Every command has examples.
    #[test]
    fn every_command() {
        let silent: Vec<_> = args::overview::commands().filter(|name| of(name, None).is_none()).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }
}
