//! Limits on what comes from outside: one place where each bound stands with its reason.

/// What a function may use. Each value can be set per function in `ship.toml`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct FunctionLimits {
    /// How long one request may take until its response has begun and, between its pieces, until the next one comes.
    pub timeout_secs: u32,
    /// How long an instance may take from its start until it answers, apart from the request's own time.
    pub init_timeout_secs: u32,
    /// Memory of one instance, in MiB.
    pub memory_mb: u32,
    /// How many requests one instance serves at once.
    pub concurrency: u32,
    /// How many instances are kept although nobody asks.
    pub min_instances: u32,
    /// How many instances there are at the most.
    pub max_instances: u32,
    /// How long an instance without a request is kept.
    pub idle_secs: u32,
}

impl Default for FunctionLimits {
    fn default() -> Self {
        Self {
            timeout_secs: 60,
            init_timeout_secs: 10,
            memory_mb: 512,
            concurrency: 50,
            min_instances: 0,
            max_instances: 10,
            idle_secs: 300,
        }
    }
}

/// The limits as they arrive, before they are known to make sense together.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitFields {
    timeout_secs: u32,
    init_timeout_secs: u32,
    memory_mb: u32,
    concurrency: u32,
    min_instances: u32,
    max_instances: u32,
    idle_secs: u32,
}

impl<'de> serde::Deserialize<'de> for FunctionLimits {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let LimitFields {
            timeout_secs,
            init_timeout_secs,
            memory_mb,
            concurrency,
            min_instances,
            max_instances,
            idle_secs,
        } = LimitFields::deserialize(deserializer)?;
        let limits =
            Self { timeout_secs, init_timeout_secs, memory_mb, concurrency, min_instances, max_instances, idle_secs };
        limits.check().map_err(serde::de::Error::custom)?;
        Ok(limits)
    }
}

impl FunctionLimits {
    /// Says whether a function could ever answer under these limits.
    pub fn check(&self) -> Result<(), FunctionLimitsError> {
        let at_least_one = [
            ("timeout_secs", self.timeout_secs),
            ("init_timeout_secs", self.init_timeout_secs),
            ("memory_mb", self.memory_mb),
            ("concurrency", self.concurrency),
            ("max_instances", self.max_instances),
            ("idle_secs", self.idle_secs),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(FunctionLimitsError::Zero { name });
        }
        if self.min_instances > self.max_instances {
            return Err(FunctionLimitsError::MoreKeptThanAllowed { min: self.min_instances, max: self.max_instances });
        }
        Ok(())
    }
}

/// No function could answer under these limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FunctionLimitsError {
    /// A limit of nothing.
    #[error("`{name}` is 0; it must be at least 1")]
    Zero {
        /// The limit.
        name: &'static str,
    },
    /// More instances are to be kept than there may be.
    #[error("`min_instances` is {min}, more than `max_instances`, which is {max}")]
    MoreKeptThanAllowed {
        /// What is to be kept.
        min: u32,
        /// What there may be.
        max: u32,
    },
}

/// What one deployment may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SiteLimits {
    /// Assets in one deployment. Twice the 100,000 files of the largest sites seen in the wild.
    pub assets: usize,
    /// Functions in one deployment.
    pub functions: usize,
    /// Routes in one deployment: each is a pattern that a request may be matched against.
    pub routes: usize,
    /// Cross-origin rules in one deployment: each is a pattern that every request is matched against until one fits.
    pub cors_rules: usize,
    /// Crons in one deployment: as many as Vercel takes.
    pub crons: usize,
    /// Bytes of one blob.
    pub blob_bytes: u64,
    /// Bytes of a manifest as it travels.
    pub manifest_bytes: usize,
}

impl SiteLimits {
    /// The bounds of the host.
    pub const DEFAULT: Self = Self {
        assets: 200_000,
        functions: 2_000,
        routes: 10_000,
        cors_rules: 100,
        crons: 100,
        blob_bytes: 5 * 1024 * 1024 * 1024,
        manifest_bytes: 64 * 1024 * 1024,
    };
}
