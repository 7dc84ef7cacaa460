//! Names of the world: where they lead, and the proof that they are whose they are said to be.

mod proof;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ship_core::{DomainName, HostLabel, ProjectName};
use ship_store::{StateError, Store};

pub(crate) use self::proof::{ProofError, ProofReader};

/// The names that are served. Requests read them without a lock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Domains {
    served: Arc<ArcSwap<Served>>,
}

/// What is served under which name.
#[derive(Debug, Default)]
struct Served {
    by_name: HashMap<String, Destination>,
    /// The name under which a project's production is shown to people: of several, the one that was proved first.
    main: HashMap<HostLabel, DomainName>,
}

/// Where a name leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Destination {
    /// To a project's production.
    Production(ProjectName),
    /// To another name.
    Redirect(DomainName),
}

impl Domains {
    /// Reads anew what is served.
    pub(crate) fn reload(&self, store: &Store) -> Result<(), StateError> {
        let mut domains = store.domains().list(None)?;
        domains.retain(|domain| domain.verified_at.is_some());
        domains.sort_by_key(|domain| domain.verified_at);
        let mut served = Served::default();
        for domain in domains {
            let destination = if let Some(name) = domain.redirect_to {
                Destination::Redirect(name)
            } else {
                let label = HostLabel::production(&domain.project);
                served.main.entry(label).or_insert_with(|| domain.name.clone());
                Destination::Production(domain.project)
            };
            served.by_name.insert(domain.name.to_string(), destination);
        }
        self.served.store(Arc::new(served));
        Ok(())
    }

    /// Where a host name leads, in lower case and without a dot at its end.
    pub(crate) fn destination(&self, name: &str) -> Option<Destination> {
        self.served.load().by_name.get(name).cloned()
    }

    /// Whether a host name leads anywhere.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.served.load().by_name.contains_key(name)
    }

    /// The name under which the site of a label is shown to people, if it is a production with a name of its own.
    pub(crate) fn main(&self, label: &HostLabel) -> Option<DomainName> {
        self.served.load().main.get(label).cloned()
    }

    /// All names that are served.
    pub(crate) fn names(&self) -> Vec<String> {
        self.served.load().by_name.keys().cloned().collect()
    }
}
