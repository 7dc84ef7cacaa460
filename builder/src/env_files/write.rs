//! Lines of an environment file that are read as what they were written for, by ship and by `dotenv`.

use std::collections::HashMap;

use super::expand::expand;
use super::parse::parse;

/// The line that sets `name` to `value`, in the plainest form that means it; `None` if there is none.
pub fn env_file_line(name: &str, value: &str) -> Option<String> {
    let escaped = value.replace('$', "\\$");
    let on_one_line = escaped.replace('\r', "\\r").replace('\n', "\\n");
    let candidates = [
        format!("{name}={escaped}\n"),
        format!("{name}=\"{escaped}\"\n"),
        format!("{name}='{escaped}'\n"),
        format!("{name}=`{escaped}`\n"),
        format!("{name}=\"{on_one_line}\"\n"),
    ];
    let expected = [(name.to_owned(), value.to_owned())];
    let means = |line: &String| parse(line).is_ok_and(|read| expand(&read, &HashMap::new()) == expected);
    candidates.into_iter().find(means)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values as people have them, in the form that they would have written themselves.
    #[test]
    fn lines() {
        for (value, line) in [
            ("plain", "A=plain\n"),
            ("", "A=\n"),
            (" a # b", "A=\" a # b\"\n"),
            ("say \"so\"", "A=say \"so\"\n"),
            ("one\ntwo\n", "A=\"one\ntwo\n\"\n"),
            ("\"it's\"", "A=`\"it's\"`\n"),
            ("$HOME", "A=\\$HOME\n"),
            ("a\r\nb", "A=\"a\\r\\nb\"\n"),
        ] {
            assert_eq!(env_file_line("A", value).as_deref(), Some(line), "{value:?}");
        }
        assert_eq!(env_file_line("A", "'\"`#\n"), None);
    }

    proptest! {
        /// Most values have a line; a line never means another value, whatever stands before and behind it.
        #[test]
        fn read_back(value in "[a-z \\\\$'\"`#\n\r=]{0,12}") {
            if let Some(line) = env_file_line("A", &value) {
                let read = parse(&format!("X=1\n{line}Y=2\n")).unwrap();
                prop_assert_eq!(expand(&read, &HashMap::new())[1].clone(), ("A".to_owned(), value));
            }
        }
    }
}
