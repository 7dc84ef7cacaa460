//! The loop: send where nothing is on its way, read where something has arrived.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::Order;
use super::connection::{Connection, Progress};
use super::report::Report;

/// How many failures in a row end the run: the server is gone, or was never there.
const MOST_FAILURES: u64 = 10_000;

/// Makes the load that `order` describes.
pub(super) fn run(order: &Order) -> io::Result<Report> {
    let mut generator = Generator::new(order)?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(order.seconds);
    while Instant::now() < end && generator.failed < MOST_FAILURES {
        generator.send_due(begun)?;
        generator.receive(end)?;
    }
    Ok(Report::of(generator.latencies, generator.failed, begun.elapsed()))
}

struct Generator<'o> {
    order: &'o Order,
    request: Vec<u8>,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    sent: u64,
    latencies: Vec<u32>,
    failed: u64,
}

impl<'o> Generator<'o> {
    fn new(order: &'o Order) -> io::Result<Self> {
        let more: String = order.headers.iter().flat_map(|header| [header.as_str(), "\r\n"]).collect();
        let request = format!("GET {} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", order.path, order.host).into_bytes();
        let poll = Poll::new()?;
        let connections = (0..order.connections)
            .map(|number| Connection::open(&order.target, poll.registry(), Token(number)))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            order,
            request,
            poll,
            events: Events::with_capacity(order.connections),
            idle: (0..connections.len()).collect(),
            connections,
            sent: 0,
            latencies: Vec::new(),
            failed: 0,
        })
    }

    /// Sends on idle connections what is due by now.
    fn send_due(&mut self, begun: Instant) -> io::Result<()> {
        while let Some(number) = self.idle.front().copied() {
            let now = Instant::now();
            let due = self.due(begun).unwrap_or(now);
            if due > now {
                return Ok(());
            }
            self.idle.pop_front();
            self.sent += 1;
            if self.connections[number].send(&self.request, due).is_err() {
                self.reopen(number)?;
            }
        }
        Ok(())
    }

    /// When the next request is due, where there is a rate.
    fn due(&self, begun: Instant) -> Option<Instant> {
        self.order.per_second.map(|rate| begun + Duration::from_secs_f64(self.sent as f64 / rate))
    }

    /// Waits for answers, at most until the next request may be due, and reads them.
    fn receive(&mut self, end: Instant) -> io::Result<()> {
        let rest = end.saturating_duration_since(Instant::now());
        // With a rate, look at the clock every half millisecond: finer than anything that is measured with one.
        let wait = if self.order.per_second.is_some() { rest.min(Duration::from_micros(500)) } else { rest };
        self.poll.poll(&mut self.events, Some(wait))?;
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for number in ready {
            match self.connections[number].receive(&self.order.bodies) {
                Ok(Progress::Waiting) => {}
                Ok(Progress::Answered { is_good, is_last }) => {
                    if is_good {
                        self.record(number);
                    } else {
                        self.failed += 1;
                    }
                    if is_last {
                        self.open_again(number)?;
                    }
                    self.idle.push_back(number);
                }
                Err(_) => self.reopen(number)?,
            }
        }
        Ok(())
    }

    fn record(&mut self, number: usize) {
        let nanos = self.connections[number].since.elapsed().as_nanos();
        self.latencies.push(u32::try_from(nanos).unwrap_or(u32::MAX));
    }

    /// A connection broke: its request failed, and another takes its place.
    fn reopen(&mut self, number: usize) -> io::Result<()> {
        self.failed += 1;
        self.open_again(number)?;
        self.idle.push_back(number);
        Ok(())
    }

    fn open_again(&mut self, number: usize) -> io::Result<()> {
        self.connections[number] = Connection::open(&self.order.target, self.poll.registry(), Token(number))?;
        Ok(())
    }
}
