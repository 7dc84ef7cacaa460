//! The keys of the dev server: what each does.

use tokio_util::sync::CancellationToken;

use super::watch::Edits;
use super::{Console, Framework};
use crate::commands::open::{Opened, open_in_browser};
use crate::output::{Keys, Output};
use crate::settings::Settings;

/// The keys and what they do, as `h` lists them.
const KEYS: [(&str, &str); 5] = [
    ("o", "open the site in the browser"),
    ("r", "build anew and restart"),
    ("c", "clear the screen"),
    ("h", "show these keys (or ?)"),
    ("q", "quit"),
];

/// Who listens to keys.
pub(super) struct Keyboard {
    pub(super) keys: Keys,
    pub(super) url: String,
    pub(super) settings: Settings,
    pub(super) output: Output,
    pub(super) console: Console,
    pub(super) edits: Edits,
    pub(super) framework: Framework,
}

impl Keyboard {
    /// Listens until `stop`, which it may also bring about.
    pub(super) async fn listen(mut self, stop: CancellationToken) {
        loop {
            let key = tokio::select! {
                () = stop.cancelled() => return,
                key = self.keys.next() => key,
            };
            match key {
                Some('o') => self.open(),
                Some('r') => {
                    self.console.status("Restarting");
                    self.framework.restart();
                    self.edits.note(None);
                }
                Some('c') => self.console.clear(),
                Some('h' | '?') => self.help(),
                Some('q' | '\u{4}') => return stop.cancel(),
                Some(_) => {}
                None => return,
            }
        }
    }

    fn open(&self) {
        if open_in_browser(&self.url, &self.settings.environment, &self.output) == Opened::Nowhere {
            self.console.status(&format!("There is no desktop here: open {} where there is one", self.url));
        }
    }

    fn help(&self) {
        let styles = self.output.styles();
        for (key, what) in KEYS {
            self.console.status(&format!("  {}  {what}", styles.strong(key)));
        }
    }
}
