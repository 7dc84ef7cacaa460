//! A collector of telemetry that shows what it was sent.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde_json::Value;

use crate::PATIENCE;
use crate::http::read_request_head;

/// A collector that takes OTLP over HTTP, in its JSON encoding. It lives as long as the story's process.
#[derive(Debug)]
pub struct Collector {
    address: String,
    documents: Receiver<Document>,
}

/// What was sent at once.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it was sent: `/v1/traces`.
    pub path: String,
    /// The head of the request, in lower case.
    pub head: String,
    /// What was sent.
    pub body: Value,
}

impl Collector {
    /// A collector that takes everything.
    pub fn start() -> Self {
        Self::answering("200 OK")
    }

    /// A collector that gives everything this answer.
    pub fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address").to_string();
        let (sender, documents) = channel();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let sender = sender.clone();
                thread::spawn(move || serve(&connection, &sender, status));
            }
        });
        Self { address, documents }
    }

    /// Where to send.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a document that `read` finds something in.
    #[track_caller]
    pub fn wait_for<T>(&self, read: impl Fn(&Document) -> Option<T>) -> T {
        loop {
            let document = self.documents.recv_timeout(PATIENCE).expect("the document comes");
            if let Some(found) = read(&document) {
                return found;
            }
        }
    }
}

fn serve(connection: &TcpStream, documents: &Sender<Document>, status: &str) {
    let mut reader = BufReader::new(connection);
    loop {
        let Some(head) = read_request_head(&mut reader) else { return };
        let head = head.to_ascii_lowercase();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body = serde_json::from_slice(&body).expect("what is sent is JSON");
        // The story may have ended, or seen enough.
        let _ = documents.send(Document { path, head, body });
        let answer = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
        if (&mut &*connection).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
