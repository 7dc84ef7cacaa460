//! The manifest: all that a deployment is, in one value with one canonical encoding.

use std::collections::{HashMap, HashSet};

use crate::cors::CorsRule;
use crate::cron::Cron;
use crate::deployment::DeploymentId;
use crate::digest::Digest;
use crate::environment::DeploymentEnvironment;
use crate::function::Function;
use crate::limits::SiteLimits;
use crate::media_type::MediaType;
use crate::name::ProjectName;
use crate::path::{FunctionName, PathClash, SitePath};
use crate::prerender::{Fallback, Prerender};
use crate::route::{PatternError, RouteTable, is_header};
use crate::site_index::FunctionIndex;
use crate::warm::WarmSchedule;

/// A static file of a deployment.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Where it stands in the site.
    pub path: SitePath,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What it is served as.
    pub media_type: MediaType,
}

/// All that a deployment is: files, functions, routes, cross-origin rules, crons, prerendered pages and variables.
///
/// Its canonical encoding is JSON without white space, fields in the order of this struct, assets sorted by path, functions and
/// prerendered pages by name. Equal manifests have equal bytes, so the id of a deployment can be computed by whoever has the manifest.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "ManifestFields")]
pub struct Manifest {
    version: u32,
    assets: Vec<Asset>,
    functions: Vec<Function>,
    routes: RouteTable,
    cors: Vec<CorsRule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crons: Vec<Cron>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prerenders: Vec<Prerender>,
    #[serde(skip_serializing_if = "DeploymentEnvironment::is_empty")]
    environment: DeploymentEnvironment,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFields {
    version: u32,
    assets: Vec<Asset>,
    functions: Vec<Function>,
    routes: RouteTable,
    cors: Vec<CorsRule>,
    #[serde(default)]
    crons: Vec<Cron>,
    #[serde(default)]
    prerenders: Vec<Prerender>,
    #[serde(default)]
    environment: DeploymentEnvironment,
}

impl Manifest {
    /// The version of the encoding that this code writes.
    pub const VERSION: u32 = 1;

    /// A manifest of these parts, sorted and checked.
    pub fn new(
        mut assets: Vec<Asset>,
        mut functions: Vec<Function>,
        routes: RouteTable,
        cors: Vec<CorsRule>,
    ) -> Result<Self, ManifestError> {
        assets.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        let limits = SiteLimits::DEFAULT;
        for (what, found, most) in [
            ("assets", assets.len(), limits.assets),
            ("functions", functions.len(), limits.functions),
            ("routes", routes.len(), limits.routes),
            ("cors entries", cors.len(), limits.cors_rules),
        ] {
            if found > most {
                return Err(ManifestError::TooMany { what, found, most });
            }
        }
        if let Some(pair) = assets.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(ManifestError::AssetTwice { path: pair[0].path.clone() });
        }
        if let Some(pair) = functions.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(ManifestError::FunctionTwice { name: pair[0].name.clone() });
        }
        for function in &functions {
            check_warm(function)?;
            let mounts = || function.layers.iter().map(|layer| layer.mount.as_str());
            if let Some(mount) =
                mounts().find(|mount| mount.contains('/') || mounts().filter(|m| m == mount).count() > 1)
            {
                return Err(ManifestError::LayerMount { name: function.name.clone(), mount: mount.to_owned() });
            }
        }
        if let Some(name) =
            routes.middleware().find(|name| functions.binary_search_by(|function| function.name.cmp(name)).is_err())
        {
            return Err(ManifestError::MiddlewareWithoutFunction { function: name.clone() });
        }
        let manifest = Self {
            version: Self::VERSION,
            assets,
            functions,
            routes,
            cors,
            crons: Vec::new(),
            prerenders: Vec::new(),
            environment: DeploymentEnvironment::default(),
        };
        manifest.check_sizes_agree()?;
        Ok(manifest)
    }

    /// The same with crons.
    pub fn with_crons(self, crons: Vec<Cron>) -> Result<Self, ManifestError> {
        let most = SiteLimits::DEFAULT.crons;
        if crons.len() > most {
            return Err(ManifestError::TooMany { what: "crons", found: crons.len(), most });
        }
        Ok(Self { crons, ..self })
    }

    /// The same with functions whose answers are kept.
    pub fn with_prerenders(self, mut prerenders: Vec<Prerender>) -> Result<Self, ManifestError> {
        prerenders.sort_unstable_by(|left, right| left.function.cmp(&right.function));
        if let Some(pair) = prerenders.windows(2).find(|pair| pair[0].function == pair[1].function) {
            return Err(ManifestError::PrerenderTwice { function: pair[0].function.clone() });
        }
        for prerender in &prerenders {
            let function = || prerender.function.clone();
            if self.function_at(&prerender.function).is_none() {
                return Err(ManifestError::PrerenderWithoutFunction { function: function() });
            }
            if prerender.fallback.as_ref().is_some_and(|fallback| !has_head(fallback)) {
                return Err(ManifestError::FallbackHead { function: function() });
            }
        }
        let manifest = Self { prerenders, ..self };
        manifest.check_sizes_agree()?;
        Ok(manifest)
    }

    /// The same with variables that its functions find set.
    #[must_use]
    pub fn with_environment(self, environment: DeploymentEnvironment) -> Self {
        Self { environment, ..self }
    }

    /// The place of a function.
    pub fn function_at(&self, name: &FunctionName) -> Option<FunctionIndex> {
        let at = self.functions.binary_search_by(|function| function.name.cmp(name)).ok()?;
        u32::try_from(at).ok().map(FunctionIndex)
    }

    /// One digest, one size: otherwise one of the two is wrong.
    fn check_sizes_agree(&self) -> Result<(), ManifestError> {
        let mut sizes = HashMap::with_capacity(self.assets.len() + self.functions.len());
        for (digest, size_bytes) in self.sized_digests() {
            if sizes.insert(digest, size_bytes).is_some_and(|known| known != size_bytes) {
                return Err(ManifestError::TwoSizes { digest });
            }
        }
        Ok(())
    }

    fn sized_digests(&self) -> impl Iterator<Item = (Digest, u64)> {
        let assets = self.assets.iter().map(|asset| (asset.digest, asset.size_bytes));
        let functions = self.functions.iter().map(|function| (function.digest, function.size_bytes));
        let layers = self.functions.iter().flat_map(|function| &function.layers);
        let fallbacks = self.prerenders.iter().filter_map(|prerender| prerender.fallback.as_ref());
        let fallbacks = fallbacks.map(|fallback| (fallback.digest, fallback.size_bytes));
        assets.chain(functions).chain(layers.map(|layer| (layer.digest, layer.size_bytes))).chain(fallbacks)
    }

    /// The static files, sorted by path.
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// The functions, sorted by name.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Says whether every pattern in it compiles within its bounds. To be asked once, where a manifest enters the system.
    pub fn check_patterns(&self) -> Result<(), PatternError> {
        self.routes.check_sizes()?;
        self.cors.iter().try_for_each(CorsRule::check_size)
    }

    /// Says whether there are files whose paths some take for the same. To be asked once, where a manifest enters the system: what was stored
    /// before this was asked is read and served as ever.
    pub fn check_paths(&self) -> Result<(), PathClash> {
        PathClash::among(self.assets.iter().map(|asset| &asset.path)).map_or(Ok(()), Err)
    }

    /// The routes.
    pub fn routes(&self) -> &RouteTable {
        &self.routes
    }

    /// The cross-origin rules, in the order in which they are tried.
    pub fn cors(&self) -> &[CorsRule] {
        &self.cors
    }

    /// The paths that are to be asked at times.
    pub fn crons(&self) -> &[Cron] {
        &self.crons
    }

    /// The functions whose answers are kept, sorted by name.
    pub fn prerenders(&self) -> &[Prerender] {
        &self.prerenders
    }

    /// What its functions find set, beside what the host tells them.
    pub fn environment(&self) -> &DeploymentEnvironment {
        &self.environment
    }

    /// How the answers of a function are kept, if they are.
    pub fn prerender_of(&self, function: &FunctionName) -> Option<&Prerender> {
        let found = self.prerenders.binary_search_by(|prerender| prerender.function.cmp(function));
        self.prerenders.get(found.ok()?)
    }

    /// Each blob that the deployment needs, once, with its size.
    pub fn blobs(&self) -> Vec<(Digest, u64)> {
        let mut seen = HashSet::new();
        self.sized_digests().filter(|(digest, _)| seen.insert(*digest)).collect()
    }

    /// The canonical encoding.
    #[expect(clippy::missing_panics_doc, reason = "it cannot panic: every field encodes")]
    pub fn to_canonical_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has only string keys and no fallible encoders")
    }

    /// Reads an encoding and checks what it holds.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The id of this content as a deployment of `project`.
    pub fn deployment_id(&self, project: &ProjectName) -> DeploymentId {
        Self::deployment_id_of(project, &self.to_canonical_json())
    }

    /// The id of a canonical encoding as a deployment of `project`.
    pub fn deployment_id_of(project: &ProjectName, canonical_json: &[u8]) -> DeploymentId {
        let mut bytes = Vec::with_capacity(canonical_json.len() + 80);
        bytes.extend_from_slice(b"ship deployment\0");
        bytes.extend_from_slice(project.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(canonical_json);
        DeploymentId::of_bytes(&bytes)
    }
}

impl TryFrom<ManifestFields> for Manifest {
    type Error = ManifestError;

    fn try_from(fields: ManifestFields) -> Result<Self, Self::Error> {
        if fields.version != Self::VERSION {
            return Err(ManifestError::Version { found: fields.version });
        }
        let manifest = Self::new(fields.assets, fields.functions, fields.routes, fields.cors)?
            .with_crons(fields.crons)?
            .with_prerenders(fields.prerenders)?;
        Ok(manifest.with_environment(fields.environment))
    }
}

/// A function's schedules must be few, and want no more instances than it may have.
fn check_warm(function: &Function) -> Result<(), ManifestError> {
    let (found, most) = (function.warm.len(), WarmSchedule::MOST);
    if found > most {
        return Err(ManifestError::TooMany { what: "warm schedules", found, most });
    }
    let max = function.limits.max_instances;
    match function.warm.iter().map(|schedule| schedule.min_instances).find(|min| *min > max) {
        Some(min) => Err(ManifestError::WarmAboveMost { name: function.name.clone(), min, max }),
        None => Ok(()),
    }
}

/// Whether a response can begin with the status and headers of a fallback.
fn has_head(fallback: &Fallback) -> bool {
    (200..600).contains(&fallback.status) && fallback.headers.iter().all(|(name, value)| is_header(name, value))
}

/// The parts do not make a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It was written by another version of ship.
    #[error("the manifest has version {found}; this ship knows version {}", Manifest::VERSION)]
    Version {
        /// The version it says.
        found: u32,
    },
    /// There is more than a host takes.
    #[error("{found} {what} are more than the {most} that one deployment may have")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// Two assets stand at one path.
    #[error("two assets stand at `{path}`")]
    AssetTwice {
        /// The path.
        path: SitePath,
    },
    /// One blob is given two sizes.
    #[error("two sizes are given for the blob {digest}")]
    TwoSizes {
        /// The blob.
        digest: Digest,
    },
    /// A layer has no folder of its own to stand in.
    #[error("the function `{name}` cannot see a layer at `{mount}`: it must be one folder, of one layer")]
    LayerMount {
        /// The function.
        name: FunctionName,
        /// Where the layer was to stand.
        mount: String,
    },
    /// A schedule wants more instances than there may be.
    #[error("a schedule of `{name}` has min_instances {min} above max_instances {max}")]
    WarmAboveMost {
        /// The function.
        name: FunctionName,
        /// What is to be kept.
        min: u32,
        /// What there may be.
        max: u32,
    },
    /// A route asks a middleware that is not there.
    #[error("a route asks the middleware `{function}`, and there is no such function")]
    MiddlewareWithoutFunction {
        /// Its name.
        function: FunctionName,
    },
    /// Answers are to be kept of a function that is not there.
    #[error("answers of `{function}` are to be kept, and there is no such function")]
    PrerenderWithoutFunction {
        /// Its name.
        function: FunctionName,
    },
    /// It is said twice how answers of a function are kept.
    #[error("it is said twice how answers of `{function}` are kept")]
    PrerenderTwice {
        /// Its name.
        function: FunctionName,
    },
    /// An answer that was made before has a status or header that no response can have.
    #[error("the fallback of `{function}` has a status or a header that cannot stand in a response")]
    FallbackHead {
        /// Its function.
        function: FunctionName,
    },
    /// Two functions have one name.
    #[error("two functions are called `{name}`")]
    FunctionTwice {
        /// The name.
        name: FunctionName,
    },
}
