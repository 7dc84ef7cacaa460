//! As much of Vercel's API as `vercel dev` asks for before it starts: who somebody is, which team, which project, which variables.
//!
//! The command refuses to start without a login. What is measured is the server that it starts, so it gets answers that name nobody.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A running API. It ends when it is dropped.
pub(super) struct DevApi {
    port: u16,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DevApi {
    /// Starts it on any free port.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                for client in listener.incoming().flatten() {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    // One that goes away has not asked.
                    let _ = answer(client);
                }
            }
        });
        Ok(Self { port, is_over, thread: Some(thread) })
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for DevApi {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The thread waits for somebody to connect.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut client: TcpStream) -> io::Result<()> {
    let mut first = String::new();
    let mut reader = BufReader::new(client.try_clone()?);
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let body = document(path);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    client.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())
}

fn document(path: &str) -> &'static str {
    match path {
        _ if path.contains("/projects/") => {
            r#"{"id":"prj_bench","name":"bench","accountId":"team_bench","framework":null}"#
        }
        _ if path.contains("/teams/") => r#"{"id":"team_bench","slug":"bench","name":"bench"}"#,
        _ if path.contains("/user") => {
            r#"{"user":{"id":"bench","uid":"bench","email":"bench@localhost","username":"bench"}}"#
        }
        _ => r#"{"env":{},"buildEnv":{},"runEnv":{},"envs":[]}"#,
    }
}
