//! Media types by file extension.

use ship_core::{MediaType, SitePath};

/// What the table of `mime_guess` lacks, or says otherwise than browsers expect.
const OWN: [(&str, &str); 18] = [
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("jsonld", "application/ld+json"),
    ("map", "application/json"),
    ("markdown", "text/markdown; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("otf", "font/otf"),
    ("rss", "application/rss+xml"),
    ("ts", "video/mp2t"),
    ("wasm", "application/wasm"),
    ("webmanifest", "application/manifest+json"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xml", "application/xml"),
];

/// Files that are known by their whole name.
const BY_NAME: [(&str, &str); 1] = [("apple-app-site-association", "application/json")];

/// What a file is served as.
pub(crate) fn media_type(path: &SitePath) -> MediaType {
    let by_name = BY_NAME.iter().find(|(name, _)| *name == path.file_name());
    if let Some((_, media_type)) = by_name {
        return parsed(media_type);
    }
    let Some(extension) = path.extension() else { return MediaType::octet_stream() };
    let extension = extension.to_ascii_lowercase();
    if let Ok(index) = OWN.binary_search_by_key(&extension.as_str(), |(known, _)| known) {
        return parsed(OWN[index].1);
    }
    match mime_guess::from_ext(&extension).first_raw() {
        Some(text) if text.starts_with("text/") => parsed(&format!("{text}; charset=utf-8")),
        Some(other) => parsed(other),
        None => MediaType::octet_stream(),
    }
}

fn parsed(text: &str) -> MediaType {
    text.parse().unwrap_or_else(|_| MediaType::octet_stream())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The types that browsers are strict about, and a charset for every text.
    #[test]
    fn types() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a/APP.JS", "text/javascript; charset=utf-8"),
            ("app.mjs", "text/javascript; charset=utf-8"),
            ("style.css", "text/css; charset=utf-8"),
            ("app.js.map", "application/json"),
            ("data.json", "application/json"),
            ("site.webmanifest", "application/manifest+json"),
            ("lib.wasm", "application/wasm"),
            ("font.woff2", "font/woff2"),
            ("photo.avif", "image/avif"),
            ("photo.webp", "image/webp"),
            ("logo.svg", "image/svg+xml"),
            ("notes.md", "text/markdown; charset=utf-8"),
            ("robots.txt", "text/plain; charset=utf-8"),
            ("feed.xml", "application/xml"),
            ("doc.pdf", "application/pdf"),
            (".well-known/apple-app-site-association", "application/json"),
            ("LICENSE", "application/octet-stream"),
            ("a.unheardof", "application/octet-stream"),
        ] {
            assert_eq!(media_type(&name.parse().unwrap()).as_str(), expected, "{name}");
        }
        assert!(OWN.is_sorted(), "the table is searched by halves");
    }
}
