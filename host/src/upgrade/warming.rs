//! Functions that are awake in one host are awake in its successor before visitors come to it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt as _;
use ship_core::{DeploymentId, FunctionName};
use ship_runtime::{FunctionSpec, InstanceState, Runtime};
use ship_store::Store;
use tokio::time::timeout;

use crate::site_map::SiteMap;

/// How many functions are started ahead at the most. With more of them awake, those that are left out wake when somebody asks.
const MOST_FUNCTIONS: usize = 500;

/// How long their names may be together, in bytes: with their deployments they have to fit a message.
const MOST_NAME_BYTES: usize = 64 * 1024;

/// How many start at once for each processor: a start is mostly work, so with more of them each would take longer, up to its limit.
const STARTS_PER_PROCESSOR: usize = 2;

/// How long all starts may take. Meanwhile the host before serves, but no deploy is published.
const WARMING_TIMEOUT: Duration = Duration::from_secs(15);

/// The functions that are awake.
pub(crate) fn awake_functions(runtime: &Runtime) -> Vec<(DeploymentId, FunctionName)> {
    let is_awake = |state: InstanceState| !matches!(state, InstanceState::Draining | InstanceState::Stopping);
    let instances = runtime.instances().into_iter().filter(|instance| is_awake(instance.state));
    let functions: HashSet<_> = instances.map(|instance| (instance.deployment, instance.function)).collect();
    let mut room = MOST_NAME_BYTES;
    let fits = |(_, name): &(DeploymentId, FunctionName)| {
        let length = name.to_string().len();
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    functions.into_iter().take(MOST_FUNCTIONS).filter(fits).collect()
}

/// Starts an instance of each of these functions. One that does not start is left to who asks for it: it may be the same with the
/// instance that runs elsewhere now.
pub(crate) async fn warm(awake: Vec<(DeploymentId, FunctionName)>, map: &SiteMap, runtime: &Runtime, store: &Store) {
    let mut by_deployment = BTreeMap::<DeploymentId, BTreeSet<FunctionName>>::new();
    for (deployment, function) in awake {
        by_deployment.entry(deployment).or_default().insert(function);
    }
    let warming = async {
        let mut specs = Vec::new();
        for (deployment, names) in by_deployment {
            specs.extend(specs_of(deployment, &names, map, store).await);
        }
        let starts = specs.into_iter().map(|spec| {
            let runtime = runtime.clone();
            async move {
                if let Err(error) = runtime.check(&spec).await {
                    tracing::warn!(function = %spec.function.name, %error, "a function that was awake does not start");
                }
            }
        });
        let at_once = STARTS_PER_PROCESSOR * thread::available_parallelism().map_or(1, NonZero::get);
        futures_util::stream::iter(starts).buffer_unordered(at_once).for_each(|()| std::future::ready(())).await;
    };
    if timeout(WARMING_TIMEOUT, warming).await.is_err() {
        tracing::warn!("some functions that were awake have to be woken");
    }
}

async fn specs_of(
    deployment: DeploymentId,
    names: &BTreeSet<FunctionName>,
    map: &SiteMap,
    store: &Store,
) -> Vec<Arc<FunctionSpec>> {
    let specs = match map.live(deployment).await {
        Ok(live) => live.function_specs(store).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match specs {
        Ok(specs) => specs.into_iter().filter(|spec| names.contains(&spec.function.name)).collect(),
        Err(error) => {
            tracing::warn!(%deployment, error, "functions that were awake cannot be read");
            Vec::new()
        }
    }
}
