//! The fast path: a plain request for a file that is in memory is answered where its bytes arrive. No request, response, body or
//! future of hyper's is made for it; that machinery costs more than twice what the answer itself does.
//!
//! It decides nothing by itself. What it asks (which site, what stands at a path, which form a visitor takes, what is logged and
//! counted) is what every other request asks; where an answer needs more than that, or anything about the request is out of the
//! ordinary, it steps aside and hyper reads the same bytes. Both give the same answer: a story compares them.

mod date;
mod plain_request;
mod ready_answer;

pub(crate) use date::date_value;
pub use plain_request::PlainRequest;
pub use ready_answer::ReadyAnswer;
