//! Requests that nothing is special about.

use memchr::memchr;

use crate::gate::may_show;
use crate::protocol::headers::PLATFORM_PREFIX;
use crate::protocol::normal_path::is_normal;

/// How long a plain head is at most, in bytes. Longer ones are hyper's, and so are its limits.
const MAX_HEAD_BYTES: usize = 4096;

/// How many headers a plain head has at most. hyper takes a hundred.
const MAX_HEADERS: usize = 48;

/// Headers that change nothing about the answer for a file. One that stands neither here nor is read below makes a request one
/// for functions only: whatever it means, it is not passed over.
const WITHOUT_MEANING: [&str; 12] = [
    "accept",
    "accept-language",
    "cache-control",
    "cookie",
    "dnt",
    "pragma",
    "priority",
    "referer",
    "sec-gpc",
    "upgrade-insecure-requests",
    "user-agent",
    "x-forwarded-for",
];

/// What the names of more of them begin with: what browsers say of the page that asks, and of themselves.
const WITHOUT_MEANING_BELOW: [&str; 2] = ["sec-fetch-", "sec-ch-"];

/// Headers that say something of the connection, of a body, or of the request's way to here.
const SPECIAL: [&str; 11] = [
    "cdn-loop",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request that asks for what stands at a path and for nothing else: `GET` in HTTP/1.1, a path that is as it should be, one host, no body,
/// nothing about the connection. All else is refused here, which is not an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlainRequest<'h> {
    /// The path, normalised as it came, and the query behind it.
    pub(crate) target: &'h str,
    /// Where the query begins, or the end.
    path_bytes: usize,
    /// What stands in `host`.
    pub(crate) authority: &'h str,
    /// What stands in `accept-encoding`.
    pub(crate) accept_encoding: Option<&'h str>,
    /// Who can answer it.
    pub(crate) audience: Audience,
    /// Its headers, line by line.
    lines: &'h str,
}

/// Who can answer a plain request, as far as its headers are concerned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Audience {
    /// Whatever stands at its path: no header says more than which form of it is wanted.
    Anybody,
    /// A function. A file's answer would depend on conditions, parts, or what is not known here.
    Functions,
    /// A function that cross-origin rules have nothing to say of.
    FunctionsOfNoRule,
}

impl<'h> PlainRequest<'h> {
    /// The request that `arrived` begins with and how many bytes its head has. `None` unless it is plain and whole.
    pub(crate) fn parse(arrived: &'h [u8]) -> Option<(Self, usize)> {
        let window = &arrived[..arrived.len().min(MAX_HEAD_BYTES)];
        let mut lines = Lines { rest: window };
        let target = lines.next()?.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?;
        let path_bytes = target.find('?').unwrap_or(target.len());
        let (path, query) = target.split_at(path_bytes);
        if !is_normal(path) || !query.bytes().all(is_query_byte) || may_show(query) {
            return None;
        }
        let first_header = window.len() - lines.rest.len();
        let (mut authority, mut accept_encoding, mut audience) = (None, None, Audience::Anybody);
        for _ in 0..=MAX_HEADERS {
            let end = window.len() - lines.rest.len();
            let line = lines.next()?;
            if line.is_empty() {
                // Every line of it was text.
                let lines_of_headers = std::str::from_utf8(&window[first_header..end]).ok()?;
                let (authority, lines_bytes) = (authority?, window.len() - lines.rest.len());
                let request =
                    Self { target, path_bytes, authority, accept_encoding, audience, lines: lines_of_headers };
                return Some((request, lines_bytes));
            }
            let (name, value) = line.split_once(':')?;
            let value = value.trim_matches(' ');
            match Meaning::of(name)? {
                Meaning::Nothing => {}
                Meaning::Authority => once(&mut authority, value)?,
                Meaning::Codings => once(&mut accept_encoding, value)?,
                Meaning::Connection if value.eq_ignore_ascii_case("keep-alive") => {}
                Meaning::Connection => return None,
                Meaning::ForFunctions(limited) => audience = audience.max(limited),
            }
        }
        None
    }

    /// Its headers, names as they were written and values without the spaces around them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'h str, &'h str)> {
        let lines = self.lines.split_terminator("\r\n");
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim_matches(' ')))
    }

    /// The host and port that it is for, as the visitor wrote them.
    pub fn authority(&self) -> &'h str {
        self.authority
    }

    /// The path.
    pub(crate) fn path(&self) -> &'h str {
        &self.target[..self.path_bytes]
    }
}

/// The lines of a head as far as they are plain: visible characters and spaces before a carriage return and a line feed.
struct Lines<'h> {
    rest: &'h [u8],
}

impl<'h> Iterator for Lines<'h> {
    type Item = &'h str;

    fn next(&mut self) -> Option<&'h str> {
        let end = memchr(b'\r', self.rest)?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\r\n")?;
        let is_plain = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
        std::str::from_utf8(line).ok().filter(|_| is_plain)
    }
}

/// What a header is about.
enum Meaning {
    Authority,
    Codings,
    Connection,
    /// Nothing, as far as a file is concerned.
    Nothing,
    /// Something that only these know.
    ForFunctions(Audience),
}

impl Meaning {
    /// What the header of this name is about. `None` if it makes the request one that is not plain.
    fn of(name: &str) -> Option<Self> {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let begins = |start: &str| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return None;
        }
        match name.len() {
            4 if is("host") => Some(Self::Authority),
            10 if is("connection") => Some(Self::Connection),
            15 if is("accept-encoding") => Some(Self::Codings),
            _ if WITHOUT_MEANING.into_iter().any(is) => Some(Self::Nothing),
            _ if WITHOUT_MEANING_BELOW.into_iter().any(begins) => Some(Self::Nothing),
            _ if SPECIAL.into_iter().any(is) || begins(PLATFORM_PREFIX) => None,
            6 if is("origin") => Some(Self::ForFunctions(Audience::FunctionsOfNoRule)),
            _ => Some(Self::ForFunctions(Audience::Functions)),
        }
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Whether hyper takes the byte in a query.
fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"?-._~%!$&'()*+,;=:@/[]".contains(&byte)
}

/// Sets what must not be said twice.
fn once<'h>(slot: &mut Option<&'h str>, value: &'h str) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::serve::head_guard::laws;

    fn is_plain(head: &str) -> bool {
        PlainRequest::parse(head.as_bytes()).is_some()
    }

    /// What a browser sends for a file is plain, and what it says is read.
    #[test]
    fn browser() {
        let head = "GET /assets/app.js?v=1 HTTP/1.1\r\nHost: a.test:7700\r\nConnection: keep-alive\r\n\
                    sec-ch-ua-platform: \"Linux\"\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\
                    Sec-Fetch-Site: same-origin\r\nReferer: http://a.test:7700/\r\n\
                    Accept-Encoding: gzip, deflate, br, zstd\r\nCookie: a=b\r\n\r\n";
        let both = format!("{head}GET /next HTTP/1.1\r\n");
        let (request, length) = PlainRequest::parse(both.as_bytes()).unwrap();
        assert_eq!(length, head.len());
        assert_eq!((request.target, request.path()), ("/assets/app.js?v=1", "/assets/app.js"));
        assert_eq!(request.authority(), "a.test:7700");
        assert_eq!(request.accept_encoding, Some("gzip, deflate, br, zstd"));
        assert!((0..head.len()).all(|end| !is_plain(&head[..end])), "half a head is none");
    }

    /// Everything that could change the answer, the connection or where the request ends is left to hyper.
    #[test]
    fn not_plain() {
        let with = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n");
        assert!(is_plain(&with("")));
        for lines in [
            "Host: a.test\r\n",
            "Connection: close\r\n",
            "Connection: keep-alive, upgrade\r\n",
            "Upgrade: websocket\r\n",
            "Content-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Expect: 100-continue\r\n",
            "Keep-Alive: timeout=5\r\n",
            "TE: trailers\r\n",
            "Trailer: x\r\n",
            "Proxy-Authorization: Basic x\r\n",
            "CDN-Loop: ship\r\n",
            "X-Ship-Protection-Bypass: x\r\n",
            "X_Unknown: x\r\n",
            "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n",
            "Accept : */*\r\n",
            "Accept: */*\r\n and more\r\n",
            "Accept: */*\n",
            "Accept: \t\r\n",
            "Accept: \u{e9}\r\n",
            "Accept\r\n",
            ": x\r\n",
            &"Accept: */*\r\n".repeat(MAX_HEADERS),
            &format!("Cookie: {}\r\n", "x".repeat(MAX_HEAD_BYTES)),
        ] {
            assert!(!is_plain(&with(lines)), "{lines:?}");
        }
        for first in [
            "HEAD / HTTP/1.1",
            "get / HTTP/1.1",
            "GET / HTTP/1.0",
            "GET /  HTTP/1.1",
            "GET  / HTTP/1.1",
            "GET  HTTP/1.1",
            "GET http://a.test/ HTTP/1.1",
            "GET * HTTP/1.1",
            "GET //a HTTP/1.1",
            "GET /a/../b HTTP/1.1",
            "GET /%61 HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /a?x#b HTTP/1.1",
            "GET /a?\"x\" HTTP/1.1",
            "GET /a?x-vercel-protection-bypass=1 HTTP/1.1",
            "\r\nGET / HTTP/1.1",
        ] {
            assert!(!is_plain(&format!("{first}\r\nHost: a.test\r\n\r\n")), "{first:?}");
        }
        assert!(!is_plain("GET / HTTP/1.1\r\n\r\n"));
    }

    /// What a file's answer would depend on is for functions, and where it comes from is for those that no rule is about. A function gets all
    /// of it.
    #[test]
    fn audiences() {
        let with = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a.test\r\nAccept: a/b\r\n{lines}\r\n");
        for (lines, audience) in [
            ("", Audience::Anybody),
            ("Range: bytes=0-1\r\n", Audience::Functions),
            ("If-None-Match: *\r\n", Audience::Functions),
            ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Audience::Functions),
            ("Authorization: Basic x\r\n", Audience::Functions),
            ("X-Unknown:  x \r\nCookie: a=b\r\n", Audience::Functions),
            ("Origin: http://a.test\r\nX-Unknown: x\r\n", Audience::FunctionsOfNoRule),
        ] {
            let head = with(lines);
            let (request, _) = PlainRequest::parse(head.as_bytes()).expect("it is plain");
            assert_eq!(request.audience, audience, "{lines:?}");
            let written: Vec<_> = lines.lines().filter_map(|line| line.split_once(':')).collect();
            let read: Vec<_> = request.headers().skip(2).collect();
            assert_eq!(read, written.iter().map(|(name, value)| (*name, value.trim())).collect::<Vec<_>>());
        }
    }

    proptest! {
        /// What is plain is what everybody else reads there, and ends where they say.
        #[test]
        fn laws(heads in "(GET|HEAD) [/*]?[a-z/.%?=&]{0,6} HTTP/1.[01]\r?\n((Host|accept|cookie|Sec-Ch-x|connection|content-length|x|):[ \t]{0,2}(a\\.test|keep-alive|[0-9 ,;a-z\u{80}]{0,9})[ \t]?\r?\n){0,5}\r\n(GET / HTTP/1.1\r\n\r\n)?") {
            laws::request_heads(heads.as_bytes());
        }
    }
}
