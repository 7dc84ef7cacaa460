//! Colours by role. Everything reads the same without them.

use std::fmt::Display;

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};

/// The styles of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Styles {
    colored: bool,
    /// How many characters a line of the terminal has, where there is one.
    width: Option<usize>,
}

/// A method for each role.
macro_rules! roles {
    ($(#[doc = $meaning:literal] $role:ident = $style:expr;)+) => {
        $(#[doc = $meaning] pub(crate) fn $role(self, text: impl Display) -> String { self.paint($style, text) })+
    };
}

impl Styles {
    pub(super) fn new(colors: ColorChoice) -> Self {
        Self { colored: colors != ColorChoice::Never, width: None }
    }

    /// The same on a terminal with lines of so many characters.
    pub(super) fn within(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// How many characters a line has room for.
    pub(crate) fn width(self) -> Option<usize> {
        self.width
    }

    roles! {
        /// What went wrong.
        error = AnsiColor::Red.on_default().bold();
        /// What may not be as expected.
        warning = AnsiColor::Yellow.on_default().bold();
        /// What could be typed next.
        hint = AnsiColor::Cyan.on_default().bold();
        /// What went well.
        good = AnsiColor::Green.on_default().bold();
        /// Where something is.
        place = AnsiColor::Cyan.on_default();
        /// What matters less.
        dim = Style::new().dimmed();
        /// What matters more.
        strong = Style::new().bold();
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}
