//! Deployments that are published by the control API: ten thousand commands would take many times as long.

use serde_json::json;
use ship_core::Digest;
use ship_tests::TestHost;

/// Sends a page, so that deployments can name it.
pub(crate) fn send_page(host: &TestHost<'_>, content: &str) -> Page {
    let digest = Digest::of(content.as_bytes()).to_string();
    let stored = host.control("PUT", &format!("/v1/blobs/{digest}")).body(content.as_bytes()).send();
    assert!([200, 201].contains(&stored.status), "{}", stored.text());
    Page { digest, bytes: content.len() }
}

/// A page that a host has.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    digest: String,
    bytes: usize,
}

/// Publishes a deployment of a page in `project`. Its name in the deployment is what makes it another one than those before it. The deployment's URL.
pub(crate) fn publish(host: &TestHost<'_>, project: &str, page: &Page, name: &str) -> String {
    let asset = json!({
        "path": name,
        "digest": page.digest,
        "size_bytes": page.bytes,
        "media_type": "text/html; charset=utf-8",
    });
    let manifest = json!({ "version": 1, "assets": [asset], "functions": [], "routes": [], "cors": [] });
    let order = json!({ "manifest": manifest, "publish": { "target": "preview" } });
    let path = format!("/v1/projects/{project}/deployments");
    let request = host.control("POST", &path).header("content-type", "application/json");
    let published = request.body(order.to_string()).send();
    assert_eq!(published.status, 201, "{}", published.text());
    published.json()["url"].as_str().expect("a deployment has a URL").to_owned()
}
