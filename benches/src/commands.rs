//! The command line.

use std::path::PathBuf;

use crate::figures;
use crate::growth;
use crate::load::Generator;
use crate::peer::Peer;

/// How often each side of a comparison runs when nothing else is said. Odd, so that the median is a run that happened.
const DEFAULT_RUNS: usize = 5;

/// What can be said.
pub(crate) const USAGE: &str = "\
cargo xtask bench [NAME…]

  NAME             a figure (S1), a curve (G1), a group (cold, warm, density, swap, figures, growth); everything if there is none
  --against PEER   only this peer, or several (nginx,caddy), for the figures that know it
  --load GENERATOR what makes load on static files and functions: own, wrk or oha
  --runs N         how often each side of a comparison runs
  --json FILE      keep what was found in a file, after each figure
  --resume         leave out what is in that file already, of the same binary on the same machine
  --list           name the figures, and whom each can be measured against
";

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// The figures and curves to measure; all if empty.
    names: Vec<String>,
    /// How often each side of a comparison runs.
    pub(crate) runs: usize,
    /// Whom to measure against; whom each figure meets by itself if empty.
    pub(crate) against: Vec<Peer>,
    /// What makes load.
    pub(crate) generator: Generator,
    /// Where to keep the figures as JSON.
    pub(crate) json: Option<PathBuf>,
    /// What to do with what is kept there.
    pub(crate) earlier: Earlier,
    /// Whether to only name the figures.
    pub(crate) only_list: bool,
}

/// What to do with the figures of an earlier run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Earlier {
    /// Forget them.
    #[default]
    Forget,
    /// Keep them, and measure what is missing.
    Keep,
}

/// The command line is wrong.
#[derive(Debug)]
pub(crate) struct WrongArgument(String);

impl std::fmt::Display for WrongArgument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not known, or lacks its value\n\n{USAGE}", self.0)
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
                "--resume" => parsed.earlier = Earlier::Keep,
                "--json" => parsed.json = Some(rest.next().ok_or_else(wrong)?.into()),
                "--runs" => parsed.runs = rest.next().and_then(|runs| runs.parse().ok()).ok_or_else(wrong)?,
                "--load" => {
                    parsed.generator = rest.next().and_then(|name| Generator::named(name)).ok_or_else(wrong)?;
                }
                "--against" => {
                    let names = rest.next().ok_or_else(wrong)?;
                    let peers: Option<Vec<Peer>> = names.split(',').map(Peer::named).collect();
                    parsed.against.extend(peers.ok_or_else(wrong)?);
                }
                name => parsed.names.extend(named(name).ok_or_else(wrong)?),
            }
        }
        if parsed.earlier == Earlier::Keep && parsed.json.is_none() {
            return Err(WrongArgument("--resume without --json".to_owned()));
        }
        Ok(parsed)
    }

    /// Whether a figure or curve was asked for.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == id)
    }
}

/// The figures and curves that a name stands for.
fn named(name: &str) -> Option<Vec<String>> {
    let figures = || figures::ALL.iter().map(|figure| figure.id);
    let curves = || growth::ALL.iter().map(|study| study.id);
    let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
    match name {
        "figures" => return Some(owned(figures().collect())),
        "growth" => return Some(owned(curves().collect())),
        _ => {}
    }
    if let Some((_, ids)) = figures::GROUPS.iter().find(|(group, _)| *group == name) {
        return Some(owned(ids.to_vec()));
    }
    let id = figures().chain(curves()).find(|id| id.eq_ignore_ascii_case(name))?;
    Some(vec![id.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, WrongArgument> {
        Arguments::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    /// Names, groups, peers and generators are read; what is not known is said.
    #[test]
    fn lines() {
        let arguments = parsed("s1 cold --against nginx,caddy --load wrk").expect("the line is right");
        assert!(arguments.wants("S1") && arguments.wants("W3") && !arguments.wants("S2"));
        assert_eq!((arguments.against, arguments.generator), (vec![Peer::Nginx, Peer::Caddy], Generator::Wrk));
        for wrong in ["S99", "--against apache", "--load ab", "--resume"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
