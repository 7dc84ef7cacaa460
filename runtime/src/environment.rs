//! What a function finds set, and which of it is secret.

use std::fmt;
use std::sync::Arc;

use ship_core::{Digest, DigestHasher};

use crate::output::Mask;

/// The environment that a function's owner gave it. Cheap to clone; `Debug` shows names alone.
#[derive(Clone)]
pub struct FunctionEnvironment {
    inner: Arc<Inner>,
}

struct Inner {
    pairs: Vec<(String, String)>,
    digest: Digest,
    mask: Mask,
}

impl FunctionEnvironment {
    /// Names with their values. The values of those that `is_secret` takes are hidden where the function prints them.
    pub fn new(pairs: Vec<(String, String)>, is_secret: impl Fn(&str) -> bool) -> Self {
        let mut hasher = DigestHasher::new();
        for (name, value) in &pairs {
            hasher.update_field(name.as_bytes());
            hasher.update_field(value.as_bytes());
        }
        let mask = Mask::new(pairs.iter().filter(|(name, _)| is_secret(name)));
        Self { inner: Arc::new(Inner { digest: hasher.finish(), mask, pairs }) }
    }

    /// Names and values.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.inner.pairs
    }

    /// What hides the secret ones.
    pub(crate) fn mask(&self) -> &Mask {
        &self.inner.mask
    }
}

impl Default for FunctionEnvironment {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<(String, String)>> for FunctionEnvironment {
    /// An environment without secrets.
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self::new(pairs, |_| false)
    }
}

/// Two environments are one if a function cannot tell them apart.
impl PartialEq for FunctionEnvironment {
    fn eq(&self, other: &Self) -> bool {
        self.inner.digest == other.inner.digest
    }
}

impl Eq for FunctionEnvironment {}

impl fmt::Debug for FunctionEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pairs().iter().map(|(name, _)| name)).finish()
    }
}
