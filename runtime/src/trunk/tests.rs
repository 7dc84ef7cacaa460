//! A trunk with a function at its other end that is played by the test.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::frame::take;
use super::{Answer, Call, Driver, Trunk};
use crate::linux::rights::Rights;
use crate::linux::stream::FunctionSocket;
use crate::wire::Inbox;

const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a test waits for what must come at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A trunk, the function's end of it, and the task that drives it.
fn open() -> (Trunk, UnixStream, JoinHandle<()>) {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    let socket = FunctionSocket::new(near.into(), Rights::MayCome).unwrap();
    let (trunk, driver) = Driver::new(socket, Inbox::new(), TIMEOUT);
    (trunk, UnixStream::from_std(far).unwrap(), tokio::spawn(driver.drive()))
}

fn call(trunk: &Trunk, head: &str) -> Call {
    trunk.call(head.as_bytes()).unwrap()
}

/// The next frame that the function reads: number, kind and rest.
async fn frame(function: &mut UnixStream) -> (u32, u8, String) {
    tokio::time::timeout(PATIENCE, read_frame(function)).await.expect("a frame comes")
}

async fn read_frame(function: &mut UnixStream) -> (u32, u8, String) {
    let length = function.read_u32_le().await.unwrap();
    let number = function.read_u32_le().await.unwrap();
    let kind = function.read_u8().await.unwrap();
    let mut rest = vec![0; length as usize - 5];
    function.read_exact(&mut rest).await.unwrap();
    (number, kind, String::from_utf8(rest).unwrap())
}

fn said(number: u32, kind: u8, rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(rest.len() + 5).unwrap();
    [&length.to_le_bytes(), &number.to_le_bytes(), &[kind][..], rest].concat()
}

/// Calls go out as they come, and each gets its own answer, in whatever order and pieces they arrive.
#[tokio::test]
async fn answers_find_their_calls() {
    let (trunk, mut function, _driver) = open();
    let (mut first, mut second, mut third) = (call(&trunk, "one"), call(&trunk, "two"), call(&trunk, "three"));
    for expected in [(0, 0, "one"), (1, 0, "two"), (2, 0, "three")] {
        let (number, kind, rest) = frame(&mut function).await;
        assert_eq!((number, kind, rest.as_str()), expected);
    }
    let answers = [said(1, 1, &7_u64.to_le_bytes()), said(0, 0, b"hello"), said(2, 2, b"")].concat();
    let (early, late) = answers.split_at(20);
    function.write_all(early).await.unwrap();
    let Answer::Claim(number) = second.answer().await else { panic!("the second is to be claimed") };
    assert_eq!(number.to_string(), "7");
    function.write_all(late).await.unwrap();
    assert_eq!(first.answer().await, Answer::Whole("hello".into()));
    assert_eq!(third.answer().await, Answer::Failed);
}

/// A call that is given up is cancelled, unless its answer is there or was claimed; what comes for it afterwards is nobody's.
#[tokio::test]
async fn cancelled() {
    let (trunk, mut function, _driver) = open();
    let (given_up, mut unclaimed, mut claimed) = (call(&trunk, ""), call(&trunk, ""), call(&trunk, ""));
    let claim = 1_u64.to_le_bytes();
    function.write_all(&[said(1, 1, &claim), said(2, 1, &claim)].concat()).await.unwrap();
    assert!(matches!(claimed.answer().await, Answer::Claim(_)));
    assert!(matches!(unclaimed.answer().await, Answer::Claim(_)));
    claimed.was_claimed();
    drop((given_up, unclaimed));
    let mut frames = Vec::new();
    for _ in 0..5 {
        let (number, kind, _) = frame(&mut function).await;
        frames.push((number, kind));
    }
    assert_eq!(frames, [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]);
    let mut last = call(&trunk, "");
    function.write_all(&[said(0, 0, b"late"), said(3, 0, b"last")].concat()).await.unwrap();
    assert_eq!(last.answer().await, Answer::Whole("last".into()));
}

/// Each call has the same time from its own beginning.
#[tokio::test(start_paused = true)]
async fn late() {
    let (trunk, mut function, _driver) = open();
    let mut first = call(&trunk, "");
    frame(&mut function).await;
    tokio::time::sleep(TIMEOUT / 2).await;
    let mut second = call(&trunk, "");
    let began = tokio::time::Instant::now();
    assert_eq!(first.answer().await, Answer::Late);
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(second.answer().await, Answer::Late);
    assert_eq!(began.elapsed().as_secs(), 10);
}

/// When the connection ends, a call that was written may have been seen; one that was not certainly was not.
#[tokio::test]
async fn end_of_the_connection() {
    let (trunk, mut function, driver) = open();
    let mut seen = call(&trunk, "seen");
    frame(&mut function).await;
    drop(function);
    let mut unseen = call(&trunk, "unseen");
    assert_eq!(unseen.answer().await, Answer::Unsent);
    assert_eq!(seen.answer().await, Answer::Broken);
    assert!(trunk.call(b"").is_none());
    driver.await.unwrap();
}

/// A function that says what no frame is loses the trunk.
#[tokio::test]
async fn garbage() {
    for bytes in [said(0, 3, b""), said(0, 1, b"short"), said(0, 2, b"long"), vec![0; 9], vec![0xff; 9]] {
        let (trunk, mut function, driver) = open();
        let mut asked = call(&trunk, "");
        frame(&mut function).await;
        function.write_all(&bytes).await.unwrap();
        assert_eq!(asked.answer().await, Answer::Broken, "{bytes:?}");
        driver.await.unwrap();
    }
}

/// A function that speaks of calls that there are not, or of one more often than it can, loses the trunk: nobody reads for
/// nobody. Of a call that was given up it may speak once more.
#[tokio::test]
async fn said_for_nobody() {
    let claim = 1_u64.to_le_bytes();
    for (words, is_taken) in [
        (vec![said(0, 0, b"late")], true),
        (vec![said(0, 1, &claim), said(0, 0, b"late")], true),
        (vec![said(0, 2, b"")], true),
        (vec![said(7, 0, b"")], false),
        (vec![said(0, 0, b"late"), said(0, 0, b"again")], false),
        (vec![said(0, 1, &claim), said(0, 1, &claim)], false),
    ] {
        let (trunk, mut function, _driver) = open();
        drop(call(&trunk, ""));
        let mut other = call(&trunk, "");
        function.write_all(&words.concat()).await.unwrap();
        let _ = function.write_all(&said(1, 0, b"other")).await;
        let expected = if is_taken { Answer::Whole("other".into()) } else { Answer::Broken };
        let answer = tokio::time::timeout(PATIENCE, other.answer()).await.expect("it ends");
        // A trunk that ends before it has written anything says that nothing was seen.
        assert!(answer == expected || !is_taken && answer == Answer::Unsent, "{words:?} {answer:?}");
    }
}

/// A function whose answers mostly have to be claimed is asked without the detour.
#[tokio::test]
async fn unwanted() {
    let (trunk, mut function, _driver) = open();
    for number in 0..16 {
        let mut asked = call(&trunk, "");
        function.write_all(&said(number, 1, &0_u64.to_le_bytes())).await.unwrap();
        assert!(matches!(asked.answer().await, Answer::Claim(_)));
        asked.was_claimed();
    }
    assert!(trunk.call(b"").is_none());
}

proptest! {
    /// Frames are read the same however they are cut, and what is none is refused without harm.
    #[test]
    fn cut_anywhere(kinds in vec((any::<u32>(), 0_u8..4, vec(any::<u8>(), 0..20)), 0..6), cuts in vec(1_usize..9, 1..40)) {
        let bytes: Vec<u8> = kinds.iter().flat_map(|(number, kind, rest)| said(*number, *kind, rest)).collect();
        let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let (mut inbox, mut frames) = (Inbox::new(), Vec::new());
            for piece in pieces {
                inbox.put(piece);
                loop {
                    match take(&mut inbox) {
                        Ok(Some(frame)) => frames.push(Ok(frame)),
                        Ok(None) => break,
                        Err(error) => {
                            frames.push(Err(error));
                            return frames;
                        }
                    }
                }
            }
            frames
        };
        let (mut rest, mut pieces) = (bytes.as_slice(), Vec::new());
        for cut in cuts {
            let (piece, later) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        pieces.push(rest);
        prop_assert_eq!(read(&mut pieces.into_iter()), read(&mut std::iter::once(bytes.as_slice())));
    }
}
