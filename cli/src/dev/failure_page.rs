//! What is answered while the site does not build: the same lines as in the terminal, as a page or as JSON.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;
use ship_core::RequestId;
use ship_edge::EdgeBody;

use super::reload;
use super::report::Report;

/// The stable code of this failure. It exists only in development.
const CODE: &str = "BUILD_FAILED";

/// Answers a request that the site cannot.
pub(super) fn respond(headers: &HeaderMap, failure: &Report, id: &RequestId) -> Response<EdgeBody> {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media_type, body) = if accepted.contains("text/html") {
        ("text/html; charset=utf-8", page(failure))
    } else {
        ("application/json", json!({ "error": { "code": CODE, "message": failure.text(), "id": id } }).to_string())
    };
    let mut response = Response::new(EdgeBody::full(body));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-ship-error", HeaderValue::from_static(CODE));
    response
}

fn page(failure: &Report) -> String {
    let report = serde_json::to_string(failure).expect("a report holds only text");
    let template = include_str!("failure_page.html").split_inclusive('}');
    // Each part ends in at most one placeholder, so nothing that is put in is looked at again.
    template.fold(String::new(), |page, part| {
        let filled = [
            ("{title}", escape(&failure.title)),
            ("{failure}", escape(&failure.text())),
            ("{script}", reload::script_of_no_version(&escape(&report))),
        ];
        let filled = filled.iter().find_map(|(name, value)| Some([part.strip_suffix(name)?, value].concat()));
        page + &filled.unwrap_or_else(|| part.to_owned())
    })
}

/// Text as it stands in HTML, in attributes too. Compilers quote what people wrote.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page shows what the compiler said, and nothing of it becomes markup.
    #[test]
    fn quoted() {
        let page = page(&Report::new("No \"site\"", "api/date.go:3:1: <script> & {script}"));
        assert!(page.contains("<pre>api/date.go:3:1: &lt;script&gt; &amp; {script}</pre>"), "{page}");
        assert!(page.contains("<title>No &quot;site&quot;</title>"), "{page}");
        assert_eq!(page.matches("<script").count(), 1);
    }
}
