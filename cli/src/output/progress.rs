//! What moves on a terminal while something is under way; elsewhere, a line now and then about what takes long.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Output, size};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// From when on there is a bar: what is over sooner would only flicker.
const BAR_AFTER: Duration = Duration::from_millis(300);

/// How often a line is written where there is no terminal, and so from when on.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Something under way. It vanishes when it is dropped; what it came to is said by whoever started it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    shown: Shown,
}

#[derive(Clone, Debug)]
enum Shown {
    Nothing,
    Spinner(ProgressBar),
    Bytes(Arc<Bytes>),
}

/// Bytes under way.
#[derive(Debug)]
struct Bytes {
    output: Output,
    what: String,
    total: u64,
    began: Instant,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
    line: Mutex<Instant>,
}

impl Progress {
    pub(super) fn bytes(output: &Output, what: &str, total: u64) -> Self {
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

    pub(super) fn spinner(bars: Option<&MultiProgress>, what: &str) -> Self {
        let Some(bars) = bars else { return Self { shown: Shown::Nothing } };
        let bar = bars.add(ProgressBar::new_spinner().with_style(style("{spinner} {msg}")));
        bar.set_message(Cow::from(what.to_owned()));
        bar.enable_steady_tick(TICK);
        Self { shown: Shown::Spinner(bar) }
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
        if let Shown::Spinner(bar) = &self.shown {
            bar.set_message(Cow::from(text.to_owned()));
        }
    }

    /// Takes it off the terminal.
    pub(crate) fn finish(self) {
        match &self.shown {
            Shown::Nothing => {}
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
            Some(bars) if lasted >= BAR_AFTER => self.bar.get_or_init(|| self.new_bar(bars)).set_position(done),
            Some(_) => {}
            None => self.say(done, lasted),
        }
    }

    fn new_bar(&self, bars: &MultiProgress) -> ProgressBar {
        let template = "{msg} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
        let bar = bars.add(ProgressBar::new(self.total).with_style(style(template)));
        bar.set_message(Cow::from(self.what.clone()));
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

/// `12.3 MB of 64.0 MB, 1.2 MB/s, 43 s left`.
fn line(done: u64, total: u64, lasted: Duration) -> String {
    let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1000) / millis;
    let left = total.saturating_sub(done) / rate.max(1);
    format!("{} of {}, {}/s, {left} s left", size(done), size(total), size(rate))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line says of bytes under way, also before any have moved.
    #[test]
    fn lines() {
        let seconds = Duration::from_secs;
        assert_eq!(line(12_300_000, 64_000_000, seconds(10)), "12.3 MB of 64.0 MB, 1.2 MB/s, 42 s left");
        assert_eq!(line(0, 1_000, seconds(0)), "0 B of 1.0 kB, 0 B/s, 1000 s left");
        assert_eq!(line(2_000, 1_000, seconds(1)), "2.0 kB of 1.0 kB, 2.0 kB/s, 0 s left");
    }
}
