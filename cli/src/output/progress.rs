//! What moves on a terminal while something is under way; elsewhere, a line now and then about what takes long.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

mod heartbeat;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use self::heartbeat::Heartbeat;
use super::{Output, plain, size};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// From when on there is a bar: what is over sooner would only flicker.
const BAR_AFTER: Duration = Duration::from_millis(300);

/// How often a line is written where there is no terminal, and so from when on.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Below which width a terminal is narrow, in characters.
const NARROW: u16 = 64;

/// Something under way. It vanishes when it is dropped; what it came to is said by whoever started it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    shown: Shown,
}

#[derive(Clone, Debug)]
enum Shown {
    Nothing,
    Spinner(ProgressBar),
    Lines(Arc<Heartbeat>),
    Bytes(Arc<Bytes>),
}

/// Bytes under way.
#[derive(Debug)]
struct Bytes {
    output: Output,
    what: String,
    /// How many there are in all, where that is known.
    total: Option<u64>,
    began: Instant,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
    line: Mutex<Instant>,
}

impl Progress {
    pub(super) fn bytes(output: &Output, what: &str, total: Option<u64>) -> Self {
        let began = Instant::now();
        let bytes = Bytes {
            output: output.clone(),
            what: what.to_owned(),
            total,
            began,
            done: AtomicU64::new(0),
            bar: OnceLock::new(),
            line: Mutex::new(began),
        };
        Self { shown: Shown::Bytes(Arc::new(bytes)) }
    }

    /// Something of which only the time is known that it takes: a spinner on a terminal, a line now and then elsewhere.
    pub(super) fn spinner(output: &Output, what: &str) -> Self {
        let Some(bars) = &output.bars else {
            let beat = output.says_status().then(|| Heartbeat::start(output.clone(), what.to_owned(), LINE_EVERY));
            return Self { shown: beat.map_or(Shown::Nothing, |beat| Shown::Lines(Arc::new(beat))) };
        };
        let bar = bars.add(ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg} {elapsed}")));
        bar.enable_steady_tick(TICK);
        let progress = Self { shown: Shown::Spinner(bar) };
        progress.message(what);
        progress
    }

    /// Moves by `amount`.
    pub(crate) fn advance(&self, amount: u64) {
        if let Shown::Bytes(bytes) = &self.shown {
            bytes.advance(amount);
        }
    }

    /// Shows that time has passed, whether anything has moved or not.
    pub(crate) fn tick(&self) {
        self.advance(0);
    }

    /// Says what is under way now.
    pub(crate) fn message(&self, text: &str) {
        let text = plain(text);
        match &self.shown {
            Shown::Spinner(bar) => {
                // The template does not show it: it is kept for the lines that are printed meanwhile.
                bar.set_prefix(text.clone());
                bar.set_message(Cow::from(text));
            }
            Shown::Lines(beat) => beat.message(text),
            Shown::Nothing | Shown::Bytes(_) => {}
        }
    }

    /// Shows what a tool has just printed behind what is under way, where it moves. A line that stays would name the part of a
    /// sentence as what takes so long.
    pub(crate) fn printed(&self, line: &str) {
        let line = plain(line.trim());
        if let (Shown::Spinner(bar), false) = (&self.shown, line.is_empty()) {
            bar.set_message(Cow::from(format!("{}: {line}", bar.prefix())));
        }
    }

    /// Takes it off the terminal.
    pub(crate) fn finish(self) {
        match &self.shown {
            Shown::Nothing | Shown::Lines(_) => {}
            Shown::Spinner(bar) => bar.finish_and_clear(),
            Shown::Bytes(bytes) => {
                if let Some(bar) = bytes.bar.get() {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

impl Bytes {
    fn advance(&self, amount: u64) {
        let done = self.done.fetch_add(amount, Ordering::Relaxed) + amount;
        let lasted = self.began.elapsed();
        match &self.output.bars {
            Some(bars) if lasted >= BAR_AFTER => {
                let told = if is_narrow() { short_line } else { line }(done, self.total, lasted);
                let bar = self.bar.get_or_init(|| self.new_bar(bars, told.clone()));
                bar.set_prefix(told);
                bar.set_position(done);
            }
            Some(_) => {}
            None => self.say(done, lasted),
        }
    }

    fn new_bar(&self, bars: &MultiProgress, told: String) -> ProgressBar {
        // What is behind the bar is what a line says elsewhere: the program's own rate is that of the last moments, and leaps.
        let template = self.total.map_or("{spinner} {wide_msg} {prefix}", |_| "{msg} {wide_bar} {prefix}");
        let bar = self.total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let bar = bars.add(bar.with_style(style(template)).with_prefix(told).with_message(self.what.clone()));
        bar.enable_steady_tick(TICK);
        bar
    }

    fn say(&self, done: u64, lasted: Duration) {
        let mut last = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            self.output.status(format_args!("{}: {}", self.what, line(done, self.total, lasted)));
        }
    }
}

/// Whether the terminal has no room for a bar and all that can be said beside it.
fn is_narrow() -> bool {
    dialoguer::console::Term::stderr().size().1 < NARROW
}

/// What of a line counts most: `19%, 43 s left`.
fn short_line(done: u64, total: Option<u64>, lasted: Duration) -> String {
    let Some(total) = total.filter(|total| *total > 0) else { return size(done) };
    let full = line(done, Some(total), lasted);
    let left = full.rsplit(", ").next().unwrap_or_default();
    format!("{}%, {left}", done.min(total).saturating_mul(100) / total)
}

/// `12.3 MB of 64.0 MB, 1.2 MB/s, 43 s left`, or as much of it as is known.
fn line(done: u64, total: Option<u64>, lasted: Duration) -> String {
    let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1000) / millis;
    let Some(total) = total else { return format!("{}, {}/s", size(done), size(rate)) };
    let left = total.saturating_sub(done) / rate.max(1);
    format!("{} of {}, {}/s, {left} s left", size(done), size(total), size(rate))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressDrawTarget;

    use super::*;

    /// What a tool prints stands behind what is under way on a terminal, and is no label of the lines that are written elsewhere.
    #[test]
    fn printed_lines() {
        let elsewhere = Progress::spinner(&Output::for_tests(), "Building");
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let on_terminal = Progress::spinner(&Output { bars: Some(bars), ..Output::for_tests() }, "Building");
        for progress in [&elsewhere, &on_terminal] {
            progress.message("Installing packages");
            progress.printed("npm warn EBADENGINE }");
            progress.printed("");
        }
        let told = [&elsewhere, &on_terminal].map(|progress| match &progress.shown {
            Shown::Lines(beat) => beat.told(),
            Shown::Spinner(bar) => bar.message(),
            Shown::Nothing | Shown::Bytes(_) => String::new(),
        });
        assert_eq!(told, ["Installing packages", "Installing packages: npm warn EBADENGINE }"]);
    }

    /// What a line says of bytes under way, also before any have moved.
    #[test]
    fn lines() {
        let seconds = Duration::from_secs;
        assert_eq!(line(12_300_000, Some(64_000_000), seconds(10)), "12.3 MB of 64.0 MB, 1.2 MB/s, 42 s left");
        assert_eq!(line(0, Some(1_000), seconds(0)), "0 B of 1.0 kB, 0 B/s, 1000 s left");
        assert_eq!(line(2_000, Some(1_000), seconds(1)), "2.0 kB of 1.0 kB, 2.0 kB/s, 0 s left");
        assert_eq!(line(2_000, None, seconds(1)), "2.0 kB, 2.0 kB/s");
        assert_eq!(short_line(16_000_000, Some(64_000_000), seconds(4)), "25%, 12 s left");
        assert_eq!(short_line(2_000, None, seconds(1)), "2.0 kB");
    }
}
