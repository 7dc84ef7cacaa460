//! What moves on a terminal while something is under way. Elsewhere nothing does.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// Something under way. It vanishes when it is dropped; what it came to is said by whoever started it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn bytes(bars: Option<&MultiProgress>, what: &str, total: u64) -> Self {
        let template = "{msg} {bar:30} {bytes}/{total_bytes}";
        Self::shown(bars, ProgressBar::new(total), template, what)
    }

    pub(super) fn spinner(bars: Option<&MultiProgress>, what: &str) -> Self {
        let progress = Self::shown(bars, ProgressBar::new_spinner(), "{spinner} {msg}", what);
        if let Some(bar) = &progress.bar {
            bar.enable_steady_tick(TICK);
        }
        progress
    }

    fn shown(bars: Option<&MultiProgress>, bar: ProgressBar, template: &str, what: &str) -> Self {
        let Some(bars) = bars else { return Self { bar: None } };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(bar.with_style(style));
        bar.set_message(Cow::from(what.to_owned()));
        Self { bar: Some(bar) }
    }

    /// Moves by `amount`.
    pub(crate) fn advance(&self, amount: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(amount);
        }
    }

    /// Says what is under way now.
    pub(crate) fn message(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(Cow::from(text.to_owned()));
        }
    }

    /// Takes it off the terminal.
    pub(crate) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
