//! Questions with more than yes and no, on a terminal.

mod by_line;

use std::error::Error;
use std::io::{self, Stderr, StdinLock};

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
        if !self.can_move {
            return self.by_line(move |answers, talk| by_line::choose(question, &lines, answers, talk)).await;
        }
        self.question(move |theme, term| {
            let prompt = format!("{question} (arrow keys, Enter)");
            let chosen =
                Select::with_theme(theme).with_prompt(prompt).items(&lines).default(0).interact_on_opt(term)?;
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
        if !self.can_move {
            let ask = move |answers: &mut _, talk: &mut _| by_line::ask_for(question, &default, check, answers, talk);
            return self.by_line(ask).await;
        }
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
        let term = Term::stderr();
        let _cursor = self.can_ask().then(|| CursorBack(term.clone()));
        let is_colored = self.talk_colors != ColorChoice::Never;
        self.answered(move || {
            let colorful = ColorfulTheme::default();
            ask(if is_colored { &colorful } else { &SimpleTheme }, &term)
        })
        .await
    }

    async fn by_line<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut StdinLock<'static>, &mut Stderr) -> io::Result<T> + Send + 'static,
    ) -> Result<Option<T>, CommandError> {
        self.answered(move || Ok(ask(&mut io::stdin().lock(), &mut io::stderr())?)).await
    }

    /// Whether there is somebody to answer.
    fn can_ask(&self) -> bool {
        !self.is_json() && self.is_attended
    }

    /// What somebody answers, if there is somebody.
    async fn answered<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
    ) -> Result<Option<T>, CommandError> {
        if !self.can_ask() {
            return Ok(None);
        }
        // On a thread of its own: whoever is asked may as well press Ctrl-C.
        match tokio::task::spawn_blocking(ask).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(dialoguer::Error::IO(error))) if error.kind() == io::ErrorKind::Interrupted => {
                Err(CommandError::interrupted())
            }
            Ok(Err(error)) => Err(CommandError::project(error)),
            Err(stopped) => Err(CommandError::project(stopped)),
        }
    }
}
