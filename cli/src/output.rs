//! The one place that prints. Standard output is data, standard error is talk; how much of which, in which form and in
//! which colours is decided once, here.

mod blocks;
mod hidden;
mod keys;
mod progress;
mod questions;
mod styles;
mod table;
mod text;

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use indicatif::MultiProgress;
use serde::Serialize;

pub(crate) use self::blocks::{bar, columns};
use self::hidden::HiddenTyping;
pub(crate) use self::keys::Keys;
pub(crate) use self::progress::Progress;
pub(crate) use self::styles::Styles;
pub(crate) use self::table::Table;
pub(crate) use self::text::{clock_time, count, duration, exact_time, plain, shell_word, short_time, size};
use crate::args::GlobalArgs;
use crate::error::CommandError;
use crate::settings::environment::{CI, Environment, NO_COLOR, TERM};

/// What everything that a command says goes through.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    form: Form,
    talk: Talk,
    data_colors: ColorChoice,
    talk_colors: ColorChoice,
    /// Whether a terminal takes more than text: one that calls itself dumb shows every control sequence.
    can_move: bool,
    /// Bars that stand below the talk, on a terminal that can move its cursor.
    bars: Option<MultiProgress>,
    /// Whether somebody is there to be asked: at a terminal that is no CI system's.
    is_attended: bool,
    /// Whether whoever read the data is gone.
    is_left: Arc<AtomicBool>,
}

/// The form of data on standard output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Human,
    Json,
}

/// How much is said on standard error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Talk {
    /// Warnings and errors.
    Quiet,
    /// What happens, too.
    Normal,
    /// And how.
    Verbose,
}

/// How many characters a line of the terminal has that data is written to, if it is one.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    // A terminal that knows no size of its own says 0.
    size.map(|size| size.ws_col.into()).filter(|width| *width > 0)
}

impl Output {
    /// The output of this process, as the command line and the terminal want it.
    pub(crate) fn new(arguments: &GlobalArgs, environment: &Environment) -> Self {
        let can_move = environment.text(TERM).is_none_or(|terminal| terminal != "dumb");
        let no_color = arguments.no_color || environment.raw(NO_COLOR).is_some() || !can_move;
        let colors = |terminal: bool| if terminal && !no_color { ColorChoice::Always } else { ColorChoice::Never };
        let talk = match (arguments.quiet, arguments.verbose) {
            (true, _) => Talk::Quiet,
            (false, false) => Talk::Normal,
            (false, true) => Talk::Verbose,
        };
        let talk_on_terminal = io::stderr().is_terminal();
        let is_in_ci = environment.text(CI).is_some_and(|said| !matches!(said, "" | "0" | "false"));
        Self {
            form: if arguments.json { Form::Json } else { Form::Human },
            talk,
            data_colors: colors(io::stdout().is_terminal()),
            talk_colors: colors(talk_on_terminal),
            is_attended: io::stdin().is_terminal() && talk_on_terminal && !is_in_ci,
            can_move,
            bars: (talk_on_terminal && can_move && talk > Talk::Quiet).then(MultiProgress::new),
            is_left: Arc::default(),
        }
    }

    /// An output without colours and bars.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let (data_colors, talk_colors) = (ColorChoice::Never, ColorChoice::Never);
        let (form, talk, is_left) = (Form::Human, Talk::Normal, Arc::default());
        Self { form, talk, data_colors, talk_colors, can_move: false, bars: None, is_attended: false, is_left }
    }

    /// Whether data is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Empties the terminal that is talked to, with what has scrolled out of it.
    pub(crate) fn clear(&self) {
        self.beside_bars(|| {
            if self.can_move && io::stderr().is_terminal() {
                // There is nobody left to tell that it failed.
                let _ = write!(io::stderr(), "\u{1b}[2J\u{1b}[3J\u{1b}[H");
            }
        });
    }

    /// Whether a person sees data and talk on one terminal.
    pub(crate) fn is_one_terminal(&self) -> bool {
        self.form == Form::Human && self.talk > Talk::Quiet && io::stdout().is_terminal() && io::stderr().is_terminal()
    }

    /// Whether a person sees data on a terminal.
    pub(crate) fn is_data_on_terminal(&self) -> bool {
        self.form == Form::Human && io::stdout().is_terminal()
    }

    /// Whether details are wanted.
    pub(crate) fn is_verbose(&self) -> bool {
        self.talk == Talk::Verbose
    }

    /// The styles of talk.
    pub(crate) fn styles(&self) -> Styles {
        Styles::new(self.talk_colors)
    }

    /// The styles of data for people.
    pub(crate) fn data_styles(&self) -> Styles {
        Styles::new(self.data_colors).within(terminal_width())
    }

    /// Writes the result of a command: `document` as JSON, or what `human` says of it.
    pub(crate) fn data<D: Serialize>(
        &self,
        document: &D,
        human: impl FnOnce(Styles) -> String,
    ) -> Result<(), CommandError> {
        match self.form {
            Form::Json => self.json(document),
            Form::Human => self.text(&human(self.data_styles())),
        }
    }

    /// Writes one line of JSON.
    pub(crate) fn json<D: Serialize>(&self, document: &D) -> Result<(), CommandError> {
        let mut line = serde_json::to_vec(document).map_err(CommandError::project)?;
        line.push(b'\n');
        self.write_data(&line)
    }

    /// Writes text for people as it is, with a line end behind it if it has none.
    pub(crate) fn text(&self, text: &str) -> Result<(), CommandError> {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.write_data(format!("{text}{end}").as_bytes())
    }

    /// Writes what a program reads, byte by byte: text for people loses control characters where there is no terminal.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), CommandError> {
        self.write_by(|| write_whole(io::stdout().lock(), bytes))
    }

    /// Whether nobody reads the output any more.
    pub(crate) fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Relaxed)
    }

    fn write_data(&self, bytes: &[u8]) -> Result<(), CommandError> {
        self.write_by(|| write_whole(AutoStream::new(io::stdout().lock(), self.data_colors), bytes))
    }

    fn write_by(&self, write: impl FnOnce() -> io::Result<()>) -> Result<(), CommandError> {
        match self.beside_bars(write) {
            // Whoever read the output has seen enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_left.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(CommandError::project(format!("standard output cannot be written: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Says what happens.
    pub(crate) fn status(&self, text: impl Display) {
        if self.says_status() {
            self.say(&text);
        }
    }

    /// Whether what happens is said.
    fn says_status(&self) -> bool {
        self.talk > Talk::Quiet
    }

    /// Says how something happens, if details are wanted.
    pub(crate) fn detail(&self, text: impl Display) {
        if self.talk == Talk::Verbose {
            self.say(&self.styles().dim(text));
        }
    }

    /// Says what could be typed next.
    pub(crate) fn hint(&self, text: impl Display) {
        self.status(format_args!("{} {text}", self.styles().hint("hint:")));
    }

    /// Says what may not be as expected.
    pub(crate) fn warning(&self, text: impl Display) {
        self.say(&format_args!("{} {text}", self.styles().warning("warning:")));
    }

    /// Says an error that was rendered before.
    pub(crate) fn error(&self, rendered: &str) {
        self.say(&rendered);
    }

    fn say(&self, text: &dyn Display) {
        let write = || {
            let mut stderr = AutoStream::new(io::stderr().lock(), self.talk_colors);
            // There is nobody left to tell that telling failed.
            let _ = writeln!(stderr, "{text}");
        };
        self.beside_bars(write);
    }

    fn beside_bars<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// Shows that something of `total` bytes is under way, if it takes longer than a moment: on a terminal with a bar, elsewhere with a line
    /// every few seconds.
    pub(crate) fn bytes_progress(&self, what: &str, total: Option<u64>) -> Progress {
        Progress::bytes(self, what, total)
    }

    /// Shows that something is under way: a spinner on a terminal, a line every few seconds elsewhere.
    pub(crate) fn progress(&self, what: &str) -> Progress {
        Progress::spinner(self, what)
    }

    /// Asks a question that only `yes` answers with yes. `None` if nobody is there to answer.
    pub(crate) async fn confirm(&self, question: String) -> Option<bool> {
        let output = self.clone();
        // On a thread of its own: whoever is asked may as well press Ctrl-C.
        tokio::task::spawn_blocking(move || output.ask(&question)).await.ok()?
    }

    /// Reads what somebody types or a program writes, to its end. What is typed on a terminal is not shown, and ends with its line.
    pub(crate) async fn read_secret(&self, question: String) -> io::Result<Vec<u8>> {
        let output = self.clone();
        // On a thread of its own: whoever is asked may as well press Ctrl-C.
        let read = tokio::task::spawn_blocking(move || output.read_secret_blocking(&question));
        read.await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
    }

    fn read_secret_blocking(&self, question: &str) -> io::Result<Vec<u8>> {
        let mut stdin = io::stdin().lock();
        let mut bytes = Vec::new();
        if !stdin.is_terminal() {
            stdin.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        let mut stderr = AutoStream::new(io::stderr().lock(), self.talk_colors);
        write!(stderr, "{question}: ")?;
        stderr.flush()?;
        let hidden = HiddenTyping::begin()?;
        let read = stdin.read_until(b'\n', &mut bytes);
        drop(hidden);
        writeln!(stderr)?;
        read.map(|_| bytes)
    }

    fn ask(&self, question: &str) -> Option<bool> {
        if !self.is_attended {
            return None;
        }
        let mut stderr = AutoStream::new(io::stderr().lock(), self.talk_colors);
        write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).ok()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

fn write_whole(mut stdout: impl Write, bytes: &[u8]) -> io::Result<()> {
    stdout.write_all(bytes)?;
    stdout.flush()
}
