//! Logging in with a token, and out again.

use axum::Form;
use axum::extract::Query;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use minijinja::{Value, context};
use ship_api::ErrorDetail;

use super::doorman::SESSION;
use super::seat::{COOKIE_NAME, Guest, secret_in};
use super::templates::{self, data};
use super::{State, assets};
use crate::control::Peer;
use crate::token::PlainToken;

/// What a login page is asked with.
#[derive(serde::Deserialize)]
pub(super) struct LoginQuery {
    #[serde(default)]
    next: Option<String>,
    /// Whether a session was given to the browser just now.
    #[serde(default)]
    given: bool,
}

/// What the login form sends.
#[derive(serde::Deserialize)]
pub(super) struct LoginForm {
    token: String,
    #[serde(default)]
    next: Option<String>,
}

/// The page that asks for a token, or leads on who has a session.
pub(super) async fn form(Guest(seat): Guest, Query(LoginQuery { next, given }): Query<LoginQuery>) -> Response {
    let next = own_path(next);
    if seat.is_some() {
        return Redirect::to(&next).into_response();
    }
    login_page(&next, context! { unkept => given })
}

/// Takes a token, and gives the browser a session for it.
pub(super) async fn log_in(
    axum::extract::State(dashboard): State,
    axum::Extension(Peer(peer)): axum::Extension<Peer>,
    Form(LoginForm { token, next }): Form<LoginForm>,
) -> Response {
    let next = own_path(next);
    match dashboard.doorman.admit(token.trim(), peer).await {
        Ok(secret) => begun(&secret, &next),
        Err(error) => refused(&error, &next),
    }
}

/// What an address is opened with that logs in.
#[derive(serde::Deserialize)]
pub(super) struct EnterQuery {
    #[serde(default)]
    code: String,
}

/// Logs a browser in that was opened with a code. A page elsewhere cannot have somebody logged in as somebody else: what it leads here
/// is asked for a token.
pub(super) async fn enter(
    axum::extract::State(dashboard): State,
    axum::Extension(Peer(peer)): axum::Extension<Peer>,
    headers: HeaderMap,
    Query(EnterQuery { code }): Query<EnterQuery>,
) -> Response {
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    if !matches!(site, None | Some(b"none" | b"same-origin")) {
        return login_page("/", context! {});
    }
    match dashboard.doorman.admit_with_code(&code, peer).await {
        Ok(secret) => begun(&secret, "/"),
        Err(error) => refused(&error, "/"),
    }
}

/// Ends the session, whatever it is good for still.
pub(super) async fn log_out(axum::extract::State(dashboard): State, headers: HeaderMap) -> Response {
    if let Some(secret) = secret_in(&headers)
        && let Err(error) = dashboard.doorman.dismiss(&secret).await
    {
        return refused(&error, "/");
    }
    let gone = format!("{COOKIE_NAME}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    ([(SET_COOKIE, gone)], Redirect::to("/login")).into_response()
}

/// Gives the browser its session, and leads it on by way of the login page, which notices a browser that has not kept it.
pub(super) fn begun(secret: &PlainToken, next: &str) -> Response {
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}",
        secret.expose_secret(),
        SESSION.as_secs()
    );
    let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
    ([(SET_COOKIE, cookie)], Redirect::to(&format!("/login?given=true&next={next}"))).into_response()
}

fn refused(error: &ErrorDetail, next: &str) -> Response {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let page = login_page(next, context! { error => data(error) });
    let mut response = (status, page).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("2"));
    }
    response
}

fn login_page(next: &str, values: Value) -> Response {
    templates::page("login.html", context! { next, assets => assets::base(), ..values })
}

/// A path of the dashboard to go on to: nobody is led elsewhere by a login. Browsers read `\` as `/` and drop tabs and ends of lines
/// wherever they stand (URL Standard, section 4.4), so that `/<tab>/name` is another host.
fn own_path(next: Option<String>) -> String {
    let is_own = |path: &String| {
        let is_of_uris = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        path.starts_with('/') && !path.starts_with("//") && path.bytes().all(is_of_uris)
    };
    next.filter(is_own).filter(|path| !path.starts_with("/login")).unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A login leads to paths of the dashboard and nowhere else.
    #[test]
    fn own_paths() {
        let led = |next: &str| own_path(Some(next.to_owned()));
        assert_eq!(led("/projects/blue?text=a"), "/projects/blue?text=a");
        for elsewhere in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "evil", "/login", "/ä", "/\r\nx"]
                .into_iter()
                .chain(["/\t/evil.example", "\t//evil.example", "/\u{b}/evil.example", " //evil.example", "/a b"])
        {
            assert_eq!(led(elsewhere), "/", "{elsewhere:?}");
        }
        assert_eq!(own_path(None), "/");
    }
}
