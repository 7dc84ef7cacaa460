//! The templates of pictures. What goes into them is escaped where it stands.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use crate::error::CommandError;
use crate::output::{plain, size};

/// Names and texts. What is put into one whose name ends in `.xml` or `.html` is escaped.
const TEMPLATES: [(&str, &str); 2] =
    [("graph.xml", include_str!("templates/graph.xml")), ("bundle.html", include_str!("templates/bundle.html"))];

/// The text of a template.
pub(super) fn render<T: Serialize>(name: &str, values: &T) -> Result<String, CommandError> {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.add_filter("plain", |text: &str| harmless(text));
    environment.add_filter("size", |bytes: u64| size(bytes));
    let rendered = TEMPLATES.into_iter().try_for_each(|(name, text)| environment.add_template(name, text));
    let rendered = rendered.and_then(|()| environment.get_template(name)?.render(Value::from(Serde(values))));
    rendered.map_err(CommandError::project)
}

/// Text from outside, without what no document may hold (XML 1.0, section 2.2) and what would turn or hide other text.
fn harmless(text: &str) -> String {
    plain(text).replace(['\n', '\t', '\u{fffe}', '\u{ffff}'], " ")
}
