//! The bodies of the platform's own errors: a page, JSON or a line of text, each with the code and the request's id.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use minijinja::{Environment, Value, context};
use ship_core::RequestId;

use crate::assets::PageScript;
use crate::body::EdgeBody;
use crate::failure::Failure;
use crate::protocol::accept_page::ErrorForm;

const PAGE: &str = "page.html";
const LOGIN: &str = "login.html";

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

/// What a person typed before it is asked for the password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TypedPassword {
    /// Nothing.
    Nothing,
    /// Another password.
    Wrong,
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
        let added = templates.add_template(LOGIN, include_str!("error_page/login.html"));
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

    /// The page that asks a person for the password, with the status and headers of the failure that it stands for.
    pub(crate) fn ask_password(&self, failure: Failure, id: RequestId, typed: TypedPassword) -> Response<EdgeBody> {
        let mut response = self.respond(failure, id, ErrorForm::Page, None);
        *response.body_mut() = EdgeBody::full(self.login(failure, id, typed));
        response
    }

    fn login(&self, failure: Failure, id: RequestId, typed: TypedPassword) -> String {
        let values = context! {
            message => failure.message(),
            code => failure.code(),
            id => id.as_str(),
            is_wrong => typed == TypedPassword::Wrong,
        };
        self.render(LOGIN, values, failure, id)
    }

    fn page(&self, failure: Failure, id: RequestId) -> String {
        let values = context! {
            status => failure.status.as_u16(),
            reason => failure.status.canonical_reason().unwrap_or_default(),
            message => failure.message(),
            code => failure.code(),
            id => id.as_str(),
        };
        self.render(PAGE, values, failure, id)
    }

    fn render(&self, page: &str, values: Value, failure: Failure, id: RequestId) -> String {
        let rendered = self.templates.get_template(page).and_then(|page| page.render(values));
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

    /// The page that asks for a password does so without a script, says if one was wrong, and carries the code and the id.
    #[test]
    fn login() {
        let (pages, id) = (ErrorPages::new(), RequestId::from_parts(0, [0; 10]));
        let failure = Failure::from(PlatformError::AuthenticationRequired);
        let [asked, again] =
            [TypedPassword::Nothing, TypedPassword::Wrong].map(|typed| pages.login(failure, id, typed));
        for page in [&asked, &again] {
            assert!(page.contains("<form method=\"post\">") && page.contains("type=\"password\""), "{page}");
            assert!(page.contains("AUTHENTICATION_REQUIRED") && page.contains(id.as_str()), "{page}");
            assert!(!page.contains("<script"), "{page}");
        }
        assert!(!asked.contains("not right") && again.contains("That password is not right."));
    }

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
