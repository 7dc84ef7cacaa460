//! Deployments on a host.

use std::thread;
use std::time::Duration;

use ship_tests::{TestEnv, TestHost, http};

use super::{Curve, Curves};
use crate::bench::Bench;
use crate::published::{Page, publish, send_page};
use crate::samples::{Samples, Unit};
use crate::turns::timed;

/// How many deployments there are.
const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// How many publish at once while nothing is measured.
const AT_ONCE: usize = 8;

/// How many of the requests that are measured by themselves are sent.
const SINGLE: usize = 21;

/// How long nobody has asked for anything when a host counts as at rest.
const REST: Duration = Duration::from_secs(7);

/// G2: publish, start, first request, `ship ls`, a collection that removes nothing (of both the whole command), memory.
pub(crate) fn grow(bench: &Bench) -> Vec<Curve> {
    let study = Study { of: "deployments on a host", project: |_| "many".to_owned(), sizes: &SIZES };
    study.grow(bench)
}

/// What is the same for deployments in one project and in as many projects.
pub(super) struct Study {
    pub(super) of: &'static str,
    /// The project of each deployment.
    pub(super) project: fn(usize) -> String,
    pub(super) sizes: &'static [usize],
}

impl Study {
    pub(super) fn grow(&self, bench: &Bench) -> Vec<Curve> {
        let environment = TestEnv::new();
        let mut host = TestHost::start(&environment);
        let page = send_page(&host, "a page");
        let mut curves = Curves::default();
        let mut count = 0;
        for &size in self.sizes {
            let urls = self.fill(&host, &page, count..size);
            count = size;
            // The publishing that is measured comes on top; it is made part of the next size.
            let mut note = |work: &str, samples: Samples| curves.note(self.of, work, size, &samples);
            let publishing = (0..SINGLE).map(|_| {
                let (seconds, _) = timed(|| publish(&host, &(self.project)(count), &page, &format!("{count}.html")));
                count += 1;
                seconds
            });
            note("publish one more", Samples::seconds(publishing.collect()));
            for (work, samples) in looked_at(bench, &mut host, &urls) {
                note(work, samples);
            }
        }
        curves.fitted()
    }

    /// Publishes deployments, several at once. Some of their URLs.
    fn fill(&self, host: &TestHost<'_>, page: &Page, numbers: std::ops::Range<usize>) -> Vec<String> {
        let name = |number: usize| format!("{number}.html");
        thread::scope(|scope| {
            let publishing: Vec<_> = (0..AT_ONCE)
                .map(|part| {
                    let numbers = numbers.clone().skip(part).step_by(AT_ONCE);
                    scope.spawn(move || {
                        let mut urls = Vec::new();
                        for number in numbers {
                            let url = publish(host, &(self.project)(number), page, &name(number));
                            if urls.len() < SINGLE {
                                urls.push(format!("{url}/{}", name(number)));
                            }
                        }
                        urls
                    })
                })
                .collect();
            publishing.into_iter().flat_map(|part| part.join().expect("a host takes deployments")).collect()
        })
    }
}

/// What a host with so many deployments takes for its work.
fn looked_at(bench: &Bench, host: &mut TestHost<'_>, urls: &[String]) -> Vec<(&'static str, Samples)> {
    let started = (0..bench.runs).map(|_| {
        host.kill();
        timed(|| {
            host.start_again();
            drop(http::get(&urls[0]).success());
        })
        .0
    });
    let started = Samples::seconds(started.collect());
    thread::sleep(REST);
    let memory = Samples::new(Unit::Bytes, vec![host.process().anonymous_bytes() as f64]);
    let asked = urls[1..].iter().take(SINGLE).map(|url| timed(|| drop(http::get(url).success())).0);
    let asked = Samples::seconds(asked.collect());
    let command = |words: &[&str]| {
        let seconds = (0..bench.runs).map(|_| timed(|| drop(host.ship(words).run().success())).0);
        Samples::seconds(seconds.collect())
    };
    vec![
        ("start of the host", started),
        ("first request to a deployment", asked),
        ("ship ls", command(&["ls", "--project", "many"])),
        ("ship gc --dry-run", command(&["gc", "--dry-run"])),
        ("memory of the host at rest", memory),
    ]
}
