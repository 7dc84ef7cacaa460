//! The script that `ship dev` adds to pages, so that they reload when a file changes.

use bytes::Bytes;

/// A script element to be added to each page.
pub(crate) struct PageScript(String);

impl PageScript {
    /// The script, with its element around it.
    pub(crate) fn new(element: String) -> Self {
        Self(element)
    }

    /// The page with the script before the end of its body; at its end if it has none.
    pub(crate) fn added_to(&self, page: &[u8]) -> Bytes {
        let end = b"</body";
        let at = page.windows(end.len()).rposition(|window| window.eq_ignore_ascii_case(end)).unwrap_or(page.len());
        [&page[..at], self.0.as_bytes(), &page[at..]].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script stands before the last end of a body, in any case; a page that leaves it out gets the script at its end.
    #[test]
    fn places() {
        let script = PageScript::new("<script></script>".to_owned());
        for (page, expected) in [
            ("<body>a</body></html>", "<body>a<script></script></body></html>"),
            ("<p>'</body>'</BODY>", "<p>'</body>'<script></script></BODY>"),
            ("<p>a", "<p>a<script></script>"),
            ("", "<script></script>"),
        ] {
            assert_eq!(script.added_to(page.as_bytes()), expected);
        }
    }
}
