//! A function: every file below api/ answers at its own path.

use http::{Request, Response};

/// Answers at /api/rust, with a greeting for ?name=.
pub async fn handler(request: Request<Vec<u8>>) -> Result<Response<String>, http::Error> {
    let query = request.uri().query().unwrap_or_default();
    let name = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
    let name = name.map_or("you".into(), |(_, name)| name);
    let body = serde_json::json!({ "greeting": format!("Hello {name}, from Rust") });
    Response::builder().header("content-type", "application/json").body(body.to_string())
}
