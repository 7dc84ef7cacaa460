//! `Accept` on an error: a page for a person, JSON for a program, a line of text for a terminal.

use http::{HeaderMap, header};

use super::weight_of;

/// The form of an error's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ErrorForm {
    /// A self-contained HTML page.
    Page,
    /// `{"error": {…}}`.
    Json,
    /// One line.
    Text,
}

impl ErrorForm {
    /// What the `Accept` header asks for by name, the heavier first and a page before JSON; else `otherwise`.
    pub(crate) fn of(headers: &HeaderMap, otherwise: Self) -> Self {
        let (mut html, mut json) = (0, 0);
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for element in values.flat_map(|value| value.split(',')) {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let (name, weight) = (name.trim(), weight_of(parameters).unwrap_or(0));
            if name.eq_ignore_ascii_case("text/html") || name.eq_ignore_ascii_case("application/xhtml+xml") {
                html = html.max(weight);
            } else if name.eq_ignore_ascii_case("application/json") || name.ends_with("+json") {
                json = json.max(weight);
            }
        }
        match (html, json) {
            (0, 0) => otherwise,
            (html, json) if html >= json => Self::Page,
            _ => Self::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Browsers get a page, programs JSON, and who names neither gets what the path suggests.
    #[test]
    fn forms() {
        for (value, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ErrorForm::Page),
            ("application/json, text/plain, */*", ErrorForm::Json),
            ("application/problem+json", ErrorForm::Json),
            ("text/html;q=0.5, application/json", ErrorForm::Json),
            ("text/html;q=0", ErrorForm::Text),
            ("*/*", ErrorForm::Text),
            ("", ErrorForm::Text),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, value.parse().unwrap());
            assert_eq!(ErrorForm::of(&headers, ErrorForm::Text), expected, "{value:?}");
        }
        assert_eq!(ErrorForm::of(&HeaderMap::new(), ErrorForm::Json), ErrorForm::Json);
    }
}
