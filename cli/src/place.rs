//! Places in a project's files, as compilers, interpreters and ship itself write them.

use std::path::Path;

use serde::Serialize;

/// How many places of one text are told: those of several languages, each of which may name twenty. Whoever mends them looks again.
const MAX_PLACES: usize = 80;

/// A place in a file of the project.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Place {
    /// The file, relative to the project.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The character in it, from 1, where that is known.
    pub(crate) column: Option<usize>,
}

impl Place {
    /// Reads `api/date.go:10:21`, with or without a column and with a colon or a bracket behind it, if such a file is in `root`.
    pub(crate) fn parse(word: &str, root: &Path) -> Option<Self> {
        let word = word.trim_start_matches(['(', '"', '`']).trim_end_matches([':', ')', ',', '"', '`', '.']);
        let (rest, last) = word.rsplit_once(':')?;
        let last: usize = last.parse().ok()?;
        let with_column = rest.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
        let (file, line, column) = match with_column {
            Some((file, line)) => (file, line, Some(last)),
            None => (rest, last, None),
        };
        Self::in_project(file, line, column, root)
    }

    /// A place in a file that is in `root`.
    pub(crate) fn in_project(file: &str, line: usize, column: Option<usize>, root: &Path) -> Option<Self> {
        let below = file.strip_prefix(root.to_str()?).map_or(file, |below| below.trim_start_matches('/'));
        let is_inside = !below.is_empty()
            && Path::new(below).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let is_package = below.split('/').any(|part| part == "node_modules");
        (line > 0 && is_inside && !is_package && root.join(below).is_file()).then(|| Self {
            file: below.to_owned(),
            line,
            column,
        })
    }

    /// The place as compilers write it.
    pub(crate) fn shown(&self) -> String {
        let column = self.column.map(|column| format!(":{column}")).unwrap_or_default();
        format!("{}:{}{column}", self.file, self.line)
    }
}

/// `File "api/a.py", line 5, in inner`.
pub(crate) fn in_python(line: &str, root: &Path) -> Option<Place> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    let number = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Place::in_project(file, number, None, root)
}

/// `ship.site/api/date-ec1001ef/date.go:7`: each function is compiled as a package of its own.
pub(crate) fn in_go(word: &str, root: &Path) -> Option<Place> {
    let (path, line) = word.strip_prefix("ship.site/")?.rsplit_once(':')?;
    let line = line.parse().ok()?;
    let (folders, file) = path.rsplit_once('/')?;
    let above = folders.rsplit_once('/').map_or("", |(above, _)| above);
    let of_function = format!("{above}/{file}");
    Place::in_project(of_function.trim_start_matches('/'), line, None, root)
        .or_else(|| Place::in_project(path, line, None, root))
}

/// The places in the project at `root` that the lines name, each once and in their order.
pub(crate) fn named_in<'l>(lines: impl Iterator<Item = &'l str>, root: &Path) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    // A line of a source that is shown names no place, whatever is written there.
    for line in lines.filter(|line| !line.contains(" | ")) {
        let in_words = |line: &str| {
            line.split_whitespace().find_map(|word| Place::parse(word, root).or_else(|| in_go(word, root)))
        };
        let found = in_words(line).or_else(|| in_python(line, root));
        places.extend(found.filter(|place| !places.contains(place)));
    }
    places.truncate(MAX_PLACES);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever says it: each place once, of files that are there, and none of what a source line holds.
    #[test]
    fn named() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("api")).unwrap();
        for file in ["api/a.ts", "api/p.py", "api/g.go", "ship.toml"] {
            fs_err::write(folder.path().join(file), "1\n").unwrap();
        }
        let lines = [
            "ship.toml:2:1: unknown key `nam`",
            " 2 | see api/a.ts:9:9",
            "    at GET (api/a.ts:3:28)",
            "    at GET (api/a.ts:3:28)",
            "  File \"api/p.py\", line 4, in do_GET",
            "\tship.site/api/g-ec1001ef/g.go:7 +0x28",
            "api/absent.ts:1:1: no",
        ];
        let shown: Vec<String> = named_in(lines.into_iter(), folder.path()).iter().map(Place::shown).collect();
        assert_eq!(shown, ["ship.toml:2:1", "api/a.ts:3:28", "api/p.py:4", "api/g.go:7"]);
    }
}
