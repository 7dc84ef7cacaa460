//! Answers that are ready to be sent.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use super::Announcement;
use super::date::write_date;
use crate::assets::Content;
use crate::edge::Indexing;
use crate::request_log::RequestLog;

/// The answer to a plain request.
pub struct ReadyAnswer {
    pub(crate) head: AnswerHead,
    /// The content.
    pub(crate) body: Content,
    /// Written when the answer is sent, or the visitor has left.
    pub(crate) log: RequestLog,
}

/// What stands before the content.
pub(crate) enum AnswerHead {
    /// That of a file.
    Kept {
        /// The status line and headers that every answer with this form of the file has, its length among them.
        lines: Bytes,
        /// Whether search engines may show it.
        indexing: Indexing,
        /// Where its time went, if that is told.
        timing: Option<String>,
        /// What the host says.
        announcement: Announcement,
    },
    /// That of a function's answer.
    Made {
        status: StatusCode,
        /// All but the length and the date.
        headers: HeaderMap,
        body_bytes: usize,
    },
}

/// Whether the connection goes on after an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Afterwards {
    /// It does.
    GoesOn,
    /// It does not, and the answer says so.
    Ends,
}

impl ReadyAnswer {
    /// Says in the answer what the host says.
    #[must_use]
    pub(crate) fn announcing(mut self, given: Announcement) -> Self {
        match &mut self.head {
            AnswerHead::Kept { announcement, .. } => *announcement = given,
            AnswerHead::Made { headers, .. } => given.make(headers),
        }
        self
    }

    /// Writes the head.
    pub(crate) fn write_head(&self, afterwards: Afterwards, head: &mut Vec<u8>) {
        match &self.head {
            AnswerHead::Kept { lines, indexing, timing, announcement } => {
                head.extend_from_slice(lines);
                write_line(head, "x-ship-id", self.log.visit.id.as_str().as_bytes());
                if *indexing == Indexing::Forbidden {
                    write_line(head, "x-robots-tag", b"noindex");
                }
                if let Some(timing) = timing {
                    write_line(head, "server-timing", timing.as_bytes());
                }
                for (name, value) in announcement.headers() {
                    write_line(head, name.as_str(), value.as_bytes());
                }
                write_date(self.log.visit.at, head);
            }
            AnswerHead::Made { status, headers, body_bytes } => {
                write_made(head, *status, headers, *body_bytes);
                if !headers.contains_key(DATE) {
                    write_date(Timestamp::now(), head);
                }
            }
        }
        if afterwards == Afterwards::Ends {
            write_line(head, "connection", b"close");
        }
        head.extend_from_slice(b"\r\n");
    }
}

/// Writes the status line and headers of a function's answer, which say the length that the body has.
fn write_made(head: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap, body_bytes: usize) {
    // What hyper says of a status without a name.
    let reason = status.canonical_reason().unwrap_or("<none>");
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers {
        if *name != CONTENT_LENGTH {
            write_line(head, name.as_str(), value.as_bytes());
        }
    }
    write_line(head, "content-length", body_bytes.to_string().as_bytes());
}

fn write_line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}
