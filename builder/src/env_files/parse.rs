//! The text of an environment file, as `dotenv` reads it.

use super::EnvFileProblem;

/// The assignments of a file in their order, or the line of the first mistake.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, EnvFileProblem)> {
    let mut rest = text;
    let mut assignments = Vec::new();
    while !rest.is_empty() {
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let (assignment, behind) = statement(rest).map_err(|problem| (line, problem))?;
        assignments.extend(assignment);
        rest = behind;
    }
    Ok(assignments)
}

type Statement<'t> = (Option<(String, String)>, &'t str);

/// One assignment, comment or empty line, and the text behind it.
fn statement(text: &str) -> Result<Statement<'_>, EnvFileProblem> {
    let (line, behind) = split_line(text);
    let trimmed = line.trim_start();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok((None, behind));
    }
    let trimmed = match trimmed.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => trimmed,
    };
    // `NAME: value` is accepted too, as dotenv has it.
    let (name, _) = trimmed.split_once(['=', ':']).ok_or(EnvFileProblem::NoAssignment)?;
    let name_end = line.len() - trimmed.len() + name.len() + 1;
    let name = name.trim_end();
    let is_name = !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "_.-".contains(character));
    if !is_name {
        return Err(EnvFileProblem::Name);
    }
    let (value, behind) = value(&text[name_end..])?;
    Ok((Some((name.to_owned(), value)), behind))
}

/// A line without its end, and what follows.
fn split_line(text: &str) -> (&str, &str) {
    let (line, behind) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), behind)
}

/// The value behind `=`, which may span lines if it is quoted, and the text behind its line.
fn value(text: &str) -> Result<(String, &str), EnvFileProblem> {
    let start = text.trim_start_matches([' ', '\t']);
    let Some(quote) = start.chars().next().filter(|first| matches!(first, '"' | '\'' | '`')) else {
        let (line, behind) = split_line(text);
        let value = line.split('#').next().unwrap_or_default();
        return Ok((value.trim().to_owned(), behind));
    };
    let inside = &start[1..];
    let end = closing_quote(inside, quote).ok_or(EnvFileProblem::OpenQuote { quote })?;
    let (line, behind) = split_line(&inside[end + 1..]);
    let after = line.trim_start();
    if !after.is_empty() && !after.starts_with('#') {
        return Err(EnvFileProblem::BehindQuote { quote });
    }
    let inside = inside[..end].replace("\r\n", "\n");
    let value = if quote == '"' { inside.replace("\\n", "\n").replace("\\r", "\r") } else { inside };
    Ok((value, behind))
}

/// Where the quote ends. A backslash keeps a quote from being one, and stays.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if character == quote && !is_escaped {
            return Some(at);
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        let mut parsed = parse(text).unwrap();
        assert_eq!(parsed.len(), 1, "{text}");
        parsed.remove(0).1
    }

    /// Values as dotenv gives them: each was put through dotenv 16 itself.
    #[test]
    fn values() {
        for (text, value) in [
            ("A=1", "1"),
            ("A=", ""),
            ("A = spaced out  ", "spaced out"),
            ("export A=1", "1"),
            ("A: 1", "1"),
            ("A=a#b", "a"),
            ("A=a # b", "a"),
            ("A='a # b' # c", "a # b"),
            ("A=\"a # b\"", "a # b"),
            ("A=`it's \"so\"`", "it's \"so\""),
            ("A=\"one\\ntwo\"", "one\ntwo"),
            ("A='one\\ntwo'", "one\\ntwo"),
            ("A=\"one\ntwo\"", "one\ntwo"),
            ("A=\"one\r\ntwo\"\r\n", "one\ntwo"),
            ("A=\"say \\\"so\\\"\"", "say \\\"so\\\""),
            ("A=it's", "it's"),
            ("A={\"b\": 1}", "{\"b\": 1}"),
            ("A=\"  kept  \"", "  kept  "),
            ("A=x=y", "x=y"),
            (
                "A='-----BEGIN KEY-----\nab\ncd==\n-----END KEY-----'",
                "-----BEGIN KEY-----\nab\ncd==\n-----END KEY-----",
            ),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
    }

    /// Names and the order of what stands in a file; the line of a mistake behind a value of several lines.
    #[test]
    fn files() {
        let parsed = parse("# first\nA.b-c_1=\"x\ny\"\n\n  export   B='2'\r\nB=3").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parsed, [pair("A.b-c_1", "x\ny"), pair("B", "2"), pair("B", "3")]);
        assert_eq!(parse("A=\"x\ny\"\nB\n").unwrap_err(), (3, EnvFileProblem::NoAssignment));
    }
}
