//! The fast path: a plain request for a file that is in memory, or for a function that is awake, is answered where its bytes arrive. No
//! request, response, body or future of hyper's is made for it; that machinery costs more than twice what a file's answer itself does,
//! and a third of what a function's does.
//!
//! It decides nothing by itself. What it asks (which site, what stands at a path, which form a visitor takes, what is logged and
//! counted) is what every other request asks; where an answer needs more than that, or anything about the request is out of the
//! ordinary, it steps aside and hyper reads the same bytes. Both give the same answer: a story compares them. A function's answer that
//! turns out to need more (a stream, cookies, an error page) is not asked for again: hyper reads the request, and whoever answers it finds the
//! call with it.

mod continuation;
mod date;
mod function_head;
mod plain_call;
mod plain_request;
mod ready_answer;

use http::header::{ALT_SVC, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use continuation::{Continuation, GivenCall, Going, Handover};
pub(crate) use date::date_value;
pub(crate) use function_head::write_function_head;
pub use plain_call::PlainCall;
pub(crate) use plain_call::{Called, CrossOrigin};
pub(crate) use plain_request::Audience;
pub use plain_request::PlainRequest;
pub use ready_answer::ReadyAnswer;
pub(crate) use ready_answer::{Afterwards, AnswerHead};

/// What is done at once about a plain request.
#[expect(clippy::large_enum_variant, reason = "it is moved once, and the larger one is the usual")]
pub enum Prompt {
    /// It is answered.
    Answer(ReadyAnswer),
    /// A function was asked.
    Call(Box<PlainCall>),
}

/// What a host says in every answer of a listener, unless the site says something of its own.
#[derive(Clone, Default)]
pub struct Announcement {
    /// For how long the site is never to be asked for in the clear (`strict-transport-security`, RFC 6797).
    pub promise: Option<HeaderValue>,
    /// Where else the site is served (`alt-svc`, RFC 7838).
    pub alternative: Option<HeaderValue>,
}

impl Announcement {
    /// The headers that say it.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let headers = [(STRICT_TRANSPORT_SECURITY, &self.promise), (ALT_SVC, &self.alternative)];
        headers.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }

    /// Says it in an answer.
    pub fn make(&self, headers: &mut HeaderMap) {
        for (name, value) in self.headers() {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

impl Prompt {
    /// Says in the answer what the host says.
    #[must_use]
    pub fn announcing(self, announcement: Announcement) -> Self {
        match self {
            Self::Answer(answer) => Self::Answer(answer.announcing(announcement)),
            Self::Call(mut call) => {
                call.announcement = announcement;
                Self::Call(call)
            }
        }
    }
}
