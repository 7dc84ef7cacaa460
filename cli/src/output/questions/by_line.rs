//! Questions for a terminal that moves no cursor (`TERM=dumb`): a list with numbers, and an answer that is a line.

use std::error::Error;
use std::io::{self, BufRead, Write};

/// Has somebody choose one of `lines` by its number; an empty line is the first.
pub(super) fn choose(
    question: &str,
    lines: &[String],
    answers: &mut impl BufRead,
    talk: &mut impl Write,
) -> io::Result<usize> {
    for (index, line) in lines.iter().enumerate() {
        writeln!(talk, "{:>3}  {line}", index + 1)?;
    }
    let number = |typed: &str| typed.parse::<usize>().ok().filter(|number| (1..=lines.len()).contains(number));
    loop {
        match ask(&format!("{question} (its number, or Enter for 1)"), answers, talk)?.as_str() {
            "" => return Ok(0),
            typed => match number(typed) {
                Some(number) => return Ok(number - 1),
                None => writeln!(talk, "expected a number from 1 to {}", lines.len())?,
            },
        }
    }
}

/// Has somebody type a word until `check` takes it; an empty line is `default`.
pub(super) fn ask_for<E: Error>(
    question: &str,
    default: &str,
    check: fn(&str) -> Result<(), E>,
    answers: &mut impl BufRead,
    talk: &mut impl Write,
) -> io::Result<String> {
    loop {
        let typed = ask(&format!("{question} [{default}]"), answers, talk)?;
        let typed = if typed.is_empty() { default.to_owned() } else { typed };
        match check(&typed) {
            Ok(()) => return Ok(typed),
            Err(refused) => writeln!(talk, "{refused}")?,
        }
    }
}

/// One line. Whoever ends the input instead wants no more questions.
fn ask(question: &str, answers: &mut impl BufRead, talk: &mut impl Write) -> io::Result<String> {
    write!(talk, "{question}: ")?;
    talk.flush()?;
    let mut line = String::new();
    match answers.read_line(&mut line)? {
        0 => Err(io::ErrorKind::Interrupted.into()),
        _ => Ok(line.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is no number of the list is asked again, an empty line takes the first, and the end of the input ends the question.
    #[test]
    fn numbers() {
        let lines = ["go".to_owned(), "rust".to_owned()];
        let asked = |typed: &str| {
            let mut talk = Vec::new();
            let chosen = choose("Template", &lines, &mut typed.as_bytes(), &mut talk);
            (chosen.map_err(|error| error.kind()), String::from_utf8(talk).unwrap())
        };
        assert_eq!(asked("\n").0, Ok(0));
        assert_eq!(asked("").0, Err(io::ErrorKind::Interrupted));
        let (chosen, talk) = asked("3\nrust\n 2 \n");
        assert_eq!(chosen, Ok(1));
        insta::assert_snapshot!(talk, @"
          1  go
          2  rust
        Template (its number, or Enter for 1): expected a number from 1 to 2
        Template (its number, or Enter for 1): expected a number from 1 to 2
        Template (its number, or Enter for 1): 
        ");
    }

    /// A word is taken as it is checked, and the suggested one by an empty line.
    #[test]
    fn words() {
        let check = |typed: &str| typed.parse::<u8>().map(drop);
        let asked = |typed: &str| ask_for("Number", "7", check, &mut typed.as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!((asked("\n").as_str(), asked("x\n300\n12\n").as_str()), ("7", "12"));
    }
}
