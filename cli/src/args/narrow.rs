//! Help on narrow terminals, as far as clap does not lay it out itself: what stands in columns goes on below itself.

/// How far the meaning of an example stands in where it has a line of its own, in characters.
const INDENT: usize = 6;

/// `text` in lines of at most `room` characters, broken at blanks, and never within `` `code` ``.
pub(super) fn wrapped(text: &str, room: Option<usize>) -> Vec<String> {
    let room = room.unwrap_or(usize::MAX);
    let mut is_code = false;
    let is_gap = |character: char| {
        is_code ^= character == '`';
        character == ' ' && !is_code
    };
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(is_gap) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The same behind something that takes `taken` characters, the further lines below the first.
pub(super) fn hanging(text: &str, taken: usize, room: Option<usize>) -> String {
    let room = room.map(|room| room.saturating_sub(taken));
    wrapped(text, room).join(&format!("\n{:taken$}", ""))
}

/// Lines of a shell with what each is for: beside it, or below it where there is no room.
pub(super) fn examples(examples: &[(&str, &str)], room: Option<usize>) -> Vec<String> {
    let widest = |text: fn(&(&str, &str)) -> usize| examples.iter().map(text).max().unwrap_or_default();
    let (width, meaning) = (widest(|it| it.0.len()), widest(|it| it.1.len()));
    let is_narrow = room.is_some_and(|room| 2 + width + 2 + meaning > room);
    let shown = |(line, meaning): &(&str, &str)| match meaning {
        meaning if is_narrow && !meaning.is_empty() => {
            format!("  {line}\n{:INDENT$}{}", "", hanging(meaning, INDENT, room))
        }
        meaning => format!("  {line:width$}  {meaning}").trim_end().to_owned(),
    };
    examples.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words stay whole, and so does what somebody may type.
    #[test]
    fn lines() {
        assert_eq!(wrapped("see `ship help x`, or not", Some(14)), ["see", "`ship help x`,", "or not"]);
        assert_eq!(wrapped("unbreakable word", Some(3)), ["unbreakable", "word"]);
        assert_eq!(hanging("a list of names", 8, Some(14)), "a list\n        of\n        names");
        assert_eq!(wrapped("all of it", None), ["all of it"]);
    }

    /// What does not fit beside an example stands below it.
    #[test]
    fn narrow_examples() {
        let two = [("ship ls", "all"), ("ship ls --chart", "their sizes, drawn")];
        assert_eq!(examples(&two, Some(80)), ["  ship ls          all", "  ship ls --chart  their sizes, drawn"]);
        assert_eq!(examples(&two, None), examples(&two, Some(80)));
        let narrow = ["  ship ls\n      all", "  ship ls --chart\n      their sizes,\n      drawn"];
        assert_eq!(examples(&two, Some(20)), narrow);
    }
}
