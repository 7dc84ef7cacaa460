//! Which modules a bundle is made of: each byte of it belongs to what its source map says it came from.

use oxc_sourcemap::SourceMap;
use ship_core::FunctionRuntime;

use super::Count;
use super::owner::Owner;

/// Counts the bytes of a module by the files that the bundler made it of. Without a map that can be read it stays whole.
pub(super) fn count(path: &str, module: &[u8], map: &[u8], count: &mut Count) {
    let texts = std::str::from_utf8(module).ok().zip(std::str::from_utf8(map).ok());
    let Some((text, map)) = texts.and_then(|(text, map)| Some((text, SourceMap::from_json_string(map).ok()?))) else {
        count.add_file(path, module.len() as u64);
        return;
    };
    for (source, bytes) in by_source(text, &map) {
        match source {
            Some(source) => {
                let (owner, rest) = owner_of(source, count.runtime);
                count.add(owner, rest, bytes);
            }
            None => count.add(Owner::platform("the bundler"), path, bytes),
        }
    }
}

/// What the bundler adds has a name that no file has.
fn owner_of(source: &str, runtime: FunctionRuntime) -> (Owner, String) {
    if source.contains('\0') || source.contains("rolldown/runtime") {
        return (Owner::platform("the bundler"), source.replace('\0', ""));
    }
    Owner::of_path(source, runtime)
}

/// Stretches of the text, each with the source that it came from: from one mark of the map to the next.
fn by_source<'m>(text: &str, map: &'m SourceMap<'_>) -> Vec<(Option<&'m str>, u64)> {
    let begins = LineBegins::of(text);
    let mut marks: Vec<(usize, Option<&str>)> = map
        .get_source_view_tokens()
        .filter_map(|mark| Some((begins.place(text, mark.get_dst_line(), mark.get_dst_col())?, mark.get_source())))
        .collect();
    marks.sort_by_key(|(place, _)| *place);
    let ends = marks.iter().skip(1).map(|(place, _)| *place).chain([text.len()]).collect::<Vec<_>>();
    let before = marks.first().map_or(text.len(), |(place, _)| *place);
    let stretches = marks.iter().zip(ends).map(|((begin, source), end)| (*source, (end - begin) as u64));
    std::iter::once((None, before as u64)).chain(stretches).collect()
}

/// Where each line of a text begins, in bytes.
struct LineBegins(Vec<usize>);

impl LineBegins {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(place, _)| place + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The place of a column, which a source map counts in UTF-16.
    fn place(&self, text: &str, line: u32, column: u32) -> Option<usize> {
        let begin = *self.0.get(line as usize)?;
        let end = self.0.get(line as usize + 1).copied().unwrap_or(text.len());
        let line = &text[begin..end];
        if line.is_ascii() {
            return Some(begin + (column as usize).min(line.len()));
        }
        let mut units = 0;
        let found = line.char_indices().find(|(_, character)| {
            let is_there = units >= column as usize;
            units += character.len_utf16();
            is_there
        });
        Some(begin + found.map_or(line.len(), |(place, _)| place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte belongs to somebody, also behind characters of several bytes, and the sum is the module's size.
    #[test]
    fn stretches() {
        let text = "/* ü */a();\nb();\n// end\n";
        // The first line from column 7 is of `a.js`, the second of `b.js`.
        let map = r#"{"version":3,"sources":["../a.js","../node_modules/b/b.js"],"names":[],"mappings":"OAAA;ACAA"}"#;
        let map = SourceMap::from_json_string(map).unwrap();
        let found = by_source(text, &map);
        assert_eq!(found, [(None, 8), (Some("../a.js"), 5), (Some("../node_modules/b/b.js"), 12)]);
        assert_eq!(found.iter().map(|(_, bytes)| bytes).sum::<u64>(), text.len() as u64);
    }
}
