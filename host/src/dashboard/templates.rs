//! The templates of the pages. What goes into them is escaped for HTML where it stands; nothing is ever put in as it is.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse as _, Response};
use http::StatusCode;
use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::text;

/// Names and texts. A name that ends in `.html` has what is put in escaped.
const TEMPLATES: [(&str, &str); 17] = [
    ("audit.html", include_str!("templates/audit.html")),
    ("base.html", include_str!("templates/base.html")),
    ("charts.html", include_str!("templates/charts.html")),
    ("confirm.html", include_str!("templates/confirm.html")),
    ("deployment.html", include_str!("templates/deployment.html")),
    ("deployments.html", include_str!("templates/deployments.html")),
    ("device.html", include_str!("templates/device.html")),
    ("failure.html", include_str!("templates/failure.html")),
    ("host.html", include_str!("templates/host.html")),
    ("log_rows.html", include_str!("templates/log_rows.html")),
    ("login.html", include_str!("templates/login.html")),
    ("logs.html", include_str!("templates/logs.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("projects.html", include_str!("templates/projects.html")),
    ("remove_token.html", include_str!("templates/remove_token.html")),
    ("settings.html", include_str!("templates/settings.html")),
    ("tokens.html", include_str!("templates/tokens.html")),
];

/// Made when the first page is asked for: a host that nobody looks at holds none of it.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    text::add_filters(&mut environment);
    for (name, source) in TEMPLATES {
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!(%error, name, "a template of the dashboard is wrong");
        }
    }
    environment
});

/// A page.
pub(super) fn page(name: &str, values: Value) -> Response {
    match render(name, values) {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, name, "a page of the dashboard cannot be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be made. The host's log says why.\n").into_response()
        }
    }
}

/// What the API says, as templates see it: by the names that it has on the wire.
pub(super) fn data<T: Serialize + ?Sized>(of: &T) -> Value {
    Value::from(Serde(of))
}

/// The text of a template.
pub(super) fn render(name: &str, values: Value) -> Result<String, minijinja::Error> {
    let now = Timestamp::now().to_string();
    ENVIRONMENT.get_template(name)?.render(context! { now, ..values })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every template can be read.
    #[test]
    fn all_are_right() {
        assert_eq!(ENVIRONMENT.templates().count(), TEMPLATES.len());
    }

    /// Markup is text.
    #[test]
    fn escaped() {
        let error = context! { code => "NOT_FOUND", message => "<script>alert(1)</script>", hint => "\"><img src=x>" };
        let page = render("login.html", context! { error, next => "/\"><b>" }).unwrap();
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
}
