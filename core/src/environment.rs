//! Variables that a deployment's functions find set.

use std::collections::BTreeMap;

/// The most bytes that one name and its value may have together: one may have all that there is.
pub(crate) const MAX_PAIR_BYTES: usize = MAX_BYTES;

/// The most bytes that all may have together: Vercel's bound. Every instance of a function is started with them, and what a host keeps for
/// the project comes on top.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// Variables by their names. They are part of what a deployment is, and so no place for secrets.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct DeploymentEnvironment(BTreeMap<String, String>);

impl DeploymentEnvironment {
    /// Each variable with its value, by their names in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These and `others`, whose values go before these.
    pub fn beneath(&self, others: Vec<(String, String)>) -> Vec<(String, String)> {
        let is_own = |name: &str| others.iter().all(|(other, _)| other != name);
        let own = self.iter().filter(|(name, _)| is_own(name));
        let mut all: Vec<_> = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        all.extend(others);
        all
    }
}

impl TryFrom<BTreeMap<String, String>> for DeploymentEnvironment {
    type Error = EnvironmentError;

    fn try_from(variables: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        let mut bytes = 0;
        for (name, value) in &variables {
            if !is_variable_name(name) {
                return Err(EnvironmentError::Name { name: name.clone() });
            }
            if value.contains('\0') || name.len() + value.len() > MAX_PAIR_BYTES {
                return Err(EnvironmentError::Value { name: name.clone() });
            }
            bytes += name.len() + value.len();
        }
        if bytes > MAX_BYTES { Err(EnvironmentError::TooLarge { bytes }) } else { Ok(Self(variables)) }
    }
}

/// Whether a shell could name a variable so.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl EnvironmentError {
    /// The variable that it is about, if it is about one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name { name } | Self::Value { name } => Some(name),
            Self::TooLarge { .. } => None,
        }
    }
}

/// A program cannot be started with these variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// No variable can be called so.
    #[error("{name:?} cannot name a variable: letters, digits and `_` can stand in it, and no digit first")]
    Name {
        /// What was found.
        name: String,
    },
    /// A value that no program can be given.
    #[error("the value of `{name}` has a NUL in it or more than {MAX_PAIR_BYTES} bytes")]
    Value {
        /// Whose.
        name: String,
    },
    /// All together are too much.
    #[error("the variables have {bytes} bytes, more than the {MAX_BYTES} that they may have together")]
    TooLarge {
        /// How many they have.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<DeploymentEnvironment, EnvironmentError> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect::<BTreeMap<_, _>>().try_into()
    }

    /// What a program cannot be started with is refused, and which variable it is about is said.
    #[test]
    fn what_may_be_set() {
        assert!(of(&[("A", ""), ("_b2", "x = y\nz")]).is_ok());
        for name in ["", "2A", "A=B", "A B", "Ä", "A\0"] {
            assert_eq!(of(&[(name, "")]), Err(EnvironmentError::Name { name: name.to_owned() }));
        }
        assert_eq!(of(&[("A", "x\0y")]), Err(EnvironmentError::Value { name: "A".to_owned() }));
        assert_eq!(of(&[("A", &"x".repeat(MAX_PAIR_BYTES))]), Err(EnvironmentError::Value { name: "A".to_owned() }));
        let long = "x".repeat(MAX_PAIR_BYTES - 1);
        assert_eq!(
            of(&[("A", &long), ("B", &long), ("C", &long)]),
            Err(EnvironmentError::TooLarge { bytes: 3 * MAX_PAIR_BYTES })
        );
    }

    /// What a host says of a deployment goes before what the deployment says of itself.
    #[test]
    fn beneath() {
        let own = of(&[("A", "own"), ("VERCEL", "own")]).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(own.beneath(vec![pair("VERCEL", "1")]), [pair("A", "own"), pair("VERCEL", "1")]);
    }
}
