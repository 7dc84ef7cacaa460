//! What goes wrong in a command: the error, its kind, and what to do next. Libraries' errors become user language in
//! [`convert`], and are written for people or programs in [`render`].

mod convert;
mod kind;
mod render;

use std::error::Error;
use std::io;
use std::path::Path;

use ship_host::Refusal;

use crate::place::{self, Place};

pub(crate) use self::kind::{EXIT_CODES, ErrorKind};

/// The next step after a full disk.
const FULL_DISK: &str = "make room on that disk, and run the command again";

/// The next step where nothing can be written.
const READ_ONLY: &str = "nothing can be written there: `SHIP_HOME` names another folder for what ship keeps";

/// Whether a failure means that there is no room left, by the disk's size or by a quota.
pub(crate) fn is_full_disk(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: ErrorKind,
    code: Option<String>,
    error: Box<dyn Error + Send + Sync>,
    details: Vec<String>,
    hints: Vec<String>,
    /// The places in the project's files that it names.
    places: Vec<Place>,
    /// Whether the command's own document has said it, so that no other may follow.
    is_told: bool,
}

impl CommandError {
    /// An error of a kind: a sentence without a full stop, or an error with its causes.
    pub(crate) fn new(kind: ErrorKind, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let (details, hints, places) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, code: None, error: error.into(), details, hints, places, is_told: false }
    }

    /// What could be typed next: what was said of this error, else what helps with what it was caused by.
    fn next_steps(&self) -> Vec<String> {
        let first: &(dyn Error + 'static) = self.error.as_ref();
        let mut causes = std::iter::successors(Some(first), |error| (**error).source());
        match causes.find_map(|cause| cause.downcast_ref::<io::Error>()) {
            _ if !self.hints.is_empty() => self.hints.clone(),
            Some(error) if is_full_disk(error) => vec![FULL_DISK.to_owned()],
            Some(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => vec![READ_ONLY.to_owned()],
            _ => Vec::new(),
        }
    }

    /// The project or the request is wrong.
    pub(crate) fn project(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Project, error)
    }

    /// Several things are wrong with a project: one below the other, with the code of the first.
    fn several(errors: &[Self]) -> Self {
        let text: Vec<String> = errors.iter().flat_map(Self::to_lines).collect();
        let mut all = Self::project(text.join("\n"));
        all.code = errors.iter().find_map(|error| error.code.clone());
        for hint in errors.iter().flat_map(Self::next_steps) {
            if !all.hints.contains(&hint) {
                all.hints.push(hint);
            }
        }
        all
    }

    /// The command line is wrong.
    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Usage, error)
    }

    /// Somebody pressed Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// The same error with a next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error with lines to be shown as they are, such as what a compiler said.
    #[must_use]
    pub(crate) fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// The same error with the stable code that the host gave it.
    #[must_use]
    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same error, of the project at `root`: programs are told the places in its files beside the text.
    #[must_use]
    pub(crate) fn in_project(mut self, root: &Path) -> Self {
        let text = self.to_lines().join("\n");
        self.places = place::named_in(text.lines(), root);
        self
    }

    /// The same error, of a command whose own JSON document says it.
    #[must_use]
    pub(crate) fn told(mut self) -> Self {
        self.is_told = true;
        self
    }

    /// The same error with the next step after a full disk.
    #[must_use]
    fn hint_of_full_disk(self) -> Self {
        self.hint(FULL_DISK)
    }

    /// What kind it is of.
    pub(crate) const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What a host says of it that was to take over from another.
    pub(crate) fn to_refusal(&self) -> Refusal {
        let mut chain = self.chain().into_iter();
        Refusal { message: chain.next().unwrap_or_default(), causes: chain.collect() }
    }

    /// The sentences from the error down to its last cause.
    fn chain(&self) -> Vec<String> {
        let first: &(dyn Error + 'static) = self.error.as_ref();
        let mut sentences: Vec<String> =
            std::iter::successors(Some(first), |error| (**error).source()).map(ToString::to_string).collect();
        sentences.dedup();
        sentences
    }
}
