//! The bodies of the platform's own errors: a page, JSON or a line of text, each with the code and the request's id.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use minijinja::{Environment, context};
use ship_core::RequestId;

use crate::assets::PageScript;
use crate::body::EdgeBody;
use crate::failure::Failure;
use crate::protocol::accept_page::ErrorForm;

const PAGE: &str = "page.html";

/// What a program reads.
#[derive(serde::Serialize)]
struct ErrorDocument<'e> {
    error: ErrorFields<'e>,
}

#[derive(serde::Serialize)]
struct ErrorFields<'e> {
    code: &'e str,
    message: &'e str,
    id: &'e str,
}

/// Writes the bodies of errors.
pub(crate) struct ErrorPages {
    templates: Environment<'static>,
}

impl ErrorPages {
    pub(crate) fn new() -> Self {
        let mut templates = Environment::new();
        let added = templates.add_template(PAGE, include_str!("error_page/page.html"));
        added.expect("the page is part of this program, and a test renders it");
        Self { templates }
    }

    /// The response for a failure. `script` is added to a page.
    pub(crate) fn respond(
        &self,
        failure: Failure,
        id: RequestId,
        form: ErrorForm,
        script: Option<&PageScript>,
    ) -> Response<EdgeBody> {
        let (media_type, body): (_, Bytes) = match form {
            ErrorForm::Page => {
                let page = self.page(failure, id);
                let page = script.map_or_else(|| page.clone().into(), |script| script.added_to(page.as_bytes()));
                ("text/html; charset=utf-8", page)
            }
            ErrorForm::Json => ("application/json", json(failure, id).into()),
            ErrorForm::Text => ("text/plain; charset=utf-8", text(failure, id).into()),
        };
        let mut response = Response::new(EdgeBody::full(body));
        *response.status_mut() = failure.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        failure.add_headers(headers);
        response
    }

    fn page(&self, failure: Failure, id: RequestId) -> String {
        let values = context! {
            status => failure.status.as_u16(),
            reason => failure.status.canonical_reason().unwrap_or_default(),
            message => failure.message(),
            code => failure.code(),
            id => id.as_str(),
        };
        let rendered = self.templates.get_template(PAGE).and_then(|page| page.render(values));
        rendered.unwrap_or_else(|error| {
            tracing::error!(%error, "the error page cannot be rendered");
            text(failure, id)
        })
    }
}

fn json(failure: Failure, id: RequestId) -> String {
    let code = failure.code().unwrap_or_else(|| failure.message());
    let error = ErrorFields { code, message: failure.message(), id: id.as_str() };
    serde_json::to_string(&ErrorDocument { error }).expect("text is always JSON")
}

fn text(failure: Failure, id: RequestId) -> String {
    let status = failure.status.as_u16();
    match failure.code() {
        Some(code) => format!("{status} {code}: {} ({id})\n", failure.message()),
        None => format!("{status}: {} ({id})\n", failure.message()),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use ship_core::PlatformError;

    use super::*;

    /// Each form carries the code and the id; a route's own status has no code.
    #[test]
    fn forms() {
        let id = RequestId::from_parts(0, [0; 10]);
        let failure = Failure::from(PlatformError::FunctionInvocationTimeout);
        let page = ErrorPages::new().page(failure, id);
        assert!(page.contains("FUNCTION_INVOCATION_TIMEOUT") && page.contains(id.as_str()), "{page}");
        assert_eq!(
            json(failure, id),
            r#"{"error":{"code":"FUNCTION_INVOCATION_TIMEOUT","message":"The function did not answer in its time.","id":"00000000000000000000000000"}}"#
        );
        assert_eq!(
            text(Failure::from_route(StatusCode::FORBIDDEN), id),
            "403: Forbidden (00000000000000000000000000)\n"
        );
    }
}
