//! HTTP/1.1 as the wire shows it: a client that hides nothing.
//!
//! It is written for the stories alone, so that it is an independent witness: it connects to this machine whatever the host
//! name in the URL, sends exactly the headers it is told, and says whether an answer ended as HTTP asks or was cut off.

mod answer;
mod body;
mod events;

use std::io::{BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub use answer::{Answer, Ending};
pub use body::Body;
pub use events::Events;

use rustix::net;

use crate::PATIENCE;
use crate::tls::{TestAuthority, Wire};

/// A request that is about to be sent.
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    method: String,
    authority: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    trusted: Option<TestAuthority>,
}

/// A `GET` of `url`, answered in whole.
#[track_caller]
pub fn get(url: &str) -> Answer {
    request("GET", url).send()
}

/// A `GET` of `url` through TLS, to a server that somebody vouches for.
#[track_caller]
pub fn get_secure(url: &str, trusted: &TestAuthority) -> Answer {
    request("GET", url).trusting(trusted).send()
}

/// A connection through TLS to the server that `authority` names, on this machine.
pub fn connect_secure(authority: &str, trusted: &TestAuthority, protocols: &[&str]) -> std::io::Result<Wire> {
    trusted.connect(connect(authority)?, authority, protocols)
}

/// Listens to the events at `url`.
#[track_caller]
pub fn get_events(url: &str) -> Events {
    let opened = request("GET", url).header("accept", "text/event-stream").open();
    assert_eq!(opened.status(), 200, "there are events at {url}");
    Events::of(opened)
}

/// A request to `url`, whose host name leads to this machine whatever it is. One of `https` is told whom to trust.
#[track_caller]
pub fn request(method: &str, url: &str) -> Request {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.unwrap_or_else(|| panic!("{url} is no URL of the web"));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    Request {
        method: method.to_owned(),
        authority: authority.to_owned(),
        target: format!("/{path}"),
        headers: Vec::new(),
        body: None,
        trusted: None,
    }
}

impl Request {
    /// Sends it through TLS, to a server that this authority vouches for.
    pub fn trusting(mut self, authority: &TestAuthority) -> Self {
        self.trusted = Some(authority.clone());
        self
    }

    /// Adds a header. A `host` header replaces the one of the URL.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Adds `authorization` with a bearer token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Adds a body and its length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it and reads the whole answer.
    #[track_caller]
    pub fn send(self) -> Answer {
        self.open().whole()
    }

    /// Sends it and reads the answer's head; its body is read as the story asks for it.
    #[track_caller]
    pub fn open(self) -> Opened {
        self.try_open().expect("the server answers with HTTP")
    }

    /// Sends it and reads the answer's head, or says what kept it from that.
    pub fn try_open(self) -> std::io::Result<Opened> {
        let stream = connect(&self.authority)?;
        let mut stream = match &self.trusted {
            Some(authority) => authority.connect(stream, &self.authority, &["http/1.1"])?,
            None => Wire::Plain(stream),
        };
        let is_head = self.method == "HEAD";
        stream.write_all(&self.encoded())?;
        Opened::read(BufReader::new(stream), is_head)
    }

    /// Sends it and waits for nothing yet: the answer is asked for with [`Sent::answer`].
    #[track_caller]
    pub fn begin(self) -> Sent {
        let mut stream = connect(&self.authority).expect("the server takes the connection");
        stream.write_all(&self.encoded()).expect("the kernel takes the request");
        Sent(stream)
    }

    /// Sends it and goes away `after` that, whatever the server does.
    #[track_caller]
    pub fn abandon(self, after: Duration) {
        let mut stream = connect(&self.authority).expect("the server takes the connection");
        stream.write_all(&self.encoded()).expect("the kernel takes the request");
        let sent = Instant::now();
        while sent.elapsed() < after {
            std::hint::spin_loop();
        }
    }

    fn encoded(&self) -> Vec<u8> {
        let named = |name: &str| self.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
        let length = self.body.as_ref().map(|body| body.len().to_string()).unwrap_or_default();
        let implied = [("host", self.authority.as_str()), ("connection", "close"), ("content-length", length.as_str())];
        let implied = implied.into_iter().filter(|(name, value)| !value.is_empty() && !named(name));
        let written = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<String> = implied.chain(written).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{} {} HTTP/1.1\r\n{}\r\n", self.method, self.target, headers.concat());
        [head.as_bytes(), self.body.as_deref().unwrap_or_default()].concat()
    }
}

/// Connects to the port of `authority` on this machine.
pub(crate) fn connect(authority: &str) -> std::io::Result<TcpStream> {
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80);
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The same as a visitor who has another of this machine's addresses: any that begins with 127.
pub fn connect_from(from: Ipv4Addr, authority: &str) -> std::io::Result<TcpStream> {
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80);
    let socket = net::socket_with(net::AddressFamily::INET, net::SocketType::STREAM, net::SocketFlags::CLOEXEC, None)?;
    // A port of one's own that the kernel remembers of a connection before may be used again.
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &SocketAddr::from((from, 0)))?;
    net::connect(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends bytes that need not be HTTP and reads until the server closes the connection.
#[track_caller]
pub fn exchange_raw(authority: &str, bytes: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    let mut stream = connect(authority).expect("the server takes the connection");
    // A server may close before it has read everything; its answer is what counts.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("no answer and no end: {error}"),
        _ => answer,
    }
}

/// A request that was sent, and whose answer nobody has read yet.
#[derive(Debug)]
#[must_use]
pub struct Sent(TcpStream);

impl Sent {
    /// Reads the whole answer.
    #[track_caller]
    pub fn answer(self) -> Answer {
        Opened::read(BufReader::new(Wire::Plain(self.0)), false).expect("the server answers with HTTP").whole()
    }
}

/// An answer whose head has arrived.
#[derive(Debug)]
pub struct Opened {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Opened {
    fn read(mut stream: BufReader<Wire>, is_head: bool) -> std::io::Result<Self> {
        let (status, headers) = loop {
            let (status, headers) = read_head(&mut stream)?;
            // Interim answers announce the real one.
            if !(100..200).contains(&status) || status == 101 {
                break (status, headers);
            }
        };
        let body = Body::new(stream, status, &headers, is_head);
        Ok(Self { status, headers, body })
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, to be read piece by piece.
    pub fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Reads the rest.
    #[track_caller]
    pub fn whole(mut self) -> Answer {
        let (bytes, ending) = self.body.read_whole();
        Answer::new(self.status, self.headers, bytes, ending)
    }
}

/// The head of the next request that a server of the stories is sent. `None` where the client has left.
pub(crate) fn read_request_head(client: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        client.read_line(&mut head).ok().filter(|bytes| *bytes > 0)?;
    }
    Some(head)
}

fn read_head(stream: &mut BufReader<Wire>) -> std::io::Result<(u16, Vec<(String, String)>)> {
    let mut line = || -> std::io::Result<String> {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(text) => Ok(text.to_owned()),
            None => {
                Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, format!("no end of line after {line:?}")))
            }
        }
    };
    let first = line()?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("not the first line of an answer: {first:?}")))?;
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else { return Ok((status, headers)) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}
