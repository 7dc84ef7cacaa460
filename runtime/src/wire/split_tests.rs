//! A response is the same response however the kernel cuts it into pieces.

use proptest::prelude::*;

use super::{Decoder, HeadReader, Inbox, Question, write_chunk, write_last_chunk};

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
    BadHead,
    BadBody,
}

/// Reads bytes that arrive in pieces of these sizes, the last as often as needed.
fn read(bytes: &[u8], sizes: &[usize]) -> Seen {
    let mut inbox = Inbox::new();
    let mut seen = Seen { responses: Vec::new(), ending: Ending::InHead };
    let (mut reader, mut decoder): (_, Option<Decoder>) = (HeadReader::default(), None);
    let mut sizes = sizes.iter().copied().chain(std::iter::repeat(*sizes.last().unwrap_or(&1)));
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        rest = later;
        inbox.put(piece);
        if let Err(ending) = take(&mut inbox, &mut reader, &mut decoder, &mut seen) {
            seen.ending = ending;
            return seen;
        }
    }
    seen.ending = if decoder.is_some() { Ending::InBody } else { Ending::InHead };
    seen
}

/// Takes all that is there.
fn take(
    inbox: &mut Inbox,
    reader: &mut HeadReader,
    decoder: &mut Option<Decoder>,
    seen: &mut Seen,
) -> Result<(), Ending> {
    loop {
        if let Some(body) = decoder {
            let Some((_, bytes)) = seen.responses.last_mut() else { return Ok(()) };
            body.decode(inbox, bytes).map_err(|_| Ending::BadBody)?;
            if !body.is_over() {
                return Ok(());
            }
            *decoder = None;
        }
        match reader.read(inbox, Question::Plain) {
            Ok(Some(head)) => {
                seen.responses.push((head.parts.status.as_u16(), Vec::new()));
                *decoder = Some(head.decoder);
            }
            Ok(None) => return Ok(()),
            Err(_) => return Err(Ending::BadHead),
        }
    }
}

/// Responses, most of them good.
fn responses() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        "[a-z\r\n]{0,20}".prop_map(|body| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())),
        proptest::collection::vec("[a-z\r\n]{1,20}", 0..4).prop_map(|pieces| {
            let mut response = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for piece in pieces {
                write_chunk(&mut response, piece.as_bytes());
            }
            write_last_chunk(&mut response, None);
            String::from_utf8_lossy(&response).into_owned()
        }),
        Just("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_owned()),
        Just("HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        Just("HTTP/1.0 200 OK\r\n\r\n".to_owned()),
        Just("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5 \r\n".to_owned()),
        Just("HTTP/1.1 200 OK\nx: y\r\n\r\n".to_owned()),
        "[HTP/1. 20OK\r\n:a-z]{0,40}",
    ];
    proptest::collection::vec(one, 1..5).prop_map(|all| all.concat())
}

proptest! {
    /// Pieces change nothing, but that what is refused may be seen as refused sooner.
    #[test]
    fn pieces(text in responses(), sizes in proptest::collection::vec(1..30_usize, 1..10)) {
        let whole = read(text.as_bytes(), &[text.len().max(1)]);
        let in_pieces = read(text.as_bytes(), &sizes);
        let bodies = |seen: &Seen| seen.responses.iter().map(|(status, _)| *status).collect::<Vec<_>>();
        prop_assert_eq!(bodies(&whole), bodies(&in_pieces));
        prop_assert_eq!(&whole.ending, &in_pieces.ending);
        if whole.ending != Ending::BadBody {
            prop_assert_eq!(whole, in_pieces);
        }
    }
}
