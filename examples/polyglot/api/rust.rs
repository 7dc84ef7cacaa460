use http::{Request, Response};

/// Answers with a number that is the same for the same ?word=: its FNV-1a hash.
pub async fn handler(request: Request<Vec<u8>>) -> Result<Response<String>, http::Error> {
    let word = request.uri().query().and_then(|query| query.strip_prefix("word=")).unwrap_or_default();
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let body = format!(r#"{{"language":"Rust","version":"2024","answer":"{hash:016x}"}}"#);
    Response::builder().header("content-type", "application/json").body(body)
}
