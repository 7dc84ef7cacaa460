//! How an error is written: for people as a few lines, for programs as one JSON document.

use serde_json::{Value, json};

use super::CommandError;
use crate::output::{Output, plain};

impl CommandError {
    /// Says the error on standard error, or writes it as the one JSON document of the command.
    pub(crate) fn report(&self, output: &Output) {
        if output.is_json() {
            // The command has failed already; that its error cannot be written changes nothing.
            let _ = output.json(&self.to_json());
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
        lines.extend(self.hints.iter().map(|hint| format!("{} {}", styles.hint("hint:"), plain(hint))));
        lines.join("\n")
    }

    /// `{"error":{…}}`.
    pub(crate) fn to_json(&self) -> Value {
        let mut chain = self.chain().into_iter();
        json!({
            "error": {
                "kind": self.kind,
                "code": self.code,
                "exit_code": self.kind.exit_code(),
                "message": chain.next().unwrap_or_default(),
                "details": self.details,
                "causes": chain.collect::<Vec<_>>(),
                "hints": self.hints,
            }
        })
    }

    /// The error with what a tool said and its causes, in lines without hints and colours: for a page or a log.
    pub(crate) fn to_lines(&self) -> Vec<String> {
        let mut chain = self.chain().into_iter();
        let message = chain.next().unwrap_or_default();
        let causes = chain.map(|cause| format!("caused by: {cause}"));
        std::iter::once(message).chain(self.details.iter().cloned()).chain(causes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

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

    /// For programs: one document with all of it.
    #[test]
    fn json() {
        let error = CommandError::new(ErrorKind::Unreachable, "no host runs").code("UNAUTHORIZED").hint("`ship host`");
        insta::assert_snapshot!(error.to_json(), @r#"{"error":{"causes":[],"code":"UNAUTHORIZED","details":[],"exit_code":3,"hints":["`ship host`"],"kind":"unreachable","message":"no host runs"}}"#);
    }
}
