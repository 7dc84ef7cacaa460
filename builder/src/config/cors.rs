//! `[[cors]]`: cross-origin rules.

use ship_core::{CorsRule, CorsRuleError, Credentials, OriginPattern};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::functions::in_range;
use super::model::{Configuration, CorsEntry};
use super::routes::is_token;
use super::source::source_pattern;

/// What a preflight allows when an entry names no methods: what pages do, without the methods that no page needs.
const DEFAULT_CORS_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// How long a browser keeps a preflight's answer: two hours, the most that Chromium honours.
const DEFAULT_CORS_MAX_AGE_SECS: i64 = 7200;

/// The longest that any browser keeps a preflight's answer: a day.
const MAX_CORS_MAX_AGE_SECS: i64 = 86_400;

/// The cross-origin rules that a file asks for.
pub(crate) fn cors_rules(text: ConfigText<'_>, file: &Configuration) -> Result<Vec<CorsRule>, ConfigError> {
    file.cors.iter().map(|entry| cors_rule(text, entry)).collect()
}

fn cors_rule(text: ConfigText<'_>, entry: &CorsEntry) -> Result<CorsRule, ConfigError> {
    let (source, _) = source_pattern(text, &entry.source)?;
    let origin = |written: &Spanned<String>| {
        written.get_ref().parse::<OriginPattern>().map_err(|error| text.error(written.span(), error.to_string()))
    };
    let origins = entry.origins.get_ref().iter().map(origin).collect::<Result<Vec<_>, _>>()?;
    if origins.is_empty() {
        return Err(text.error(entry.origins.span(), "`origins` names no origin"));
    }
    let max_age = match &entry.max_age_secs {
        None => DEFAULT_CORS_MAX_AGE_SECS,
        Some(written) => {
            in_range(text, "max_age_secs", written, 0, MAX_CORS_MAX_AGE_SECS)?;
            *written.get_ref()
        }
    };
    let methods = match &entry.methods {
        None => DEFAULT_CORS_METHODS.map(str::to_owned).to_vec(),
        Some(written) => tokens(text, written, str::to_ascii_uppercase)?,
    };
    let headers = tokens(text, &entry.headers, str::to_ascii_lowercase)?;
    let (credentials, place) = match &entry.credentials {
        Some(written) if *written.get_ref() => (Credentials::Allowed, written.span()),
        _ => (Credentials::Omitted, entry.source.span()),
    };
    CorsRule::new(source.regex(), origins, methods, headers, credentials, u32::try_from(max_age).unwrap_or(0)).map_err(
        |error| match error {
            CorsRuleError::AnyOriginWithCredentials { .. } => text.error(
                place,
                "`*` among the origins allows every page to read answers, which cannot go with credentials: name the \
                 origins, or drop `credentials`",
            ),
            other => text.error(place, other.to_string()),
        },
    )
}

/// Method or header names, in the case in which they are compared.
fn tokens(
    text: ConfigText<'_>,
    written: &[Spanned<String>],
    normal: fn(&str) -> String,
) -> Result<Vec<String>, ConfigError> {
    let token = |word: &Spanned<String>| {
        if !is_token(word.get_ref()) {
            return Err(text.error(word.span(), format!("{:?} is neither a method nor a header name", word.get_ref())));
        }
        Ok(normal(word.get_ref()))
    };
    written.iter().map(token).collect()
}
