//! Routes that lead to other hosts: what those are asked, what the visitor gets, and which hosts are never asked.

use std::net::SocketAddr;
use std::time::Duration;

use insta::assert_snapshot;
use ship_core::PlatformError;
use ship_edge::ExternalReach;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{SiteBuilder, Stage, request};

/// How long another host waits to be asked before the story is called stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Another host, which answers each connection as a story says.
struct OtherHost {
    listener: TcpListener,
    address: SocketAddr,
}

impl OtherHost {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// A stage whose paths below `/to/` lead here.
    async fn stage(&self, reach: ExternalReach) -> Stage {
        let routes = format!(r#"[{{"src": "^/to(/.*)$", "dest": "http://{}$1", "check": true}}]"#, self.address);
        SiteBuilder::new().routes(&routes).options(|options| options.external_reach = reach).start().await
    }

    async fn accept(&self) -> TcpStream {
        tokio::time::timeout(PATIENCE, self.listener.accept()).await.expect("nobody asks").unwrap().0
    }

    fn port(&self) -> String {
        self.address.port().to_string()
    }
}

/// The head of a request, as it came.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

/// The other host gets the visitor's method, path, query, headers and body, under its own name and with where they came from, and
/// nothing of the visitor's connection; the visitor gets its answer, and nothing of its connection.
#[tokio::test]
async fn passes_both_ways() {
    let other = OtherHost::start().await;
    let stage = other.stage(ExternalReach::PublicAndLoopback).await;
    let headers = [
        "Content-Length: 5",
        "Cookie: a=b",
        "Accept: text/plain",
        "X-Forwarded-For: 1.2.3.4",
        "X-Ship-Anything: forged",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic x",
        "Expect: 100-continue",
    ];
    let asked = stage.send(request("PUT", "/to/a%20b/c?x=1&y=%2F", &headers, "hello"));
    let answered = async {
        let mut stream = other.accept().await;
        let head = head(&mut stream).await;
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        let answer = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: c=d\r\nx-ship-error: FORGED\r\nkeep-alive: \
                      timeout=5\r\ncontent-length: 3\r\n\r\nbye";
        stream.write_all(answer.as_bytes()).await.unwrap();
        (head, body)
    };
    let (received, (head, body)) = tokio::join!(asked, answered);
    assert_eq!(&body, b"hello");
    assert_snapshot!("what_the_other_host_is_asked", head.replace(&other.port(), "[port]"));
    assert_snapshot!("what_the_visitor_gets", received.shown());
    stage.stop().await;
}

/// An answer arrives as it is sent, piece by piece, and one that breaks off never ends as if it were complete.
#[tokio::test]
async fn streams_and_breaks_off() {
    let other = OtherHost::start().await;
    let stage = other.stage(ExternalReach::PublicAndLoopback).await;
    let mut visitor = stage.connect().await;
    visitor.send(request("GET", "/to/events", &[], "")).await;
    let mut stream = other.accept().await;
    let _ = head(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
    // The first piece is read before the second is sent.
    let seen = visitor.until("first\r\n").await;
    assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
    stream.write_all(b"6\r\nsecond\r\n").await.unwrap();
    let _ = visitor.until("second\r\n").await;
    drop(stream);
    assert_eq!(visitor.rest().await.bytes, b"", "no last chunk");
    let [record] = stage.logs.requests(1).await.try_into().unwrap();
    let error = serde_json::to_value(&record).unwrap().to_string();
    assert!(error.contains("ROUTER_EXTERNAL_TARGET_ERROR"), "{error}");
    stage.stop().await;
}

/// A body is passed on as it is sent, not when it is complete.
#[tokio::test]
async fn streams_bodies() {
    let other = OtherHost::start().await;
    let stage = other.stage(ExternalReach::PublicAndLoopback).await;
    let mut visitor = stage.connect().await;
    visitor.send(request("POST", "/to/upload", &["Transfer-Encoding: chunked"], "3\r\none\r\n")).await;
    let mut stream = other.accept().await;
    let _ = head(&mut stream).await;
    let mut piece = [0; 8];
    stream.read_exact(&mut piece).await.unwrap();
    assert_eq!(&piece, b"3\r\none\r\n");
    visitor.send("3\r\ntwo\r\n0\r\n\r\n").await;
    let mut piece = [0; 13];
    stream.read_exact(&mut piece).await.unwrap();
    assert_eq!(&piece, b"3\r\ntwo\r\n0\r\n\r\n");
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert_eq!(visitor.rest().await.status(), 204);
    stage.stop().await;
}

/// Connections are kept: two requests after each other arrive on one.
#[tokio::test]
async fn keeps_connections() {
    let other = OtherHost::start().await;
    let stage = other.stage(ExternalReach::PublicAndLoopback).await;
    let answered = async {
        let mut stream = other.accept().await;
        for _ in 0..2 {
            let _ = head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    };
    let asked = async {
        assert_eq!(stage.get("/to/1", &[]).await.body(), b"ok");
        assert_eq!(stage.get("/to/2", &[]).await.body(), b"ok");
    };
    tokio::join!(asked, answered);
    stage.stop().await;
}

/// A host of the public never connects to its own machine or network, however the address is written.
#[tokio::test]
async fn never_inside() {
    let other = OtherHost::start().await;
    let hosts = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "127.1",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
    ];
    for host in hosts {
        let routes = format!(r#"[{{"src": "^/$", "dest": "http://{host}:{}/", "check": true}}]"#, other.port());
        let stage = SiteBuilder::new().routes(&routes).start().await;
        let received = stage.get("/", &[]).await;
        let found = (received.status(), received.header("x-ship-error"));
        assert_eq!(found, (404, Some("DNS_HOSTNAME_RESOLVED_PRIVATE".to_owned())), "{host}");
        stage.stop().await;
    }
    let knocked = tokio::select! {
        biased;
        _ = other.listener.accept() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!knocked, "nothing was connected to");
}

/// What a visitor writes cannot become the host, and a network other than the machine itself stays closed in development too.
#[tokio::test]
async fn hosts_are_not_chosen_by_visitors() {
    let routes = r#"[{"src": "^/t/([^/]*)$", "dest": "http://$1.example.invalid/", "check": true},
        {"src": "^/metadata$", "dest": "http://169.254.169.254/", "check": true}]"#;
    let reach = ExternalReach::PublicAndLoopback;
    let stage = SiteBuilder::new().routes(routes).options(|options| options.external_reach = reach).start().await;
    for hostile in ["127.0.0.1%23", "127.0.0.1%3F", "127.0.0.1%5C", "user%40127.0.0.1:80", "a:80", ""] {
        let received = stage.get(&format!("/t/{hostile}"), &[]).await;
        assert_eq!(received.header("x-ship-error").as_deref(), Some("NOT_FOUND"), "{hostile}");
    }
    let metadata = stage.get("/metadata", &[]).await;
    assert_eq!(metadata.header("x-ship-error").as_deref(), Some("DNS_HOSTNAME_RESOLVED_PRIVATE"));
    let nowhere = stage.get("/t/a", &[]).await;
    assert_eq!(nowhere.header("x-ship-error").as_deref(), Some("DNS_HOSTNAME_NOT_FOUND"));
    stage.stop().await;
}

/// Each way in which another host can fail has its code, and a circle is cut.
#[tokio::test]
async fn failures() {
    let other = OtherHost::start().await;
    let stage = other.stage(ExternalReach::PublicAndLoopback).await;
    let error = |received: crate::visitor::Received| received.header("x-ship-error").unwrap_or_default();

    let circle = ["Cdn-Loop: ship, ship, ship, ship, ship", "Cdn-Loop: ship, ship, ship, ship, ship"];
    assert_eq!(error(stage.get("/to/", &circle).await), PlatformError::InfiniteLoopDetected.code());
    let large = ["Content-Length: 104857601"];
    assert_eq!(error(stage.ask("POST", "/to/", &large).await), PlatformError::PayloadTooLarge.code());

    let asked = stage.get("/to/", &[]);
    let answered = async {
        let mut stream = other.accept().await;
        let _ = head(&mut stream).await;
        stream.write_all(b"220 mail.example.com ESMTP\r\n").await.unwrap();
    };
    let (received, ()) = tokio::join!(asked, answered);
    assert_eq!((received.status(), error(received)), (502, "ROUTER_EXTERNAL_TARGET_ERROR".to_owned()));

    let address = other.address;
    drop(other);
    let received = stage.get("/to/", &[]).await;
    assert_eq!((received.status(), error(received)), (502, "ROUTER_EXTERNAL_TARGET_CONNECTION_ERROR".to_owned()));
    stage.stop().await;

    let plain = TcpListener::bind(address).await.unwrap();
    let routes = format!(r#"[{{"src": "^/$", "dest": "https://{address}/", "check": true}}]"#);
    let reach = ExternalReach::PublicAndLoopback;
    let stage = SiteBuilder::new().routes(&routes).options(|options| options.external_reach = reach).start().await;
    let answered = async {
        let mut stream = tokio::time::timeout(PATIENCE, plain.accept()).await.expect("nobody asks").unwrap().0;
        // All of the client's greeting, so that the connection is not reset.
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let (received, _) = tokio::join!(stage.get("/", &[]), answered);
    assert_eq!((received.status(), error(received)), (502, "ROUTER_EXTERNAL_TARGET_HANDSHAKE_ERROR".to_owned()));
    stage.stop().await;
}
