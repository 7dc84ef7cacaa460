//! Early hints: what a page will need is told while its function still works.

use ship_tests::http2::{self, flag, kind};
use ship_tests::http3::{Asked, Connection};
use ship_tests::{Gate, TestEnv, http};

use crate::stage::Stage;

/// Waits at a gate, after a hint of its own where it is asked for one.
const FUNCTION: &str = r"
import net from 'node:net';

export default async function (request, response) {
  const query = new URL(request.url, 'http://here').searchParams;
  if (query.has('own')) response.writeEarlyHints({ link: '</own.css>; rel=preload; as=style', 'x-other': 'stays here' });
  const [host, port] = query.get('gate').split(':');
  const gate = net.connect(Number(port), host, () => gate.write('arrived\n'));
  await new Promise((resolve) => gate.once('data', resolve));
  gate.destroy();
  response.end('the page');
}
";

/// What the routes say of the pages; nothing of the other one is to be fetched ahead.
const CONFIG: &str = r#"
[functions."**"]
network = "all"

[[headers]]
source = "/api/page"
headers = [{ key = "Link", value = "</style.css>; rel=preload; as=style" }]

[[headers]]
source = "/api/other"
headers = [{ key = "Link", value = "</api/page>; rel=next" }]
"#;

/// The first heads of an answer up to the one that is no hint: statuses and links. The gate is opened after so many hints.
fn heads(asked: &mut Asked, gate: &Gate, hints: usize) -> Vec<(u16, Vec<String>)> {
    let waiting = gate.wait_for_arrival();
    let mut next = || {
        let head = asked.head().expect("the host answers");
        let links = head.headers().get_all("link").iter().map(|link| link.to_str().expect("it is text").to_owned());
        assert!(head.headers().get("x-other").is_none());
        (head.status().as_u16(), links.collect())
    };
    let mut heads: Vec<(u16, Vec<String>)> = (0..hints).map(|_| next()).collect();
    waiting.open();
    heads.push(next());
    heads
}

/// A visitor in HTTP/2 or HTTP/3 who waits for a function is told what routes and the function itself say that the page will need. One
/// who fetches a part of a page is told nothing, nor is one in HTTP/1.1.
#[test]
fn while_a_function_works() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let project = environment
        .project("hints")
        .file("ship.toml", CONFIG)
        .file("api/page.js", FUNCTION)
        .file("api/other.js", FUNCTION);
    let _ = stage.host.ship(["deploy", "--prod"]).within(project.folder()).run().success();
    let (name, gate) = (stage.name.replace("site.", "hints."), Gate::new());
    let path = |rest: &str| format!("/api/{rest}{}", gate.query());

    let mut visitor = Connection::open(&stage.authority, &name).expect("the host speaks HTTP/3");
    let by_routes = "</style.css>; rel=preload; as=style".to_owned();
    let own = "</own.css>; rel=preload; as=style".to_owned();
    let mut ask = |path: &str, headers: &[(&str, &str)], hints: usize| {
        let mut asked = visitor.ask("GET", path, headers).expect("the host is asked");
        asked.finish().expect("the host reads");
        heads(&mut asked, &gate, hints)
    };
    let answer = (200, vec![by_routes.clone()]);
    assert_eq!(ask(&path("page?"), &[], 1), [(103, vec![by_routes.clone()]), answer.clone()]);
    let both = [(103, vec![by_routes.clone()]), (103, vec![own.clone()]), answer.clone()];
    assert_eq!(ask(&path("page?own&"), &[("sec-fetch-mode", "navigate")], 2), both);
    assert_eq!(ask(&path("page?own&"), &[("sec-fetch-mode", "no-cors")], 0), [answer]);
    let next = (200, vec!["</api/page>; rel=next".to_owned()]);
    assert_eq!(ask(&path("other?"), &[], 0), std::slice::from_ref(&next));
    assert_eq!(ask(&path("other?own&"), &[], 1), [(103, vec![own]), next]);

    let mut visitor = http2::Connection::open(&stage.authority, &name).expect("the host speaks HTTP/2");
    let asked = http2::get(&name, &path("page?"));
    visitor.send(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &asked).expect("the host reads");
    let waiting = gate.wait_for_arrival();
    let hint = visitor.next_of(kind::HEADERS).expect("the host answers").expect("the connection stays");
    // `:status` of the static table with the value 103, in the code of RFC 7541, appendix B.
    assert_eq!((hint.flags, &hint.payload[..4]), (flag::END_HEADERS, &[0x48, 0x82, 0x08, 0x19][..]));
    waiting.open();
    assert_eq!(visitor.body(1), "the page");

    let url = format!("https://{name}{}", path("page?own&"));
    let plain = std::thread::scope(|scope| {
        let asking = scope.spawn(|| http::get_secure(&url, &stage.authority));
        gate.wait_for_arrival().open();
        asking.join().expect("it is answered")
    });
    assert_eq!((plain.status, plain.text().as_str()), (200, "the page"));
}
