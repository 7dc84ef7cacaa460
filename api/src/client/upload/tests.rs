//! What travels to hosts of either version.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::client::{Client, ClientOptions};
use crate::pack::{PackDecoder, PackEvent};
use crate::views::MissingBlobsRequest;

/// Answers one request after the other with these bodies, and gives what was asked: each head, and what followed it without the coding of chunks.
async fn host_that_says(answers: Vec<String>) -> (Client, tokio::task::JoinHandle<Vec<(String, Vec<u8>)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !is_whole(&bytes) {
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
            }
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice()).await.unwrap();
            let (head, body) = split(&bytes);
            asked.push((head.clone(), if head.contains("chunked") { without_chunks(body) } else { body.to_vec() }));
        }
        asked
    });
    (Client::new(ClientOptions { base_url, token: None }).unwrap(), asked)
}

fn split(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), &bytes[end + 4..])
}

fn is_whole(bytes: &[u8]) -> bool {
    if !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        return false;
    }
    let (head, body) = split(bytes);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.map_or_else(|| bytes.ends_with(b"0\r\n\r\n"), |length| body.len() >= length)
}

fn without_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        bytes.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
        if length == 0 {
            break;
        }
    }
    bytes
}

fn events(mut decoder: PackDecoder, bytes: &[u8]) -> Vec<PackEvent> {
    decoder.push(&bytes::Bytes::copy_from_slice(bytes));
    let events = std::iter::from_fn(|| decoder.next_event().unwrap()).collect();
    decoder.finish().unwrap();
    events
}

/// Asks a host that answers like this what is missing, and sends it a blob in the form that it reads.
async fn deploy_to(missing: &str, begun_bytes: u64) -> (String, Vec<u8>) {
    let digest = Digest::of(b"0123456789");
    let missing = missing.replace("DIGEST", &digest.to_string());
    let report = r#"{"stored_blobs":1,"stored_bytes":10,"reused_blobs":0}"#.to_owned();
    let (client, asked) = host_that_says(vec![missing, report]).await;
    let id = UploadId::from_random([1; 16]);
    let answer = client.missing(&id, &MissingBlobsRequest { digests: vec![digest] }).await.unwrap();
    let blob = UploadBlob::new(digest, 10, BlobSource::Bytes(b"0123456789".as_slice().into()));
    let blob = UploadBlob { begun_bytes, ..blob };
    client.upload(&id, PackForm::newest(answer.pack), vec![blob], |_| {}).await.unwrap();
    let mut asked = asked.await.unwrap();
    assert!(
        asked[0].0.starts_with("post /v1/blobs/missing?upload=01010101010101010101010101010101 "),
        "{}",
        asked[0].0
    );
    assert_eq!(
        asked[0].1,
        format!(r#"{{"digests":["{digest}"]}}"#).into_bytes(),
        "an older host refuses what it does not know"
    );
    asked.pop().unwrap()
}

/// A host before there were frames says nothing of them, and gets what it reads.
#[tokio::test]
async fn older_host() {
    let (head, body) = deploy_to(r#"{"missing":["DIGEST"]}"#, 0).await;
    assert!(head.contains("content-type: application/vnd.ship.pack\r\n"), "{head}");
    let [PackEvent::Begin { size_bytes: 10, beginning: None, .. }, PackEvent::Bytes(bytes), PackEvent::Complete] =
        &events(PackDecoder::plain(), &body)[..]
    else {
        panic!("{body:?}");
    };
    assert_eq!(bytes, &b"0123456789"[..]);
}

/// A host of this version, and of any later one, gets frames, and only what it lacks.
#[tokio::test]
async fn this_and_later_hosts() {
    for pack in [2, 3] {
        let missing =
            format!(r#"{{"missing":["DIGEST"],"begun":[{{"digest":"DIGEST","bytes":4}}],"pack":{pack},"new":1}}"#);
        let (head, body) = deploy_to(&missing, 4).await;
        assert!(head.contains("content-type: application/vnd.ship.pack-frames\r\n"), "{head}");
        let [
            PackEvent::Begin { size_bytes: 10, beginning: Some(beginning), .. },
            PackEvent::Bytes(bytes),
            PackEvent::Complete,
        ] = &events(PackDecoder::framed(), &body)[..]
        else {
            panic!("{body:?}");
        };
        assert_eq!((beginning.bytes, beginning.digest), (4, Digest::of(b"0123")));
        assert_eq!(bytes, &b"456789"[..]);
    }
}
