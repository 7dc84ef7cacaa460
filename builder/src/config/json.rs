//! JSON in the values of the TOML reader, each with its place, so that both files are read into one model by one deserializer.

use jsonc_parser::ast::{Object, ObjectPropName, Value};
use jsonc_parser::common::{Range, Ranged as _};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostic::{ConfigError, ConfigText};

/// JSON and nothing beyond it: what ship reads, Vercel must read as well.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads the object that the text consists of. Keys whose value is `null` are left out: it stands for what holds without them.
pub(super) fn read(text: ConfigText<'_>) -> Result<Spanned<DeTable<'_>>, ConfigError> {
    let parsed = parse_to_ast(text.text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let range = error.range();
        text.error(range.start..range.end, in_our_words(&error.kind().to_string()))
    })?;
    match parsed.value {
        Some(Value::Object(object)) => Ok(Spanned::new(span(object.range), table(text, object)?)),
        Some(other) => Err(text.error(span(other.range()), "expected an object, as in `{ \"cleanUrls\": true }`")),
        None => Err(text.error(0..0, "the file is empty: expected an object, at least `{}`")),
    }
}

fn span(range: Range) -> std::ops::Range<usize> {
    range.start..range.end
}

fn table<'t>(text: ConfigText<'_>, object: Object<'t>) -> Result<DeTable<'t>, ConfigError> {
    let mut table = DeTable::new();
    for property in object.properties {
        let (place, name) = match property.name {
            ObjectPropName::String(name) => (span(name.range), name.value),
            ObjectPropName::Word(name) => (span(name.range), name.value.into()),
        };
        if table.contains_key(&*name) {
            return Err(text.error(place, format!("the key `{name}` is there twice")));
        }
        if let Some(value) = value(text, property.value)? {
            table.insert(Spanned::new(place, name), value);
        }
    }
    Ok(table)
}

/// A value; `None` for `null`.
fn value<'t>(text: ConfigText<'_>, value: Value<'t>) -> Result<Option<Spanned<DeValue<'t>>>, ConfigError> {
    let place = span(value.range());
    let value = match value {
        Value::NullKeyword(_) => return Ok(None),
        Value::StringLit(string) => DeValue::String(string.value),
        Value::BooleanLit(boolean) => DeValue::Boolean(boolean.value),
        Value::NumberLit(number) => match DeValue::parse(number.value) {
            Ok(number) => number.into_inner(),
            Err(_) => return Err(text.error(place, "this is not a number of JSON")),
        },
        Value::Object(object) => DeValue::Table(table(text, object)?),
        Value::Array(array) => {
            let mut list = DeArray::new();
            for element in array.elements {
                let place = span(element.range());
                let null = || text.error(place, "`null` stands for nothing in a list: leave it out");
                list.push(self::value(text, element)?.ok_or_else(null)?);
            }
            DeValue::Array(list)
        }
    };
    Ok(Some(Spanned::new(place, value)))
}

fn in_our_words(kind: &str) -> String {
    let mut characters = kind.trim_end_matches('.').chars();
    let message: String = characters.next().into_iter().flat_map(char::to_lowercase).chain(characters).collect();
    if message.contains("omment") || message.contains("railing comma") { format!("{message} in JSON") } else { message }
}
