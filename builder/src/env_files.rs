//! Environment files: `.env` and its kin, read as `dotenv` and `dotenv-expand` read them, which Vite and Next.js use.
//!
//! What a person would not notice there is an error here: a line that is no assignment, and a quote without its end.

mod expand;
mod parse;
mod write;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use write::env_file_line;

use crate::frontend::EnvOrder;
use crate::text::TextError;

/// What a build is for. It decides which environment files count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BuildTarget {
    /// `ship dev`.
    Development,
    /// A deployment that production does not lead to.
    #[default]
    Preview,
    /// A deployment for production.
    Production,
}

impl BuildTarget {
    /// The word in `VERCEL_ENV`, and in the names of environment files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Preview => "preview",
            Self::Production => "production",
        }
    }

    /// The words in the names of files that count, the later before the earlier. A preview is production's build of another
    /// branch: frameworks build it in production mode and read `.env.production` themselves, so ship must not read less.
    const fn file_words(self) -> &'static [&'static str] {
        match self {
            Self::Development => &["development"],
            Self::Preview => &["production", "preview"],
            Self::Production => &["production"],
        }
    }
}

impl fmt::Display for BuildTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The files that count for `target`, the later before the earlier.
fn names(target: BuildTarget, order: EnvOrder) -> Vec<String> {
    let (mut of_target, mut of_target_here) = (Vec::new(), Vec::new());
    for word in target.file_words() {
        of_target.push(format!(".env.{word}"));
        of_target_here.push(format!(".env.{word}.local"));
    }
    let (plain, here) = (vec![".env".to_owned()], vec![".env.local".to_owned()]);
    match order {
        EnvOrder::LocalOverTarget => [plain, of_target, here, of_target_here].concat(),
        EnvOrder::TargetOverLocal => {
            let pairs = of_target.into_iter().zip(of_target_here).flat_map(|(shared, here)| [shared, here]);
            [plain, here].concat().into_iter().chain(pairs).collect()
        }
    }
}

/// The variables of the environment files in `folder`, each once. Names in `outside` are set already: they go before the
/// files, and are what `$NAME` in a file means.
pub(crate) fn read(
    folder: &Path,
    target: BuildTarget,
    order: EnvOrder,
    outside: &HashMap<String, String>,
) -> Result<Vec<(String, String)>, EnvFileError> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for name in names(target, order) {
        let text = match std::fs::read(folder.join(&name)) {
            Ok(text) => text,
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(EnvFileError::Unreadable { file: name.into(), source }),
        };
        let text =
            crate::text::text(text).map_err(|problem| EnvFileError::NotUtf8 { file: name.clone().into(), problem })?;
        let parsed = parse::parse(&text);
        for (key, value) in parsed.map_err(|(line, problem)| EnvFileError::Line { file: name.into(), line, problem })? {
            match variables.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = value,
                None => variables.push((key, value)),
            }
        }
    }
    variables.retain(|(name, _)| !outside.contains_key(name));
    Ok(expand::expand(&variables, outside))
}

/// An environment file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// The system does not let it be read.
    #[error("`{}` cannot be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no text.
    #[error("{}:{problem}", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// Where, and what to do.
        problem: TextError,
    },
    /// A line of it cannot be meant.
    #[error("{}:{line}: {problem}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: EnvFileProblem,
    },
}

/// What is wrong with a line. The line itself is not shown: it may hold a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EnvFileProblem {
    /// There is no `NAME=`.
    #[error("expected `NAME=value`, a comment or an empty line")]
    NoAssignment,
    /// The name cannot be one.
    #[error("a name has letters, digits, `_`, `.` and `-`, and does not begin with a digit")]
    Name,
    /// A quote has no end.
    #[error("the value begins with {quote} and has no closing {quote}")]
    OpenQuote {
        /// The quote.
        quote: char,
    },
    /// Something stands behind a closing quote.
    #[error("only a comment can stand behind the closing {quote}")]
    BehindQuote {
        /// The quote.
        quote: char,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)], target: BuildTarget, order: EnvOrder) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        read(folder.path(), target, order, &HashMap::from([("SET".into(), "outside".into())])).unwrap()
    }

    /// Which file wins, for each target and both orders; what is set outside wins over all.
    #[test]
    fn order() {
        use BuildTarget::{Development, Preview, Production};
        use EnvOrder::{LocalOverTarget, TargetOverLocal};
        let names = [
            ".env",
            ".env.local",
            ".env.development",
            ".env.development.local",
            ".env.production",
            ".env.production.local",
            ".env.preview",
            ".env.preview.local",
        ];
        let winners = |target, order| {
            let mut names: Vec<&str> = names.to_vec();
            let mut winners = Vec::new();
            loop {
                let texts: Vec<String> = names.iter().map(|name| format!("A={name}\nSET=file\n")).collect();
                let files: Vec<(&str, &str)> = names.iter().copied().zip(texts.iter().map(String::as_str)).collect();
                let Some((_, winner)) = of(&files, target, order).into_iter().next() else { return winners };
                names.retain(|name| *name != winner);
                winners.push(winner);
            }
        };
        assert_eq!(
            winners(Development, TargetOverLocal),
            [".env.development.local", ".env.development", ".env.local", ".env"]
        );
        assert_eq!(
            winners(Development, LocalOverTarget),
            [".env.development.local", ".env.local", ".env.development", ".env"]
        );
        assert_eq!(
            winners(Production, TargetOverLocal),
            [".env.production.local", ".env.production", ".env.local", ".env"]
        );
        assert_eq!(
            winners(Preview, TargetOverLocal),
            [".env.preview.local", ".env.preview", ".env.production.local", ".env.production", ".env.local", ".env"]
        );
    }

    /// A mistake is named with its file and line, and without what stands there.
    #[test]
    fn mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let message = |text: &str| {
            std::fs::write(folder.path().join(".env"), text).unwrap();
            let read = read(folder.path(), BuildTarget::Preview, EnvOrder::default(), &HashMap::new());
            read.unwrap_err().to_string()
        };
        assert_eq!(message("A=1\nsecret\n"), ".env:2: expected `NAME=value`, a comment or an empty line");
        assert_eq!(message("A=\"1\nB=2\n"), ".env:1: the value begins with \" and has no closing \"");
        assert_eq!(
            message("\n2A=1"),
            ".env:2: a name has letters, digits, `_`, `.` and `-`, and does not begin with a digit"
        );
        assert_eq!(message("A='1' 2"), ".env:1: only a comment can stand behind the closing '");
        std::fs::write(folder.path().join(".env"), b"A=1\nB=gr\xfcn\n").unwrap();
        let read = read(folder.path(), BuildTarget::Preview, EnvOrder::default(), &HashMap::new());
        assert_eq!(read.unwrap_err().to_string(), ".env:2:5: the byte 0xfc is not UTF-8: save the file as UTF-8");
    }
}
