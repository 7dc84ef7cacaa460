//! What the functions of a deployment find set: what the host tells them, over the variables that it keeps for them, over what stands
//! in the project's own files.

use std::sync::Arc;

use ship_core::{DeploymentEnvironment, Digest, DigestHasher, VariableKind};
use ship_runtime::FunctionEnvironment;
use ship_store::{OpenedVariable, VariablesError};
use tokio::sync::OnceCell;

/// Opens the variables of a deployment. Blocks.
type Opener = dyn Fn() -> Result<Vec<OpenedVariable>, VariablesError> + Send + Sync;

/// What the functions of a deployment find set. Variables stay sealed until a function is needed: a site without visitors, or
/// without functions, has no secret in memory, and a host that has lost its key still serves what needs none.
pub struct SiteEnvironment {
    told: Vec<(String, String)>,
    /// Tells environments of a deployment from each other, without opening anything.
    edition: Digest,
    opener: Option<Arc<Opener>>,
    of_functions: OnceCell<FunctionEnvironment>,
}

impl SiteEnvironment {
    /// What the host tells functions of their deployment, and what opens the variables that it keeps for them, whose newest version is
    /// `variables`.
    pub fn new(
        told: Vec<(String, String)>,
        variables: u64,
        opener: impl Fn() -> Result<Vec<OpenedVariable>, VariablesError> + Send + Sync + 'static,
    ) -> Self {
        Self { edition: edition(&told, variables), opener: Some(Arc::new(opener)), ..told.into() }
    }

    /// What the host tells functions of their deployment.
    pub(crate) fn told(&self) -> &[(String, String)] {
        &self.told
    }

    /// Tells this environment from others of the same deployment.
    pub(crate) const fn edition(&self) -> Digest {
        self.edition
    }

    /// All that functions find set, over `own`, which stands in the project's files. `None` if the host stops meanwhile.
    pub(crate) async fn of_functions(
        &self,
        own: &DeploymentEnvironment,
    ) -> Option<Result<FunctionEnvironment, VariablesError>> {
        let made = self.of_functions.get_or_try_init(async || {
            let variables = match self.opener.clone() {
                None => Vec::new(),
                Some(open) => {
                    let opened = tokio::task::spawn_blocking(move || open()).await;
                    opened.map_err(|_| None)?.map_err(Some)?
                }
            };
            Ok(join(own, variables, &self.told))
        });
        match made.await {
            Ok(environment) => Some(Ok(environment.clone())),
            Err(Some(error)) => Some(Err(error)),
            Err(None) => None,
        }
    }
}

impl From<Vec<(String, String)>> for SiteEnvironment {
    /// Without variables.
    fn from(told: Vec<(String, String)>) -> Self {
        Self { edition: edition(&told, 0), told, opener: None, of_functions: OnceCell::new() }
    }
}

fn edition(told: &[(String, String)], variables: u64) -> Digest {
    let mut hasher = DigestHasher::new();
    for (name, value) in told {
        hasher.update_field(name.as_bytes());
        hasher.update_field(value.as_bytes());
    }
    hasher.update_field(&variables.to_le_bytes());
    hasher.finish()
}

fn join(own: &DeploymentEnvironment, variables: Vec<OpenedVariable>, told: &[(String, String)]) -> FunctionEnvironment {
    let is_told = |name: &str| told.iter().any(|(other, _)| other == name);
    let kept: Vec<OpenedVariable> = variables.into_iter().filter(|variable| !is_told(variable.name.as_str())).collect();
    let pair = |variable: &OpenedVariable| (variable.name.to_string(), variable.value.expose().to_owned());
    let above = kept.iter().map(pair).chain(told.iter().cloned()).collect();
    FunctionEnvironment::new(own.beneath(above), |name| {
        kept.iter().any(|variable| variable.kind == VariableKind::Secret && variable.name.as_str() == name)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn variable(name: &str, value: &str) -> OpenedVariable {
        let value = value.to_owned().try_into().unwrap();
        OpenedVariable { name: name.parse().unwrap(), kind: VariableKind::Secret, value }
    }

    /// What the host says goes before what is set for the project, and that before what its files say.
    #[test]
    fn order() {
        let own: BTreeMap<String, String> =
            pairs(&[("A", "file"), ("B", "file"), ("URL", "file")]).into_iter().collect();
        let variables = vec![variable("B", "kept"), variable("C", "kept"), variable("URL", "kept")];
        let joined = join(&own.try_into().unwrap(), variables, &pairs(&[("URL", "told")]));
        assert_eq!(joined.pairs(), pairs(&[("A", "file"), ("B", "kept"), ("C", "kept"), ("URL", "told")]));
        assert_eq!(format!("{joined:?}"), r#"{"A", "B", "C", "URL"}"#);
    }
}
