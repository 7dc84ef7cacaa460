//! Laws that hold for whatever a function or a visitor sends. Property tests and fuzzing ask for them.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Request};

use super::head::ResponseHead;
use super::{Framing, HeadReader, Inbox, Question, read_whole, write_request_head};

/// What a reader makes of a connection's bytes: statuses and bodies, one after the other, and how it ends.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    responses: Vec<(u16, Vec<u8>)>,
    ending: Ending,
}

#[derive(PartialEq, Eq, Debug)]
enum Ending {
    InHead,
    InBody,
    /// Behind a response that is the last of its connection.
    Closed,
    BadHead,
    BadBody,
}

/// Reads bytes that arrive in pieces of these sizes, the last as often as needed.
fn read(bytes: &[u8], sizes: &[usize]) -> Seen {
    let mut inbox = Inbox::new();
    let mut seen = Seen { responses: Vec::new(), ending: Ending::InHead };
    let (mut reader, mut head) = (HeadReader::default(), None);
    let mut sizes = sizes.iter().copied().chain(std::iter::repeat(*sizes.last().unwrap_or(&1)));
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        rest = later;
        inbox.put(piece);
        if let Err(ending) = take(&mut inbox, &mut reader, &mut head, &mut seen) {
            seen.ending = ending;
            return seen;
        }
    }
    seen.ending = if head.is_some() { Ending::InBody } else { Ending::InHead };
    seen
}

/// Takes all that is there.
fn take(
    inbox: &mut Inbox,
    reader: &mut HeadReader,
    head: &mut Option<ResponseHead>,
    seen: &mut Seen,
) -> Result<(), Ending> {
    loop {
        if let Some(answer) = head {
            let Some((_, bytes)) = seen.responses.last_mut() else { return Ok(()) };
            answer.decoder.decode(inbox, bytes).map_err(|_| Ending::BadBody)?;
            if !answer.decoder.is_over() {
                return Ok(());
            }
            // What follows is nobody's: a function has said so, or it sent content with a 205.
            if !answer.keeps_alive {
                return Err(Ending::Closed);
            }
            *head = None;
        }
        match reader.read(inbox, Question::Plain, drop) {
            Ok(Some(answer)) => {
                seen.responses.push((answer.parts.status.as_u16(), Vec::new()));
                *head = Some(answer);
            }
            Ok(None) => return Ok(()),
            Err(_) => return Err(Ending::BadHead),
        }
    }
}

/// Reads bytes as a function's answers: pieces change nothing, but that what is refused may be seen as refused sooner, or in a head that
/// is not complete later; and who reads a whole answer at once sees the same answer.
///
/// # Panics
///
/// If the law is broken.
pub fn responses(bytes: &[u8], sizes: &[usize]) {
    let whole = read(bytes, &[bytes.len().max(1)]);
    let in_pieces = read(bytes, sizes);
    // A head in pieces is looked at again when it has doubled: what follows may still be on its way.
    let is_seen_later = whole.ending == Ending::BadHead && in_pieces.ending == Ending::InHead;
    let statuses = |seen: &Seen| seen.responses.iter().map(|(status, _)| *status).collect::<Vec<_>>();
    assert_eq!(statuses(&whole), statuses(&in_pieces));
    assert!(whole.ending == in_pieces.ending || is_seen_later, "{:?}, in pieces {:?}", whole.ending, in_pieces.ending);
    if whole.ending != Ending::BadBody {
        assert_eq!(whole.responses, in_pieces.responses);
    }
    if let Ok((head, body)) = read_whole(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(whole.responses, [(head.status.as_u16(), body.to_vec())]);
        assert!(matches!(whole.ending, Ending::InHead | Ending::Closed), "{:?}", whole.ending);
    }
}

/// Reads bytes as a visitor's request, and what a function is asked then as the function does: one request, of the same path, whose
/// body ends in one way.
///
/// # Panics
///
/// If the law is broken.
pub fn requests(bytes: &[u8]) {
    let Some(request) = parse(bytes) else { return };
    let (parts, ()) = request.into_parts();
    for framing in [Framing::NoBody, Framing::Length(7), Framing::Chunked] {
        let mut written = Vec::new();
        write_request_head(&mut written, &parts, &[], framing, &[]);
        let read = parse(&written).unwrap_or_else(|| panic!("a function cannot read {}", written.escape_ascii()));
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        let read_path = read.uri().path_and_query().map(PathAndQuery::as_str);
        assert_eq!((read.method(), read_path), (&parts.method, Some(path.as_str())));
        let count = |name: &str| read.headers().get_all(name).iter().count();
        let (lengths, codings) = (count("content-length"), count("transfer-encoding"));
        match framing {
            Framing::NoBody => assert!(lengths <= 1 && codings == 0),
            Framing::Length(_) => assert_eq!((lengths, codings), (1, 0)),
            Framing::Chunked => assert_eq!((lengths, codings), (0, 1)),
        }
    }
}

/// A head that all of these bytes are.
fn parse(bytes: &[u8]) -> Option<Request<()>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut headers);
    if head.parse(bytes).ok()? != httparse::Status::Complete(bytes.len()) {
        return None;
    }
    let mut request = Request::builder().method(head.method?).uri(head.path?);
    for header in &*head.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        request = request.header(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    request.body(()).ok()
}
