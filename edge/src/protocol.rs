//! The rules of HTTP that the edge applies by itself: pure functions over header values, without I/O.

pub(crate) mod accept_encoding;
pub(crate) mod accept_page;
pub(crate) mod authority;
pub(crate) mod cache_control;
pub(crate) mod conditional;
pub(crate) mod headers;
#[cfg(any(test, fuzzing))]
pub(crate) mod laws;
pub(crate) mod normal_path;
pub(crate) mod range;

/// The weight of a list element in thousandths, from what follows its first `;`. `None` if it is not a weight at all.
///
/// Parameters other than `q` are passed over; without `q` an element weighs 1000.
fn weight_of(parameters: &str) -> Option<u16> {
    let mut weight = 1000;
    for parameter in parameters.split(';').map(str::trim).filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }
    Some(weight)
}

/// A `qvalue` (RFC 9110, section 12.4.2): `0`, `0.5`, `1.000`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut value = 0;
    for place in 0..3 {
        value = value * 10 + fraction.as_bytes().get(place).map_or(0, |digit| u16::from(digit - b'0'));
    }
    match (whole, value) {
        ("0", value) => Some(value),
        ("1", 0) => Some(1000),
        _ => None,
    }
}
