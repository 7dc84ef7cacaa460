//! A platform's interface for the comments of pull requests, as far as an action needs it: GitHub's, kept in memory.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

use crate::http::read_request_head;

/// What a job may write with.
pub const COMMENT_TOKEN: &str = "the job's token";

/// The comments of one pull request. It lives as long as the story's process.
#[derive(Debug)]
pub struct PullRequests {
    address: String,
    comments: Arc<Mutex<Vec<String>>>,
}

impl PullRequests {
    /// A pull request, the seventh of `acme/blue`, with these comments.
    pub fn with(comments: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address").to_string();
        let comments = Arc::new(Mutex::new(comments.iter().map(|text| (*text).to_owned()).collect()));
        let kept = Arc::clone(&comments);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(&connection, &kept));
            }
        });
        Self { address, comments }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The comments, oldest first.
    pub fn comments(&self) -> Vec<String> {
        self.comments.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(connection: &TcpStream, comments: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(connection);
    while let Some(head) = read_request_head(&mut reader) {
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let (status, content) = answer(&head, &body, &mut comments.lock().unwrap_or_else(PoisonError::into_inner));
        let content = content.to_string();
        let length = content.len();
        let answer = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{content}"
        );
        if (&mut &*connection).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// As GitHub documents it: comments of a page, a new one, and one that is changed.
fn answer(head: &str, body: &[u8], comments: &mut Vec<String>) -> (u16, Value) {
    if !head.contains(&format!("Bearer {COMMENT_TOKEN}")) {
        return (403, json!({ "message": "Resource not accessible by integration" }));
    }
    let text = || {
        let content: Value = serde_json::from_slice(body).expect("a comment is JSON");
        content["body"].as_str().expect("it has a body").to_owned()
    };
    let (method, rest) = head.split_once(' ').expect("a request has a method");
    let target = rest.split(' ').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (method, path.strip_prefix("/repos/acme/blue/issues/")) {
        ("GET", Some("7/comments")) => {
            let number = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<usize>().ok());
            let (size, page) = (number("per_page=").unwrap_or(30), number("page=").unwrap_or(1));
            let all = comments.iter().enumerate().map(|(id, text)| json!({ "id": id, "body": text }));
            (200, all.skip(size * (page - 1)).take(size).collect())
        }
        ("POST", Some("7/comments")) => {
            comments.push(text());
            (201, json!({ "id": comments.len() - 1 }))
        }
        ("PATCH", Some(rest)) => {
            let id: usize =
                rest.strip_prefix("comments/").and_then(|id| id.parse().ok()).expect("a comment has a number");
            comments[id] = text();
            (200, json!({ "id": id }))
        }
        _ => (404, json!({ "message": "Not Found" })),
    }
}
