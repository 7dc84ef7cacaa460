//! Who waits for room, and who does not.

use std::convert::Infallible;

use futures_util::{StreamExt as _, stream};

use super::*;

const LARGEST: usize = LARGE_ROOM_BYTES / 2;

fn place(rooms: &Arc<Rooms>) -> Place {
    Place { rooms: Arc::clone(rooms), taken: Arc::default() }
}

/// A body that says how large it is, and comes with so many bytes a second.
fn slow(size_bytes: usize, bytes_per_second: usize) -> RawBody {
    let pieces = stream::iter(0..size_bytes / bytes_per_second).then(move |_| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, Infallible>(Bytes::from(vec![b'x'; bytes_per_second]))
    });
    RawBody::new(Announced { size_bytes: size_bytes as u64, pieces: RawBody::from_stream(pieces) })
}

struct Announced {
    size_bytes: u64,
    pieces: RawBody,
}

impl http_body::Body for Announced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.pieces).poll_frame(context)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.size_bytes)
    }
}

/// Two of the largest bodies fill the room. A third waits, and is told when to come back; small ones pass it, and it finds room as soon as one
/// of the two is done with.
#[tokio::test(start_paused = true)]
async fn a_line() {
    let rooms = Arc::new(Rooms::default());
    let places = [place(&rooms), place(&rooms), place(&rooms), place(&rooms)];
    for first in &places[..2] {
        let body = RawBody::from(vec![b'x'; LARGEST]);
        assert_eq!(read(body, LARGEST, Some(first)).await.unwrap().len(), LARGEST);
    }
    let refused = read(RawBody::from(vec![b'x'; LARGEST]), LARGEST, Some(&places[2])).await.unwrap_err();
    let refused = axum::response::IntoResponse::into_response(refused);
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "31"));
    let small = read(RawBody::from(vec![b'x'; SMALL_BYTES]), LARGEST, Some(&places[3])).await;
    assert_eq!(small.unwrap().len(), SMALL_BYTES);
    let [first, _second, third, _small] = places;
    let waiting = read(RawBody::from(vec![b'x'; LARGEST]), LARGEST, Some(&third));
    let leaving = async {
        tokio::time::sleep(WAIT / 2).await;
        drop(first);
    };
    let (read, ()) = tokio::join!(waiting, leaving);
    assert_eq!(read.unwrap().len(), LARGEST);
}

/// A body that does not say how large it is takes room when it is larger than most, and then as much as the largest.
#[tokio::test(start_paused = true)]
async fn unknown_size() {
    let rooms = Arc::new(Rooms::default());
    let body = |pieces: usize| {
        RawBody::from_stream(stream::iter((0..pieces).map(|_| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024])))))
    };
    let (few, many) = (place(&rooms), place(&rooms));
    assert_eq!(read(body(64), LARGEST, Some(&few)).await.unwrap().len(), FREE_BYTES);
    assert_eq!(rooms.large.available_permits(), LARGE_ROOM_BYTES);
    assert_eq!(read(body(65), LARGEST, Some(&many)).await.unwrap().len(), FREE_BYTES + 1024);
    assert_eq!(rooms.large.available_permits(), LARGE_ROOM_BYTES - LARGEST);
    drop(many);
    assert_eq!(rooms.large.available_permits(), LARGE_ROOM_BYTES);
    let status = |error: ApiError| axum::response::IntoResponse::into_response(error).status().as_u16();
    assert_eq!(status(read(body(65), FREE_BYTES, None).await.unwrap_err()), 413);
}

/// Room is not kept by a body that comes byte by byte.
#[tokio::test(start_paused = true)]
async fn too_slow_for_the_others() {
    let rooms = Arc::new(Rooms::default());
    let place = place(&rooms);
    let refused = read(slow(SMALL_BYTES, 1), LARGEST, Some(&place)).await.unwrap_err();
    assert_eq!(refused.message(), "no more than 60 bytes of the body came in 60 seconds");
}

/// A large body may take long, as long as it keeps coming.
#[tokio::test(start_paused = true)]
async fn steady() {
    let rooms = Arc::new(Rooms::default());
    let place = place(&rooms);
    let (begun, size_bytes) = (tokio::time::Instant::now(), 4 * SMALL_BYTES);
    assert_eq!(
        read(slow(size_bytes, ARRIVAL_BYTES_PER_SECOND), LARGEST, Some(&place)).await.unwrap().len(),
        size_bytes
    );
    assert!(begun.elapsed() > 2 * ARRIVAL);
}
