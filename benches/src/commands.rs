//! The command line.

use std::path::PathBuf;

/// How often each side of a comparison runs when nothing else is said. Odd, so that the median is a run that happened.
const DEFAULT_RUNS: usize = 5;

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// The figures to measure; all if empty.
    names: Vec<String>,
    /// How often each side of a comparison runs.
    pub(crate) runs: usize,
    /// Where to keep the figures as JSON.
    pub(crate) json: Option<PathBuf>,
    /// Whether to only name the figures.
    pub(crate) only_list: bool,
}

/// The command line is wrong.
#[derive(Debug)]
pub(crate) struct WrongArgument(String);

impl std::fmt::Display for WrongArgument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}`: expected the names of figures, `cold`, `warm`, `density`, `--list`, `--runs N` or `--json FILE`",
            self.0
        )
    }
}

impl Arguments {
    /// Reads the command line.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, WrongArgument> {
        let mut parsed = Self { runs: DEFAULT_RUNS, ..Self::default() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let wrong = || WrongArgument(argument.clone());
            match argument.as_str() {
                "--list" => parsed.only_list = true,
                "--json" => parsed.json = Some(rest.next().ok_or_else(wrong)?.into()),
                "--runs" => parsed.runs = rest.next().and_then(|runs| runs.parse().ok()).ok_or_else(wrong)?,
                name if crate::figures::ALL.iter().any(|figure| figure.id.eq_ignore_ascii_case(name)) => {
                    parsed.names.push(name.to_owned());
                }
                name => match crate::figures::GROUPS.iter().find(|(group, _)| group == &name) {
                    Some((_, names)) => parsed.names.extend(names.iter().map(|&name| name.to_owned())),
                    None => return Err(wrong()),
                },
            }
        }
        Ok(parsed)
    }

    /// Whether a figure was asked for.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name.eq_ignore_ascii_case(id))
    }
}
