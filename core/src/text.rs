//! What types with one text form share: serde through `Display` and `FromStr`, so no unchecked value can arrive, and a person's words.

/// Implements `Serialize` through `Display` and `Deserialize` through `FromStr`.
macro_rules! serde_through_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_through_text;

/// What a person wrote, as one line of at most `most` characters: control characters go, and so does white space around it. `None`
/// if nothing is left.
pub(crate) fn words(text: &str, most: usize) -> Option<Box<str>> {
    let plain: String = text.chars().filter(|character| !character.is_control()).collect();
    let words: String = plain.trim().chars().take(most).collect();
    (!words.is_empty()).then(|| words.into())
}
