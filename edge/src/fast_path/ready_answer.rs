//! Answers that are ready to be sent.

use bytes::Bytes;
use http::HeaderValue;

use super::date::write_date;
use crate::edge::Indexing;
use crate::request_log::RequestLog;

/// The answer to a plain request: the lines that every answer with this form of a file has, those of this answer, and the bytes.
pub struct ReadyAnswer {
    /// The status line and headers of the form, its length among them.
    pub(crate) lines: Bytes,
    /// Whether search engines may show it.
    pub(crate) indexing: Indexing,
    /// Where its time went, if that is told.
    pub(crate) timing: Option<String>,
    /// What else a host says.
    pub(crate) promise: Option<&'static str>,
    /// Where else the site is served (`alt-svc`).
    pub(crate) alternative: Option<HeaderValue>,
    /// The content.
    pub(crate) body: Bytes,
    /// Written when the answer is sent, or the visitor has left.
    pub(crate) log: RequestLog,
}

impl ReadyAnswer {
    /// Says in the answer for how long the site is never to be asked for in the clear (`strict-transport-security`).
    #[must_use]
    pub fn with_security_promise(mut self, promise: &'static str) -> Self {
        self.promise = Some(promise);
        self
    }

    /// Says in the answer where else the site is served (RFC 7838).
    #[must_use]
    pub fn with_alternative(mut self, alternative: HeaderValue) -> Self {
        self.alternative = Some(alternative);
        self
    }

    /// Writes the head.
    pub(crate) fn write_head(&self, head: &mut Vec<u8>) {
        head.extend_from_slice(&self.lines);
        let mut line = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        };
        line("x-ship-id", self.log.visit.id.as_str());
        if self.indexing == Indexing::Forbidden {
            line("x-robots-tag", "noindex");
        }
        if let Some(timing) = &self.timing {
            line("server-timing", timing);
        }
        if let Some(promise) = self.promise {
            line("strict-transport-security", promise);
        }
        if let Some(alternative) = &self.alternative {
            line("alt-svc", alternative.to_str().unwrap_or_default());
        }
        write_date(self.log.visit.at, head);
        head.extend_from_slice(b"\r\n");
    }
}
