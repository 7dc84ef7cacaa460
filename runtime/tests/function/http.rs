//! Just enough HTTP/1.1, and ways to break it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

/// The head of a request.
pub(crate) struct Request {
    /// The request line and headers as they came.
    pub(crate) head: String,
}

impl Request {
    fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn wants_close(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// A connection, between its reading and its writing.
pub(crate) struct Exchange {
    /// The how manieth connection of this process it is, from zero.
    pub(crate) number: usize,
    pub(crate) stream: BufReader<UnixStream>,
}

impl Exchange {
    pub(crate) fn new(number: usize, stream: UnixStream) -> Self {
        Self { number, stream: BufReader::new(stream) }
    }

    pub(crate) fn next_request(&mut self) -> io::Result<Option<Request>> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(Request { head }))
    }

    pub(crate) fn raw(&mut self, response: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(response.as_bytes())
    }

    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()))
    }

    /// Sends each piece of a chunked request back as soon as it is there.
    pub(crate) fn echo(&mut self, request: &Request) -> io::Result<()> {
        if request.header("transfer-encoding") != Some("chunked") {
            let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let mut body = String::new();
            self.stream.by_ref().take(length).read_to_string(&mut body)?;
            return self.text(&body);
        }
        self.raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size)?;
            let length = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; length + 2];
            self.stream.read_exact(&mut chunk)?;
            self.stream.get_mut().write_all(size.as_bytes())?;
            self.stream.get_mut().write_all(&chunk)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Begins to answer, and only then reads a chunked request, saying each line of it.
    pub(crate) fn swallow(&mut self) -> io::Result<()> {
        self.raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let mut line = String::new();
        while line != "0\r\n" {
            line.clear();
            self.stream.read_line(&mut line)?;
            println!("{}", line.trim());
        }
        self.raw("0\r\n\r\n")
    }

    /// Speaks another protocol: every byte comes back.
    pub(crate) fn upgrade(&mut self) -> io::Result<()> {
        self.raw("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")?;
        let mut back = self.stream.get_ref().try_clone()?;
        io::copy(&mut self.stream, &mut back)?;
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// Answers that are no answers.
    pub(crate) fn break_rules(&mut self, path: &str) -> io::Result<()> {
        let response = match path {
            "/garbage" => "What is HTTP?\r\n\r\n".to_owned(),
            "/two-lengths" => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!".to_owned(),
            "/same-length-twice" => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            "/both-framings" => {
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
                    .to_owned()
            }
            "/status-42" => "HTTP/1.1 42 Odd\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "/status-1000" => "HTTP/1.1 1000 Odd\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "/nul-in-header" => "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "/surprise-upgrade" => "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n\r\n".to_owned(),
            "/huge-head" => format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(80 * 1024)),
            "/endless-head" => return self.endless("HTTP/1.1 200 OK\r\nx: ", &"x".repeat(64 * 1024)),
            "/endless-interim" => return self.endless("", &"HTTP/1.1 102 Processing\r\n\r\n".repeat(1024)),
            "/many-headers" => format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x: y\r\n".repeat(10_000)),
            "/old-and-closing" => "HTTP/1.0 200 OK\r\n\r\nall of it".to_owned(),
            _ => String::new(),
        };
        self.raw(&response)?;
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn endless(&mut self, beginning: &str, piece: &str) -> io::Result<()> {
        self.raw(beginning)?;
        loop {
            self.raw(piece)?;
        }
    }
}
