//! Fields behind a body, on the way to a function and back.

use ship_tests::{TestEnv, TestHost, http};

/// Answers with the sum of what it read and with what followed it, and says a sum behind its own body.
const GO: &str = "package handler

import (
	\"fmt\"
	\"io\"
	\"net/http\"
)

func Handler(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set(\"Trailer\", \"X-Sum, X-Ship-Id, Content-Length\")
	fmt.Fprintf(w, \"%d %s %s %q\", len(body), r.Header.Get(\"TE\"), r.Trailer.Get(\"X-Of-Visitor\"), r.Trailer.Get(\"X-Ship-Id\"))
	w.(http.Flusher).Flush()
	w.Header().Set(\"X-Sum\", \"42\")
	w.Header().Set(\"X-Ship-Id\", \"forged\")
}
";

const NODE: &str = "export default async function (request, response) {
  let length = 0;
  for await (const piece of request) length += piece.length;
  response.setHeader('Trailer', 'X-Sum');
  response.write(`${length} ${request.headers.te} ${request.trailers['x-of-visitor']} ${JSON.stringify(request.trailers['x-ship-id'] ?? '')}`);
  response.addTrailers({ 'X-Sum': '42' });
  response.end();
}
export const config = { api: { bodyParser: false } };
";

/// What follows a body arrives on the other side, unless it would say what only the platform says; and a visitor who does not take it
/// gets the body alone.
#[test]
fn there_and_back() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/go.go", GO).file("api/node.js", NODE);
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let authority = &host.addresses().sites;
    for function in ["go", "node"] {
        let ask = |te: &str| {
            let request = format!(
                "POST /api/{function} HTTP/1.1\r\nhost: site.localhost\r\nconnection: close\r\n{te}trailer: x-of-visitor\r\n\
                 transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-of-visitor: yes\r\nx-ship-id: forged\r\n\r\n"
            );
            String::from_utf8(http::exchange_raw(authority, request.as_bytes())).expect("the answer is text")
        };
        let answer = ask("te: trailers\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").expect("there is a head");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(body.to_lowercase().contains("5 trailers yes \"\""), "{answer}");
        let (_, trailers) = body.split_once("0\r\n").expect("there is a last chunk");
        assert_eq!(trailers.to_lowercase(), "x-sum: 42\r\n\r\n", "{function}");
        let plain = ask("");
        assert!(plain.ends_with("\r\n0\r\n\r\n") && plain.contains(" yes \"\""), "{plain}");
    }
}
