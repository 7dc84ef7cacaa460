//! The map from host labels to deployments: what a publish changes and every request reads.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use arc_swap::ArcSwapOption;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use ship_core::{DeploymentId, HostLabel, ProjectName};
use ship_edge::{Edge, Indexing, LiveDeployment, ServerTiming, Site, host_label};
use ship_store::Store;
use tokio::sync::mpsc;

use crate::blocking::blocking;
use crate::domains::{Destination, Domains};
use crate::environments::Environments;
use crate::protection::{self, ProjectGate, Protections, SiteKind};
use crate::urls::Urls;

/// How much memory deployments that are being served may use, in bytes. A deployment nobody asks for uses none of it.
const LIVE_BYTES: u64 = 48 * 1024 * 1024;

/// The most that one of them counts as. A deployment that takes more is kept all the same, and at most two such are at once: read anew for each
/// request, its manifest would be in memory as often as there are requests.
const MOST_COUNTED_BYTES: u64 = LIVE_BYTES / 2;

/// How many deployments are usually served at once; it sizes the table, not the limit.
const USUALLY_LIVE: usize = 1024;

/// Where one label leads. Requests read it without a lock; a publish swaps what it points to.
struct Slot {
    project: ProjectName,
    deployment: ArcSwapOption<DeploymentId>,
    own_origins: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    kind: SiteKind,
    gate: Arc<ProjectGate>,
}

/// All labels of a host, and the deployments that are being served.
#[derive(Clone)]
pub(crate) struct SiteMap {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    urls: Urls,
    environments: Environments,
    protections: Protections,
    edge: Arc<Edge>,
    labels: Arc<RwLock<HashMap<HostLabel, Arc<Slot>>>>,
    live: Cache<DeploymentId, Arc<LiveDeployment>, LiveWeight>,
    newcomers: OnceLock<mpsc::UnboundedSender<String>>,
}

impl Slot {
    /// The deployment as it is seen at the label.
    fn site(&self, deployment: Arc<LiveDeployment>) -> Site {
        let (timing, indexing) = match self.kind {
            SiteKind::Production => (ServerTiming::Hidden, Indexing::Allowed),
            SiteKind::Preview => (ServerTiming::Shown, Indexing::Forbidden),
        };
        let gate = protection::before_site(&self.gate, self.kind);
        Site { deployment, own_origins: Arc::clone(&self.own_origins), timing, indexing, gate }
    }
}

/// Counts a deployment by what its manifest takes in memory.
#[derive(Clone)]
struct LiveWeight;

impl Weighter<DeploymentId, Arc<LiveDeployment>> for LiveWeight {
    fn weight(&self, _: &DeploymentId, deployment: &Arc<LiveDeployment>) -> u64 {
        let manifest = deployment.manifest();
        counted_bytes(manifest.assets().len() + manifest.functions().len() + 4 * manifest.routes().len())
    }
}

/// What a deployment of so many parts counts as, in bytes.
fn counted_bytes(parts: usize) -> u64 {
    (8 * 1024 + 512 * parts as u64).min(MOST_COUNTED_BYTES)
}

/// A cache of what is being served. It has one part: several would share the bytes between them, the more of them the more processors there are,
/// and a deployment that is larger than such a share is never kept.
fn live_cache<V: Clone, W: Weighter<DeploymentId, V> + Clone>(weighter: W) -> Cache<DeploymentId, V, W> {
    let options = OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(USUALLY_LIVE)
        .weight_capacity(LIVE_BYTES)
        .build()
        .expect("all sizes were given");
    Cache::with_options(options, weighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

impl SiteMap {
    /// The map as the alias log has it.
    pub(crate) fn load(
        environments: Environments,
        protections: Protections,
        edge: Arc<Edge>,
    ) -> Result<Self, ship_store::StateError> {
        let (store, urls) = (environments.store.clone(), environments.urls.clone());
        let labels = Arc::new(RwLock::new(HashMap::new()));
        let live = live_cache(LiveWeight);
        let newcomers = OnceLock::new();
        let map =
            Self { inner: Arc::new(Inner { store, urls, environments, protections, edge, labels, live, newcomers }) };
        for alias in map.inner.store.deployments().aliases()? {
            map.point(&alias.label, &alias.project, Some(alias.deployment));
        }
        Ok(map)
    }

    /// Lets a label lead to a deployment, or nowhere.
    pub(crate) fn point(&self, label: &HostLabel, project: &ProjectName, deployment: Option<DeploymentId>) {
        let mut labels = self.inner.labels.write().unwrap_or_else(PoisonError::into_inner);
        match (labels.get(label).filter(|slot| slot.project == *project), deployment) {
            (Some(slot), Some(id)) => slot.deployment.store(Some(Arc::new(id))),
            (None, Some(id)) => {
                let slot = self.new_slot(label, project, id);
                labels.insert(label.clone(), Arc::new(slot));
                self.announce(&format!("{label}.{}", self.inner.urls.domain()));
            }
            (_, None) => {
                if let Some(slot) = labels.remove(label) {
                    slot.deployment.store(None);
                }
            }
        }
    }

    /// Says that a host name leads somewhere for the first time.
    pub(crate) fn announce(&self, name: &str) {
        if let Some(newcomers) = self.inner.newcomers.get() {
            // Nobody listens any more while the host ends.
            let _ = newcomers.send(name.to_owned());
        }
    }

    /// The host names that lead somewhere for the first time from now on, for one who listens.
    pub(crate) fn newcomers(&self) -> mpsc::UnboundedReceiver<String> {
        let (sender, newcomers) = mpsc::unbounded_channel();
        if self.inner.newcomers.set(sender).is_err() {
            tracing::error!("two listen for new names, and one hears nothing");
        }
        newcomers
    }

    /// Whether a host name leads somewhere, in lower case and without a dot at its end.
    pub(crate) fn has(&self, name: &str) -> bool {
        let urls = &self.inner.urls;
        let label = host_label(name, urls.domain());
        label.is_some_and(|label| self.slot(&label).is_some()) || urls.domains().has(name)
    }

    /// The names of the world that are served.
    pub(crate) fn domains(&self) -> &Domains {
        self.inner.urls.domains()
    }

    /// Whether a label leads to a project's production.
    pub(crate) fn is_production(&self, label: &HostLabel) -> bool {
        self.slot(label).is_some_and(|slot| *label == HostLabel::production(&slot.project))
    }

    fn slot(&self, label: &HostLabel) -> Option<Arc<Slot>> {
        self.inner.labels.read().unwrap_or_else(PoisonError::into_inner).get(label).cloned()
    }

    fn new_slot(&self, label: &HostLabel, project: &ProjectName, deployment: DeploymentId) -> Slot {
        let labels = Arc::downgrade(&self.inner.labels);
        let urls = self.inner.urls.clone();
        let own = project.clone();
        let own_origins = move |origin: &str| {
            let destination = urls.name_of_origin(origin).and_then(|name| urls.domains().destination(name));
            if let Some(Destination::Production(project)) = destination {
                return project == own;
            }
            let (Some(label), Some(labels)) = (urls.label_of_origin(origin), labels.upgrade()) else { return false };
            let labels = labels.read().unwrap_or_else(PoisonError::into_inner);
            labels.get(label).is_some_and(|slot| slot.project == own)
        };
        Slot {
            project: project.clone(),
            deployment: ArcSwapOption::from_pointee(deployment),
            own_origins: Arc::new(own_origins),
            kind: if *label == HostLabel::production(project) { SiteKind::Production } else { SiteKind::Preview },
            gate: self.inner.protections.gate(project),
        }
    }

    /// The site at a label, read from disk if nobody asked for it lately.
    pub(crate) async fn site(&self, label: &HostLabel) -> Option<Result<Site, ship_edge::LoadError>> {
        let slot = self.slot(label)?;
        let id = **slot.deployment.load().as_ref()?;
        Some(self.live(id).await.map(|deployment| slot.site(deployment)))
    }

    /// The site at a label, if it is in memory.
    pub(crate) fn site_at_once(&self, label: &HostLabel) -> Option<Site> {
        let slot = self.slot(label)?;
        let id = **slot.deployment.load().as_ref()?;
        self.inner.live.get(&id).map(|deployment| slot.site(deployment))
    }

    /// A deployment, read from disk if nobody asked for it lately.
    pub(crate) async fn live(&self, id: DeploymentId) -> Result<Arc<LiveDeployment>, ship_edge::LoadError> {
        if let Some(deployment) = self.inner.live.get(&id) {
            return Ok(deployment);
        }
        let store = self.inner.store.clone();
        let load = async move {
            let environments = self.inner.environments.clone();
            let environment = move |record: &_| environments.of_record(record);
            let deployment = blocking(move || LiveDeployment::load(&store, &id, environment)).await?;
            // What was not compressed when the host stopped is now.
            self.inner.edge.prepare(&deployment);
            Ok(deployment)
        };
        self.inner.live.get_or_insert_async(&id, load).await
    }

    /// Keeps a deployment that is in memory already, so that its first visitor finds it there.
    pub(crate) fn keep(&self, deployment: &Arc<LiveDeployment>) {
        self.inner.live.insert(*deployment.id(), Arc::clone(deployment));
    }

    /// Forgets a deployment that was removed.
    pub(crate) fn forget(&self, id: &DeploymentId) {
        self.inner.live.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts a number of parts.
    #[derive(Clone)]
    struct Parts;

    impl Weighter<DeploymentId, usize> for Parts {
        fn weight(&self, _: &DeploymentId, parts: &usize) -> u64 {
            counted_bytes(*parts)
        }
    }

    /// A deployment of any size stays in memory beside many small ones, and the bytes are bounded.
    #[test]
    fn large_deployments_are_kept() {
        let id = |number: u32| DeploymentId::of_bytes(&number.to_le_bytes());
        for parts in [20_000, 100_000, 1_000_000] {
            let live = live_cache(Parts);
            live.insert(id(0), parts);
            for number in 1..500 {
                live.insert(id(number), 3);
                assert_eq!(live.get(&id(0)), Some(parts), "{parts} parts, after {number} small ones");
            }
            assert!(live.weight() <= LIVE_BYTES);
        }
    }
}
