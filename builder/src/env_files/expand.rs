//! `$NAME`, `${NAME}` and `${NAME:-otherwise}` in values, as `dotenv-expand` has them.

use std::collections::HashMap;

/// The variables with what their values refer to filled in.
pub(super) fn expand(variables: Vec<(String, String)>, outside: &HashMap<String, String>) -> Vec<(String, String)> {
    let raw: HashMap<&str, &str> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let scope = Scope { raw, outside };
    variables.iter().map(|(name, value)| (name.clone(), scope.filled(value, &mut vec![name.as_str()]))).collect()
}

struct Scope<'s> {
    raw: HashMap<&'s str, &'s str>,
    outside: &'s HashMap<String, String>,
}

impl<'s> Scope<'s> {
    /// `value` with its references filled in. `within` are the names whose values led here: who writes a circle gets the
    /// empty text, as from a name that nobody set.
    fn filled(&self, value: &'s str, within: &mut Vec<&'s str>) -> String {
        let mut filled = String::with_capacity(value.len());
        let mut rest = value;
        while let Some(at) = rest.find('$') {
            let behind_sign = &rest[at + 1..];
            if let Some(before) = rest[..at].strip_suffix('\\') {
                filled.push_str(before);
                filled.push('$');
                rest = behind_sign;
                continue;
            }
            filled.push_str(&rest[..at]);
            let (text, behind) = self.reference(behind_sign, within).unwrap_or_else(|| ("$".into(), behind_sign));
            filled.push_str(&text);
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }

    /// What stands for the reference behind a `$`, and the text behind it; `None` if it is none.
    fn reference(&self, text: &'s str, within: &mut Vec<&'s str>) -> Option<(String, &'s str)> {
        let braced = text.strip_prefix('{').and_then(|inside| Some(inside.split_at(closing_brace(inside)?)));
        let Some((inside, behind)) = braced else {
            let (name, behind) = split_name(text.strip_prefix('{').unwrap_or(text));
            return (!name.is_empty()).then(|| (self.value(name, within).unwrap_or_default(), behind));
        };
        let (name, otherwise) = split_name(inside);
        let otherwise = otherwise.strip_prefix(":-").or_else(|| otherwise.strip_prefix('-'));
        let value = self.value(name, within).filter(|value| !value.is_empty());
        let value = value.or_else(|| otherwise.map(|text| self.filled(text, within)));
        Some((value.unwrap_or_default(), &behind[1..]))
    }

    fn value(&self, name: &'s str, within: &mut Vec<&'s str>) -> Option<String> {
        if let Some(value) = self.outside.get(name) {
            return Some(value.clone());
        }
        let value = *self.raw.get(name).filter(|_| !within.contains(&name))?;
        within.push(name);
        let filled = self.filled(value, within);
        within.pop();
        Some(filled)
    }
}

/// A name, which may hold dots, and what stands behind it.
fn split_name(text: &str) -> (&str, &str) {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '.';
    text.split_at(text.find(|character| !is_part(character)).unwrap_or(text.len()))
}

/// Where the brace ends that was opened before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, character) in text.char_indices() {
        match character {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// References lead to other variables, wherever they stand, and to what is set outside; a backslash takes their meaning.
    /// Each value was put through dotenv-expand 11 itself.
    #[test]
    fn references() {
        let outside = HashMap::from([("HOME".to_owned(), "/root".to_owned())]);
        let expanded = |value: &str| {
            let variables = [("A", value), ("B", "b"), ("C", "$B/c"), ("EMPTY", ""), ("LOOP", "x$LOOP")];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            expand(variables, &outside).swap_remove(0).1
        };
        for (value, filled) in [
            ("$B and ${B}", "b and b"),
            ("$HOME/x", "/root/x"),
            ("${C}", "b/c"),
            ("\\$B", "$B"),
            ("price: 5$", "price: 5$"),
            ("$5", ""),
            ("$ABSENT.", ""),
            ("pa$word!", "pa!"),
            ("${ABSENT:-other}", "other"),
            ("${EMPTY:-${B}s}", "bs"),
            ("${B:-other}", "b"),
            ("${unclosed", ""),
            ("a$$b", "a$"),
        ] {
            assert_eq!(expanded(value), filled, "{value}");
        }
        assert_eq!(expanded("$LOOP"), "x");
        assert_eq!(expanded("y$A"), "y");
    }
}
