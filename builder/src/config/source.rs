//! `source` of redirects, rewrites, headers and cross-origin rules.

use ship_core::route::{CaseRule, Pattern, SourcePattern};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};

/// A source, and the pattern of the route table that it stands for.
pub(super) fn source_pattern(
    text: ConfigText<'_>,
    written: &Spanned<String>,
) -> Result<(SourcePattern, Pattern), ConfigError> {
    let wrong = |message: String| text.error(written.span(), message);
    // A group can begin with the `/` that every path begins with: `(.*)` is about all of them.
    if !written.get_ref().starts_with(['/', '(']) {
        return Err(wrong(format!("the source `{}` does not start with `/`", written.get_ref())));
    }
    let source = SourcePattern::parse(written.get_ref()).map_err(|error| wrong(error.to_string()))?;
    let pattern = Pattern::anchored(source.regex(), CaseRule::Sensitive).map_err(|error| wrong(error.to_string()))?;
    Ok((source, pattern))
}
