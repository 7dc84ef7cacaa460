//! The room that the bodies of requests take in memory. A manifest may be large, and is held whole while it is read and stored, so who comes
//! with one waits until there is room for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body as RawBody, HttpBody as _};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use ship_api::{ErrorCode, ErrorDetail};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::ApiError;

/// Up to which size a body takes no room, in bytes. Nearly all requests are smaller, and a connection takes as much by itself.
const FREE_BYTES: usize = 64 * 1024;

/// Up to which size a body waits only for others of its kind, in bytes: the manifest of some five thousand files. A small deploy does not stand
/// in line behind large ones.
const SMALL_BYTES: usize = 1024 * 1024;

/// How many bytes of small bodies there may be at once, and how many of large ones: two of the largest manifests.
const SMALL_ROOM_BYTES: usize = 32 * 1024 * 1024;
const LARGE_ROOM_BYTES: usize = 128 * 1024 * 1024;

/// How long a body waits for room. Clients ask a host that is silent for a minute what has become of it.
const WAIT: Duration = Duration::from_secs(30);

/// How long a body with room may take, however little has come of it, and how many bytes of it make that a second longer: others wait for the
/// room.
const ARRIVAL: Duration = Duration::from_mins(1);
const ARRIVAL_BYTES_PER_SECOND: usize = 32 * 1024;

/// The room of all requests.
pub(crate) struct Rooms {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { small: Arc::new(Semaphore::new(SMALL_ROOM_BYTES)), large: Arc::new(Semaphore::new(LARGE_ROOM_BYTES)) }
    }
}

/// What one request has of it, until its answer is there.
#[derive(Clone)]
pub(super) struct Place {
    rooms: Arc<Rooms>,
    taken: Arc<OnceLock<OwnedSemaphorePermit>>,
}

/// Gives a request a place, which it keeps while it is answered: what was read of the body is held that long.
pub(super) async fn hold_place(
    axum::extract::State(rooms): axum::extract::State<Arc<Rooms>>,
    mut request: Request,
    next: Next,
) -> Response {
    let place = Place { rooms, taken: Arc::default() };
    request.extensions_mut().insert(place.clone());
    let response = next.run(request).await;
    drop(place);
    response
}

impl Place {
    /// Waits in line for room for `size_bytes`.
    async fn take(&self, size_bytes: usize) -> Result<(), ApiError> {
        let room = if size_bytes <= SMALL_BYTES { &self.rooms.small } else { &self.rooms.large };
        let permits = u32::try_from(size_bytes).unwrap_or(u32::MAX);
        let Ok(Ok(permit)) = timeout(WAIT, Arc::clone(room).acquire_many_owned(permits)).await else {
            return Err(no_room(size_bytes));
        };
        // A body is read once.
        let _ = self.taken.set(permit);
        Ok(())
    }
}

/// All of a body of at most `limit` bytes, once there is room for it. Without a place it takes none: `limit` is small then.
pub(super) async fn read(mut body: RawBody, limit: usize, place: Option<&Place>) -> Result<Bytes, ApiError> {
    let declared = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    // One that says so itself is not waited for.
    if declared.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(limit));
    }
    let mut bytes = BytesMut::new();
    if declared.is_none_or(|bytes| bytes <= FREE_BYTES)
        && fill(&mut body, &mut bytes, FREE_BYTES.min(limit), Pace::Any)
            .await
            .map_err(|unfilled| unfilled.error(limit))?
            == Filled::Whole
    {
        return Ok(bytes.freeze());
    }
    // One that does not say how large it is may be as large as any.
    let expected = declared.unwrap_or(limit);
    if let Some(place) = place {
        place.take(expected).await?;
    }
    bytes.reserve(declared.unwrap_or_default());
    match fill(&mut body, &mut bytes, limit, Pace::Held).await {
        Ok(Filled::Whole) => Ok(bytes.freeze()),
        Ok(Filled::More) => Err(too_large(limit)),
        Err(unfilled) => Err(unfilled.error(limit)),
    }
}

/// What there is of a body.
#[derive(PartialEq, Eq)]
enum Filled {
    Whole,
    More,
}

/// How fast a body has to come.
#[derive(Clone, Copy)]
enum Pace {
    /// As fast as its connection has to.
    Any,
    /// So that it does not keep room from others.
    Held,
}

impl Pace {
    /// How long the first `count` bytes may stay the only ones, since the first was waited for.
    fn time(self, count: usize) -> Duration {
        match self {
            Self::Any => Duration::MAX,
            Self::Held => ARRIVAL + Duration::from_secs((count / ARRIVAL_BYTES_PER_SECOND) as u64),
        }
    }
}

/// Why a body is not read to its end.
enum Unfilled {
    Broken,
    /// So many bytes of it came in this time.
    Slow(usize, Duration),
}

impl Unfilled {
    fn error(self, limit: usize) -> ApiError {
        match self {
            Self::Broken => too_large(limit),
            Self::Slow(count, time) => too_slow(count, time),
        }
    }
}

/// Reads until the body ends, or there is more than `bound`.
async fn fill(body: &mut RawBody, bytes: &mut BytesMut, bound: usize, pace: Pace) -> Result<Filled, Unfilled> {
    let begun = Instant::now();
    while bytes.len() <= bound {
        let time = pace.time(bytes.len());
        let Ok(frame) = timeout(time.saturating_sub(begun.elapsed()), body.frame()).await else {
            return Err(Unfilled::Slow(bytes.len(), time));
        };
        match frame {
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return Err(Unfilled::Broken),
            None => return Ok(Filled::Whole),
        }
    }
    Ok(Filled::More)
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(ErrorCode::PayloadTooLarge, format!("the body broke off or is larger than {limit} bytes"))
}

fn too_slow(count: usize, time: Duration) -> ApiError {
    let message = format!("no more than {count} bytes of the body came in {} seconds", time.as_secs());
    ApiError::new(ErrorCode::BadRequest, message)
}

fn no_room(size_bytes: usize) -> ApiError {
    let message = format!("the host reads other large requests, and has no room for one of {size_bytes} bytes");
    let detail = ErrorDetail::new(ErrorCode::TooManyRequests, message).with_hint("deploy again in a moment");
    ApiError::from(detail).retry_after(WAIT)
}

#[cfg(test)]
mod tests;
