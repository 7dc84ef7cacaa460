//! How an error is written: for people as a few lines, for programs as one JSON document.

use serde::Serialize;

use super::{CommandError, ErrorKind};
use crate::output::{Output, plain};
use crate::place::Place;

/// An error as a program reads it.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorDocument<'e> {
    error: ErrorFields<'e>,
}

#[derive(Debug, Serialize)]
struct ErrorFields<'e> {
    kind: ErrorKind,
    exit_code: u8,
    code: Option<&'e str>,
    message: String,
    details: &'e [String],
    causes: Vec<String>,
    hints: Vec<String>,
    places: &'e [Place],
}

impl CommandError {
    /// Says the error on standard error, or writes it as the one JSON document of the command.
    pub(crate) fn report(&self, output: &Output) {
        if self.kind == ErrorKind::Interrupted {
            // Whoever pressed Ctrl-C knows.
        } else if output.is_json() && self.is_told {
            // One document is all that a program gets.
        } else if output.is_json() {
            // The command has failed already; that its error cannot be written changes nothing.
            let _ = output.json(&self.document());
        } else {
            output.error(&self.to_text(output));
        }
    }

    /// `error: …`, what a tool said, `caused by: …`, and `hint: …`, each on lines of its own.
    pub(crate) fn to_text(&self, output: &Output) -> String {
        let styles = output.styles();
        let mut chain = self.chain().into_iter();
        let message = chain.next().unwrap_or_default();
        let mut lines = vec![format!("{} {}", styles.error("error:"), plain(&message))];
        lines.extend(self.details.iter().map(|line| format!("  {}", plain(line)).trim_end().to_owned()));
        lines.extend(chain.map(|cause| format!("{} {}", styles.error("caused by:"), plain(&cause))));
        lines.extend(self.next_steps().iter().map(|hint| format!("{} {}", styles.hint("hint:"), plain(hint))));
        lines.join("\n")
    }

    /// `{"error":{…}}`.
    pub(crate) fn document(&self) -> ErrorDocument<'_> {
        let mut chain = self.chain().into_iter();
        let error = ErrorFields {
            kind: self.kind,
            exit_code: self.kind.exit_code(),
            code: self.code.as_deref(),
            message: chain.next().unwrap_or_default(),
            details: &self.details,
            causes: chain.collect(),
            hints: self.next_steps(),
            places: &self.places,
        };
        ErrorDocument { error }
    }

    /// The error with what a tool said and its causes, in lines without hints and colours: for a page or a log.
    pub(crate) fn to_lines(&self) -> Vec<String> {
        let mut chain = self.chain().into_iter();
        let message = chain.next().unwrap_or_default();
        let causes = chain.map(|cause| format!("caused by: {cause}"));
        std::iter::once(message).chain(self.details.iter().cloned()).chain(causes).collect()
    }

    /// The lines with which a person mends it: what to do next is the last of them.
    pub(crate) fn to_lines_with_hints(&self) -> Vec<String> {
        let hints = self.next_steps().into_iter().map(|hint| format!("hint: {hint}"));
        self.to_lines().into_iter().chain(hints).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("`public/index.html` cannot be read")]
    struct Unreadable(#[source] std::io::Error);

    fn error() -> CommandError {
        let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "permission denied");
        CommandError::project(Unreadable(source))
            .details(["line one".to_owned(), "  line \u{1b}[31mtwo".to_owned()])
            .hint("`chmod +r public/index.html`")
    }

    /// For people: the error, what was said, the causes and the next step, and no escape sequence from outside.
    #[test]
    fn text() {
        insta::assert_snapshot!(error().to_text(&Output::for_tests()), @r"
        error: `public/index.html` cannot be read
          line one
            line \u{1b}[31mtwo
        caused by: permission denied
        hint: `chmod +r public/index.html`
        ");
    }

    /// A full disk and one that can only be read have a next step, whoever found them, unless there is a better one.
    #[test]
    fn disks() {
        let hint = |kind: std::io::ErrorKind| {
            let error = CommandError::project(Unreadable(std::io::Error::from(kind)));
            error.to_text(&Output::for_tests()).lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(hint(std::io::ErrorKind::StorageFull), "hint: make room on that disk, and run the command again");
        let read_only = "hint: nothing can be written there: `SHIP_HOME` names another folder for what ship keeps";
        assert_eq!(hint(std::io::ErrorKind::ReadOnlyFilesystem), read_only);
        let better = CommandError::project(Unreadable(std::io::ErrorKind::StorageFull.into())).hint("`rm x`");
        assert!(better.to_text(&Output::for_tests()).ends_with("hint: `rm x`"));
    }

    /// For programs: one document with all of it.
    #[test]
    fn json() {
        let error = CommandError::new(ErrorKind::Unreachable, "no host runs").code("UNAUTHORIZED").hint("`ship host`");
        let json = serde_json::to_string(&error.document()).unwrap();
        insta::assert_snapshot!(json, @r#"{"error":{"kind":"unreachable","exit_code":3,"code":"UNAUTHORIZED","message":"no host runs","details":[],"causes":[],"hints":["`ship host`"],"places":[]}}"#);
    }
}
