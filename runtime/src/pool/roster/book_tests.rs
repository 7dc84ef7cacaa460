//! The rules of the books, one by one, and then any history of events.

use proptest::prelude::*;

use super::*;
use crate::limits::{BACKOFF_FIRST, BACKOFF_MOST, FAILURES_REMEMBERED};

/// The books of a function whose instances are nothing and whose requests are numbers.
type Books = Roster<(), u32>;

fn books(choose: impl FnOnce(&mut FunctionLimits)) -> Books {
    let mut limits = FunctionLimits { concurrency: 2, max_instances: 3, ..FunctionLimits::default() };
    choose(&mut limits);
    Roster::new(limits)
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Served(InstanceNumber),
    Waiting,
    Refused,
}

fn request(books: &mut Books, now: Instant) -> Fate {
    match books.admit(now) {
        Admission::Serve(slot) => Fate::Served(slot.number),
        Admission::Wait => {
            books.enqueue(0, now);
            Fate::Waiting
        }
        Admission::QueueFull | Admission::Failing | Admission::Closed => Fate::Refused,
    }
}

/// Starts what is wanted, all at once, and says how many.
fn start_wanted(books: &mut Books, now: Instant) -> usize {
    let starts = std::iter::from_fn(|| books.reserve_start(now).then_some(())).count();
    for _ in 0..starts {
        books.spawned((), now);
    }
    starts
}

fn serve_waiting(books: &mut Books) -> Vec<InstanceNumber> {
    std::iter::from_fn(|| books.assign(|_| false).map(|(_, slot)| slot.number)).collect()
}

fn in_flight(books: &Books) -> Vec<u32> {
    books.slots().iter().map(|slot| slot.in_flight).collect()
}

/// Who is turned away is told how long those take who wait, at the pace of those before them, within bounds.
#[test]
fn when_to_ask_again() {
    let mut now = Instant::now();
    let mut books = books(|limits| (limits.concurrency, limits.max_instances) = (1, 2));
    for _ in 0..2 + 40 {
        request(&mut books, now);
    }
    start_wanted(&mut books, now);
    let numbers = serve_waiting(&mut books);
    // Nobody has had a turn, and nobody has waited.
    assert_eq!(books.retry_after_secs(now), 1);
    // A turn takes a second at the least, for two at a time.
    now += Duration::from_secs(1);
    assert_eq!(books.retry_after_secs(now), 20);
    // Now it is known to be a second.
    for rounds in (0..20_u32).rev() {
        for number in &numbers {
            books.release(*number, now);
        }
        serve_waiting(&mut books);
        assert_eq!(books.queue_depth(), 2 * rounds as usize);
        assert!((rounds..=rounds + 1).contains(&books.retry_after_secs(now)), "{rounds}");
        now += Duration::from_secs(1);
    }
    // The next throng knows nothing of this one, and one that nobody answers is told to stay away for a minute.
    for _ in 0..40 {
        request(&mut books, now);
    }
    assert_eq!(books.retry_after_secs(now), 1);
    assert_eq!(books.retry_after_secs(now + Duration::from_mins(10)), 60);
}

/// As many instances are started as the waiting requests fill, and never more than there may be.
#[test]
fn starts_follow_the_queue() {
    for (waiting, starts) in [(0, 0), (1, 1), (2, 1), (3, 2), (6, 3), (100, 3)] {
        let now = Instant::now();
        let mut books = books(|_| {});
        for _ in 0..waiting {
            assert_eq!(request(&mut books, now), Fate::Waiting);
        }
        assert_eq!(start_wanted(&mut books, now), starts, "{waiting} requests");
        assert_eq!(serve_waiting(&mut books).len(), waiting.min(6));
        assert_eq!(start_wanted(&mut books, now), 0, "{waiting} requests, later");
    }
}

/// With one instance ahead, the next request finds one that has started; nobody starts one for a function that nobody asks.
#[test]
fn one_ahead() {
    let now = Instant::now();
    let mut books = books(|limits| limits.concurrency = 1);
    books.start_one_ahead();
    assert_eq!(start_wanted(&mut books, now), 0);
    for (starts, instances) in [(2, [1, 0].as_slice()), (1, &[1, 1, 0]), (0, &[1, 1, 1])] {
        let _ = request(&mut books, now);
        assert_eq!(start_wanted(&mut books, now), starts);
        serve_waiting(&mut books);
        assert_eq!(in_flight(&books), instances);
    }
}

/// A request that was given up while it waited takes no instance.
#[test]
fn given_up_while_waiting() {
    let now = Instant::now();
    let mut books = books(|limits| limits.concurrency = 1);
    books.enqueue(1, now);
    books.enqueue(2, now);
    start_wanted(&mut books, now);
    let (waiter, slot) = books.assign(|waiter| *waiter == 1).unwrap();
    assert_eq!((waiter, slot.in_flight), (2, 1));
    assert!(books.assign(|_| false).is_none());
}

/// A slow request retires its instance if others are on it, and kills it if not; retired ones do not block the function,
/// and are bounded themselves.
#[test]
fn overtime() {
    let now = Instant::now();
    let mut books = books(|limits| limits.max_instances = 1);
    let mut retired = Vec::new();
    for _ in 0..2 {
        request(&mut books, now);
        request(&mut books, now);
        assert_eq!(start_wanted(&mut books, now), 1);
        let numbers = serve_waiting(&mut books);
        books.ready(numbers[0]);
        retired.push(numbers[0]);
        let verdict = books.overtime(numbers[0]);
        let expected = if retired.len() > 1 { Overtime::Kill(retired[0]) } else { Overtime::Retire };
        assert_eq!(verdict, expected);
        assert!(matches!(books.release(numbers[0], now), Released::Nothing));
    }
    assert_eq!(books.overtime(retired[1]), Overtime::Kill(retired[1]));
}

/// Instances that have something to finish when they are stopped are never more than there may be that take requests: the oldest of
/// them end at once, and each is named once.
#[test]
fn lingering() {
    let mut now = Instant::now();
    let mut books = books(|limits| (limits.max_instances, limits.idle_secs) = (2, 0));
    let mut stopped = Vec::new();
    for round in 0..4 {
        request(&mut books, now);
        assert_eq!(start_wanted(&mut books, now), 1);
        let number = serve_waiting(&mut books)[0];
        books.ready(number);
        books.release(number, now);
        now += IDLE_LEAST;
        assert_eq!(books.next_to_stop(now).map(|slot| slot.number), Some(number));
        stopped.push(number);
        let expected = (round >= 2).then(|| stopped[round - 2]);
        assert_eq!(books.next_to_cut_short().map(|slot| slot.number), expected);
        assert!(books.next_to_cut_short().is_none());
    }
}

/// While starts fail, one is tried at a time, and only after the pause; requests that wait are hopeless then.
#[test]
fn failing_starts() {
    let now = Instant::now();
    let mut books = books(|limits| limits.concurrency = 1);
    for round in 0..3 {
        for _ in 0..3 {
            assert_eq!(request(&mut books, now + BACKOFF_MOST * round), Fate::Waiting);
        }
        let now = now + BACKOFF_MOST * round;
        assert_eq!(start_wanted(&mut books, now), if round == 0 { 3 } else { 1 });
        for number in serve_waiting(&mut books) {
            books.gone(number);
            assert!(books.conclude(now).is_none(), "its request is not over");
            assert!(matches!(books.release(number, now), Released::LastOfLeaving));
            assert_eq!(books.conclude(now).unwrap().1, Conclusion::NeverReady);
        }
        assert_eq!(books.take_hopeless().len(), if round == 0 { 0 } else { 2 });
        assert_eq!(request(&mut books, now), Fate::Refused);
        assert_eq!(start_wanted(&mut books, now), 0);
    }
}

/// Whoever has reason to think that the next start goes better has it tried at once.
#[test]
fn forgotten_failures() {
    let now = Instant::now();
    let mut books = books(|_| {});
    for _ in 0..2 {
        assert_eq!(request(&mut books, now), Fate::Waiting);
        assert_eq!(start_wanted(&mut books, now), 1);
        let number = serve_waiting(&mut books)[0];
        books.gone(number);
        books.release(number, now);
        books.conclude(now).expect("it is gone");
    }
    assert_eq!(request(&mut books, now), Fate::Refused);
    books.forget_failures();
    assert_eq!(request(&mut books, now), Fate::Waiting);
    assert_eq!(start_wanted(&mut books, now), 1);
}

/// A start that failed is remembered for a while although nobody asks, so that whoever asks now and then meets the pauses; then the
/// books are closed.
#[test]
fn failures_are_remembered() {
    let mut now = Instant::now();
    let mut books = books(|_| {});
    for failures in 1..=3 {
        assert_eq!(request(&mut books, now), Fate::Waiting);
        assert_eq!(start_wanted(&mut books, now), 1);
        let number = serve_waiting(&mut books)[0];
        books.gone(number);
        books.release(number, now);
        assert_eq!(books.conclude(now).unwrap().1, Conclusion::NeverReady);
        assert!(!books.close_if_empty(now), "{failures} failures");
        assert_eq!(books.backoff.pause(now).is_some(), failures > 1);
        now = books.backoff.pause(now).unwrap_or(now);
    }
    let later = now + FAILURES_REMEMBERED;
    assert_eq!(books.next_due(now), Some(later - BACKOFF_FIRST * 2));
    assert!(books.close_if_empty(later));
}

/// An instance that falls idle sooner than it would have had to start is looked at when its idle time may be over.
#[test]
fn idle_soon_after_its_start() {
    let now = Instant::now();
    let mut books = books(|limits| limits.idle_secs = 2);
    request(&mut books, now);
    start_wanted(&mut books, now);
    let number = serve_waiting(&mut books)[0];
    let probed = now + PROBE_AFTER;
    assert!(books.next_to_probe(probed).is_some());
    let due = books.next_due(probed);
    books.ready(number);
    books.release(number, probed);
    assert_eq!(due, Some(probed + Duration::from_secs(2)));
    assert_eq!(books.next_to_stop(probed + Duration::from_secs(2)).map(|slot| slot.number), Some(number));
}

/// The same instance is stopped once; those that are kept are not.
#[test]
fn idle_instances() {
    let now = Instant::now();
    let mut books = books(|_| {});
    assert!(books.keep(1));
    for _ in 0..6 {
        request(&mut books, now);
    }
    start_wanted(&mut books, now);
    let numbers = serve_waiting(&mut books);
    for number in &numbers {
        books.ready(*number);
        books.release(*number, now);
    }
    let later = books.next_due(now).unwrap();
    assert_eq!(later, now + Duration::from_mins(5));
    assert!(books.next_to_stop(now).is_none());
    let stopped: Vec<_> = std::iter::from_fn(|| books.next_to_stop(later).map(|slot| slot.number)).collect();
    assert_eq!(stopped, [numbers[4], numbers[2]]);
    assert!(!books.close_if_empty(later));
}

/// Kept instances are started at once, come back when they end, and are stopped when they are not to be kept any more.
#[test]
fn kept_instances() {
    let now = Instant::now();
    let mut books = books(|_| {});
    assert!(books.keep(2));
    assert_eq!(start_wanted(&mut books, now), 2);
    let numbers: Vec<_> = books.slots().iter().map(|slot| slot.number).collect();
    for number in &numbers {
        books.ready(*number);
    }
    books.gone(numbers[0]);
    assert_eq!(books.conclude(now).unwrap().1, Conclusion::Ended);
    assert_eq!(start_wanted(&mut books, now), 1);
    let later = now + Duration::from_hours(1);
    assert!(books.next_to_stop(later).is_none());
    assert!(books.keep(0));
    assert_eq!(books.next_to_stop(later).unwrap().number, numbers[1]);
    assert!(books.keep(9), "it is open");
    assert_eq!(start_wanted(&mut books, later), 2, "as many as there may be, with the one that is there");
    books.close_door();
    assert!(!books.keep(1), "it is not");
}

/// To make room, instances go that nobody has asked for the longest, but none that answers, was asked meanwhile, or is kept.
#[test]
fn evicted_instances() {
    let now = Instant::now();
    let mut books = books(|limits| limits.concurrency = 1);
    books.keep(1);
    for _ in 0..3 {
        request(&mut books, now);
    }
    start_wanted(&mut books, now);
    let numbers = serve_waiting(&mut books);
    for number in &numbers {
        books.ready(*number);
    }
    assert_eq!(books.idle(), []);
    let [first, second, third] = [3, 2, 1].map(|seconds| now + Duration::from_secs(seconds));
    books.release(numbers[0], first);
    books.release(numbers[1], second);
    books.release(numbers[2], third);
    assert_eq!(books.idle(), [(numbers[2], third), (numbers[1], second)], "one of three is kept");
    assert!(!books.evict(numbers[0]));
    assert!(books.evict(numbers[2]));
    assert_eq!(books.next_to_stop(third).unwrap().number, numbers[2]);
    assert!(!books.evict(numbers[2]), "it is stopped already");
    assert_eq!(request(&mut books, first), Fate::Served(numbers[0]));
    assert_eq!(books.idle(), [(numbers[1], second)]);
    books.keep(2);
    assert_eq!(books.idle(), []);
}

/// A further instance is started before the others are full: as many as keep each below the target.
#[test]
fn target_utilization() {
    for (concurrency, percent, requests, instances) in [
        (10, 70, 7, 1),
        (10, 70, 8, 2),
        (10, 70, 14, 2),
        (10, 70, 15, 3),
        (10, 100, 10, 1),
        (10, 100, 11, 2),
        (1, 50, 1, 2),
        (2, 50, 3, 3),
        (10, 10, 30, 3),
    ] {
        let now = Instant::now();
        let mut books = books(|limits| {
            limits.concurrency = concurrency;
            limits.target_utilization_percent = percent;
        });
        for _ in 0..requests {
            request(&mut books, now);
            start_wanted(&mut books, now);
            for number in serve_waiting(&mut books) {
                books.ready(number);
            }
        }
        assert!(!books.is_over_target());
        assert_eq!(books.slots().len(), instances, "{requests} requests, {concurrency} each, {percent} %");
    }
}

/// Zeroes in the limits do not make a function that can never answer.
#[test]
fn zero_limits() {
    let now = Instant::now();
    let mut books = books(|limits| {
        limits.concurrency = 0;
        limits.max_instances = 0;
        limits.target_utilization_percent = 0;
    });
    books.keep(7);
    assert_eq!(start_wanted(&mut books, now), 1);
    assert!(matches!(request(&mut books, now), Fate::Served(_)));
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Request,
    EndOfRequest(usize),
    Overtime(usize),
    Ready(usize),
    Exit(usize),
    FailedSpawn,
    Time(u64),
    Keep(u32),
    Close,
    GiveUp,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => Just(Happening::Request),
        10 => (0_usize..20).prop_map(Happening::EndOfRequest),
        2 => (0_usize..20).prop_map(Happening::Overtime),
        6 => (0_usize..6).prop_map(Happening::Ready),
        3 => (0_usize..6).prop_map(Happening::Exit),
        1 => Just(Happening::FailedSpawn),
        3 => (0_u64..400_000).prop_map(Happening::Time),
        2 => (0_u32..6).prop_map(Happening::Keep),
        1 => Just(Happening::Close),
        1 => Just(Happening::GiveUp),
    ]
}

/// Drives the books as the keeper does, and keeps count of what must balance.
struct Play {
    books: Books,
    now: Instant,
    leases: Vec<InstanceNumber>,
    waiting: usize,
}

impl Play {
    fn number(&self, pick: usize) -> Option<InstanceNumber> {
        let slots = self.books.slots();
        (!slots.is_empty()).then(|| slots[pick % slots.len()].number)
    }

    fn lease(&mut self, pick: usize) -> Option<InstanceNumber> {
        (!self.leases.is_empty()).then(|| self.leases.swap_remove(pick % self.leases.len()))
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Request => match request(&mut self.books, self.now) {
                Fate::Served(number) => self.leases.push(number),
                Fate::Waiting => self.waiting += 1,
                Fate::Refused => {}
            },
            Happening::EndOfRequest(pick) => {
                if let Some(number) = self.lease(pick) {
                    self.books.release(number, self.now);
                }
            }
            Happening::Overtime(pick) => {
                if let Some(number) = self.lease(pick) {
                    if let Overtime::Kill(victim) = self.books.overtime(number) {
                        self.books.gone(victim);
                    }
                    self.books.release(number, self.now);
                }
            }
            Happening::Ready(pick) => self.number(pick).into_iter().for_each(|number| self.books.ready(number)),
            Happening::Exit(pick) => self.number(pick).into_iter().for_each(|number| self.books.gone(number)),
            Happening::FailedSpawn => {
                if self.books.reserve_start(self.now) {
                    self.books.spawn_failed(self.now);
                }
            }
            Happening::Time(millis) => self.now += Duration::from_millis(millis),
            Happening::Keep(instances) => drop(self.books.keep(instances)),
            Happening::Close => self.books.close_door(),
            Happening::GiveUp => self.waiting -= self.books.give_up().len(),
        }
        self.keep();
    }

    /// What the keeper does after each event.
    fn keep(&mut self) {
        while self.books.conclude(self.now).is_some() {}
        while self.books.next_overdue(self.now).is_some() {}
        start_wanted(&mut self.books, self.now);
        let served = serve_waiting(&mut self.books);
        self.waiting -= served.len();
        self.leases.extend(served);
        self.waiting -= self.books.take_hopeless().len();
        while self.books.next_to_stop(self.now).is_some() {}
    }

    fn check(&self) {
        let limits = self.books.limits;
        assert!(self.books.live() <= limits.max_instances);
        assert!(in_flight(&self.books).iter().all(|count| *count <= limits.concurrency));
        assert_eq!(self.books.queue.len(), self.waiting);
        assert!(self.waiting == 0 || self.books.room() == 0, "who waits while there is room?");
        let is_due_in_the_past = self.books.next_due(self.now).is_some_and(|due| due <= self.now);
        let is_probe_due =
            self.books.slots().iter().any(|slot| slot.state == InstanceState::Starting && !slot.is_probed);
        assert!(!is_due_in_the_past || is_probe_due, "the keeper would never sleep");
        if self.books.door != Door::Closed {
            let counted: u32 = in_flight(&self.books).iter().sum();
            assert_eq!(usize::try_from(counted).unwrap(), self.leases.len());
        }
    }

    /// Everything ends: requests, then processes. Nothing may be left.
    fn end(mut self) {
        self.books.close_door();
        for _ in 0..1_000 {
            if self.books.close_if_empty(self.now) {
                return;
            }
            for number in std::mem::take(&mut self.leases) {
                self.books.release(number, self.now);
            }
            self.keep();
            let ended: Vec<_> =
                self.books.slots().iter().filter(|slot| !slot.is_open()).map(|slot| slot.number).collect();
            for number in ended {
                self.books.gone(number);
            }
            self.now += BACKOFF_MOST;
            self.keep();
        }
        panic!("the books never close");
    }
}

proptest! {
    /// Whatever happens in whatever order: the bounds hold, nobody waits while there is room, no request is lost or counted
    /// twice, the keeper finds its sleep, and in the end the books close.
    #[test]
    fn any_history(
        history in proptest::collection::vec(happening(), 0..120),
        concurrency in 1_u32..4,
        max_instances in 1_u32..5,
        target_utilization_percent in 1_u32..=100,
    ) {
        let books = books(|limits| {
            limits.concurrency = concurrency;
            limits.max_instances = max_instances;
            limits.target_utilization_percent = target_utilization_percent;
        });
        let mut play = Play { books, now: Instant::now(), leases: Vec::new(), waiting: 0 };
        for happening in history {
            play.happen(happening);
            play.check();
        }
        play.end();
    }
}
