//! A program that speaks HTTP by hand, and does what its query says, most of which no library would let it say.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::thread;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).expect("the port is free");
    for stream in listener.incoming().flatten() {
        thread::spawn(move || answer(stream));
    }
}

/// Answers one request, of which it reads the head.
fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let _end = lines.find(String::is_empty);
    let what = first.split(' ').nth(1).and_then(|path| path.split_once("do=")).map_or("", |(_, what)| what);
    let mut say = |text: &str| stream.write_all(text.as_bytes());
    // Nobody may hear it.
    let _ = match what {
        "never" => {
            thread::sleep(HOUR);
            Ok(())
        }
        "halfway" => {
            let _ = say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nbegun\n\r\n");
            exit(3)
        }
        "two-lengths" => say("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        "status-42" => say("HTTP/1.1 42 Odd\r\ncontent-length: 0\r\n\r\n"),
        "short" => say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot a hundred"),
        "long" => say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsmuggled\n"),
        "headers" => {
            let megabyte = format!("x-flood: {}\r\n", "x".repeat(53)).repeat(1 << 14);
            say("HTTP/1.1 200 OK\r\n").and_then(|()| (0..1 << 10).try_for_each(|_| say(&megabyte)))
        }
        _ => say("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\nbehaved\n"),
    };
}
