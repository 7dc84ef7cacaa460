//! What is to be ordered when: pure bookkeeping, without a clock of its own.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::validity::Validity;

/// How long after a first failure the next try is; each further one takes twice as long. Authorities allow few failures an hour.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// The longest pause between two tries.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(12);

/// The names that certificates are wanted for.
#[derive(Debug, Default)]
pub(super) struct Book {
    names: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    state: NameState,
    validity: Option<Validity>,
    due: Timestamp,
    failures: u32,
    error: Option<String>,
}

/// What is done for a name at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NameState {
    /// Nothing until it is due.
    Waiting,
    /// Its certificate is being ordered.
    Ordering,
}

/// How it stands with a name's certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NameReport {
    /// Until when the certificate holds that there is.
    pub(crate) expires_at: Option<Timestamp>,
    /// When it is ordered next; `None` while it is.
    pub(crate) next_at: Option<Timestamp>,
    /// Why the last try failed.
    pub(crate) error: Option<String>,
}

impl Book {
    /// A certificate is wanted for a name, now if there is none.
    pub(super) fn want(&mut self, name: &str, now: Timestamp) {
        if !self.names.contains_key(name) {
            let entry = Entry { state: NameState::Waiting, validity: None, due: now, failures: 0, error: None };
            self.names.insert(name.to_owned(), entry);
        }
    }

    /// A name that is due, the one that waits longest first.
    pub(super) fn due(&self, now: Timestamp) -> Option<String> {
        let due = self.waiting().filter(|(_, entry)| entry.due <= now);
        due.min_by_key(|(_, entry)| entry.due).map(|(name, _)| name.clone())
    }

    /// Forgets the names that are due and lead nowhere any more, and says which they were. Until then a name may come back, and has its
    /// certificate.
    pub(super) fn forget_gone(&mut self, now: Timestamp, leads_somewhere: impl Fn(&str) -> bool) -> Vec<String> {
        let is_gone =
            |name: &str, entry: &Entry| entry.state == NameState::Waiting && entry.due <= now && !leads_somewhere(name);
        self.names.extract_if(.., |name, entry| is_gone(name, entry)).map(|(name, _)| name).collect()
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.waiting().map(|(_, entry)| entry.due).min()
    }

    fn waiting(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.names.iter().filter(|(_, entry)| entry.state == NameState::Waiting)
    }

    /// Whether there is a certificate for a name, good or run out.
    pub(super) fn has_certificate(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|entry| entry.validity.is_some())
    }

    /// The order of a name begins: there is one at a time.
    pub(super) fn begin(&mut self, name: &str) {
        if let Some(entry) = self.names.get_mut(name) {
            entry.state = NameState::Ordering;
        }
    }

    /// A name has a certificate, which is renewed when two thirds of its time are over.
    pub(super) fn obtained(&mut self, name: &str, validity: Validity) {
        let due = renewal(name, validity);
        let entry = Entry { state: NameState::Waiting, validity: Some(validity), due, failures: 0, error: None };
        self.names.insert(name.to_owned(), entry);
    }

    /// A try failed; the next one is later each time.
    pub(super) fn failed(&mut self, name: &str, why: String, now: Timestamp) {
        if let Some(entry) = self.names.get_mut(name) {
            let pause = (FIRST_PAUSE * 2_i32.saturating_pow(entry.failures.min(8))).min(LONGEST_PAUSE);
            entry.due = now + pause + pause * jitter(name) / 4000;
            entry.failures = entry.failures.saturating_add(1);
            entry.error = Some(why);
            entry.state = NameState::Waiting;
        }
    }

    /// How it stands with each name that leads somewhere.
    pub(super) fn report(&self, leads_somewhere: impl Fn(&str) -> bool) -> BTreeMap<String, NameReport> {
        let report = |entry: &Entry| NameReport {
            expires_at: entry.validity.map(|validity| validity.until),
            next_at: (entry.state == NameState::Waiting).then_some(entry.due),
            error: entry.error.clone(),
        };
        let shown = self.names.iter().filter(|(name, _)| leads_somewhere(name));
        shown.map(|(name, entry)| (name.clone(), report(entry))).collect()
    }
}

/// When a certificate is renewed: when two thirds of its time are over, and up to a twentieth of it later, so that those that were
/// obtained together are not renewed together.
fn renewal(name: &str, validity: Validity) -> Timestamp {
    let lifetime = validity.until.duration_since(validity.from);
    validity.from + lifetime * 2 / 3 + lifetime / 20 * jitter(name) / 1000
}

/// A number below 1000 that is each name's own: no two hosts that serve different names ask in step, and no dice are needed.
fn jitter(name: &str) -> i32 {
    let sum = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    i32::try_from(sum % 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// A name is ordered once at a time, and again when two thirds of what was obtained are over.
    #[test]
    fn renewals() {
        let mut book = Book::default();
        book.want("a.test", at(0));
        book.want("a.test", at(5));
        assert_eq!(book.due(at(0)).as_deref(), Some("a.test"));
        book.begin("a.test");
        book.want("a.test", at(0));
        assert_eq!((book.due(at(9)), book.next_due()), (None, None));
        book.obtained("a.test", Validity { from: at(0), until: at(90) });
        assert_eq!(book.due(at(59)), None);
        assert_eq!(book.due(at(65)).as_deref(), Some("a.test"));
        assert_eq!(book.report(|_| true)["a.test"].expires_at, Some(at(90)));
    }

    /// A name that leads nowhere any more is not shown and not renewed; one that comes back before that has its certificate.
    #[test]
    fn gone() {
        let mut book = Book::default();
        for name in ["back.test", "gone.test", "here.test"] {
            book.obtained(name, Validity { from: at(0), until: at(90) });
        }
        let shown = |book: &Book| book.report(|name| name != "back.test").into_keys().collect::<Vec<_>>();
        assert_eq!(shown(&book), ["gone.test", "here.test"]);
        assert_eq!(book.forget_gone(at(59), |name| name == "here.test"), [] as [String; 0]);
        assert_eq!(book.forget_gone(at(70), |name| name != "gone.test"), ["gone.test"]);
        assert_eq!(shown(&book), ["here.test"]);
        assert!(book.has_certificate("back.test"));
        assert!(book.due(at(70)).is_some_and(|name| name != "gone.test"));
    }

    /// Failures are further and further apart, and said.
    #[test]
    fn failures() {
        let mut book = Book::default();
        book.want("a.test", at(0));
        let mut last = SignedDuration::ZERO;
        for _ in 0..12 {
            book.begin("a.test");
            book.failed("a.test", "no".to_owned(), at(0));
            let pause = book.next_due().unwrap().duration_since(at(0));
            assert!(pause >= last && pause <= LONGEST_PAUSE * 5 / 4, "{pause}");
            last = pause;
        }
        assert!(last >= LONGEST_PAUSE);
        assert_eq!(book.report(|_| true)["a.test"].error.as_deref(), Some("no"));
        book.obtained("a.test", Validity { from: at(0), until: at(90) });
        assert_eq!(book.report(|_| true)["a.test"].error, None);
    }
}
