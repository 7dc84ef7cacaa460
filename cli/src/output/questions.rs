//! Questions with more than yes and no, on a terminal.

use std::error::Error;
use std::io;

use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Input, Select};

use anstream::ColorChoice;

use super::Output;
use crate::error::CommandError;

/// The cursor, which is hidden while something is chosen, is shown again however the question ends: Ctrl-C too.
struct CursorBack(Term);

impl Drop for CursorBack {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.0.show_cursor();
    }
}

impl Output {
    /// Has somebody choose one of `lines`, the first of which is suggested. `None` if nobody is there to choose.
    pub(crate) async fn choose(
        &self,
        question: &'static str,
        lines: Vec<String>,
    ) -> Result<Option<usize>, CommandError> {
        self.question(move |theme, term| {
            let chosen =
                Select::with_theme(theme).with_prompt(question).items(&lines).default(0).interact_on_opt(term)?;
            // Escape and `q` end the question as Ctrl-C does.
            chosen.ok_or_else(|| io::Error::from(io::ErrorKind::Interrupted).into())
        })
        .await
    }

    /// Has somebody type a word, asked again until `check` takes it. `None` if nobody is there to type.
    pub(crate) async fn ask_for<E: Error + 'static>(
        &self,
        question: &'static str,
        default: String,
        check: fn(&str) -> Result<(), E>,
    ) -> Result<Option<String>, CommandError> {
        self.question(move |theme, term| {
            let input = Input::with_theme(theme).with_prompt(question).default(default);
            input.validate_with(|typed: &String| check(typed)).interact_text_on(term)
        })
        .await
    }

    async fn question<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Theme, &Term) -> dialoguer::Result<T> + Send + 'static,
    ) -> Result<Option<T>, CommandError> {
        if self.is_json() || !self.is_attended {
            return Ok(None);
        }
        let term = Term::stderr();
        let _cursor = CursorBack(term.clone());
        let is_colored = self.talk_colors != ColorChoice::Never;
        // On a thread of its own: whoever is asked may as well press Ctrl-C.
        let asked = tokio::task::spawn_blocking(move || {
            let colorful = ColorfulTheme::default();
            ask(if is_colored { &colorful } else { &SimpleTheme }, &term)
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(dialoguer::Error::IO(error))) if error.kind() == io::ErrorKind::Interrupted => {
                Err(CommandError::interrupted())
            }
            Ok(Err(error)) => Err(CommandError::project(error)),
            Err(stopped) => Err(CommandError::project(stopped)),
        }
    }
}
