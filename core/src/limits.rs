//! Limits on what comes from outside: one place where each bound stands with its reason.

use crate::network::NetworkAccess;

/// What a function may use. Each value can be set per function in `ship.toml`.
///
/// The canonical encoding leaves out the limits that came after the first ones where they are the default, so a deployment
/// that says nothing about them keeps the id that it had before there were any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(into = "LimitFields", try_from = "LimitFields")]
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
    /// Processor time of one instance, in thousandths of a processor: 500 is half of one. Without it an instance takes what others
    /// leave, up to 95 hundredths of all processors: a machine of one's own has nobody to sell the rest to.
    pub cpu_thousandths: Option<u32>,
    /// The largest body of a request, in MiB. `None` is no bound: bodies stream, so a large one costs no memory.
    pub max_body_mb: Option<u32>,
    /// Processes and threads of one instance. The default is what a Node with its workers, or a Python with a pool of threads
    /// per library, stays far below, and what a machine does not notice.
    pub max_processes: u32,
    /// Open descriptors of each process. The default holds 50 requests with many connections each.
    pub max_files: u32,
    /// The size of `/tmp`, in MiB, as far as memory allows. The default is that of AWS Lambda and Vercel.
    pub tmp_mb: u32,
    /// Where it may connect to.
    pub network: NetworkAccess,
    /// How full instances may be before a further one is started, in percent of their `concurrency`. At 100 one is started
    /// when a request finds no room.
    pub target_utilization_percent: u32,
}

impl FunctionLimits {
    /// The size that `/tmp` has, in MiB. It is memory, and a function that fills it should hear of that before it is ended
    /// for it.
    pub fn usable_tmp_mb(&self) -> u32 {
        self.tmp_mb.min(self.memory_mb / 2).max(1)
    }

    /// How many files `/tmp` may hold. The kernel takes a kibibyte for one without content, and half as much more for a long name, so they
    /// take a quarter of the memory, and a function that makes them without end hears of it before it is ended for it.
    pub fn most_tmp_files(&self) -> u32 {
        self.memory_mb.saturating_mul(256)
    }

    /// The size of `/dev/shm`, in MiB: an eighth of the memory, which is what containers have where a function has the usual 512 MiB. With a
    /// full `/tmp` beside it, some memory is left.
    pub fn shm_mb(&self) -> u32 {
        (self.memory_mb / 8).max(1)
    }
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
            cpu_thousandths: None,
            max_body_mb: None,
            max_processes: 512,
            max_files: 4_096,
            tmp_mb: 512,
            network: NetworkAccess::Public,
            target_utilization_percent: 100,
        }
    }
}

/// The limits as they travel, before they are known to make sense together. What is optional came later.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitFields {
    timeout_secs: u32,
    init_timeout_secs: u32,
    memory_mb: u32,
    concurrency: u32,
    min_instances: u32,
    max_instances: u32,
    idle_secs: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_thousandths: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_body_mb: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_processes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_files: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tmp_mb: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<NetworkAccess>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_utilization_percent: Option<u32>,
}

impl From<FunctionLimits> for LimitFields {
    fn from(limits: FunctionLimits) -> Self {
        let default = FunctionLimits::default();
        Self {
            timeout_secs: limits.timeout_secs,
            init_timeout_secs: limits.init_timeout_secs,
            memory_mb: limits.memory_mb,
            concurrency: limits.concurrency,
            min_instances: limits.min_instances,
            max_instances: limits.max_instances,
            idle_secs: limits.idle_secs,
            cpu_thousandths: limits.cpu_thousandths,
            max_body_mb: limits.max_body_mb,
            max_processes: differing(limits.max_processes, default.max_processes),
            max_files: differing(limits.max_files, default.max_files),
            tmp_mb: differing(limits.tmp_mb, default.tmp_mb),
            network: differing(limits.network, default.network),
            target_utilization_percent: differing(
                limits.target_utilization_percent,
                default.target_utilization_percent,
            ),
        }
    }
}

/// A value, if it is not the one that counts where none is said.
fn differing<T: PartialEq + Copy>(value: T, default: T) -> Option<T> {
    (value != default).then_some(value)
}

impl TryFrom<LimitFields> for FunctionLimits {
    type Error = FunctionLimitsError;

    fn try_from(fields: LimitFields) -> Result<Self, Self::Error> {
        let default = Self::default();
        let limits = Self {
            timeout_secs: fields.timeout_secs,
            init_timeout_secs: fields.init_timeout_secs,
            memory_mb: fields.memory_mb,
            concurrency: fields.concurrency,
            min_instances: fields.min_instances,
            max_instances: fields.max_instances,
            idle_secs: fields.idle_secs,
            cpu_thousandths: fields.cpu_thousandths,
            max_body_mb: fields.max_body_mb,
            max_processes: fields.max_processes.unwrap_or(default.max_processes),
            max_files: fields.max_files.unwrap_or(default.max_files),
            tmp_mb: fields.tmp_mb.unwrap_or(default.tmp_mb),
            network: fields.network.unwrap_or(default.network),
            target_utilization_percent: fields.target_utilization_percent.unwrap_or(default.target_utilization_percent),
        };
        limits.check()?;
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
            ("cpu_thousandths", self.cpu_thousandths.unwrap_or(1)),
            ("max_body_mb", self.max_body_mb.unwrap_or(1)),
            ("max_processes", self.max_processes),
            ("max_files", self.max_files),
            ("tmp_mb", self.tmp_mb),
            ("target_utilization_percent", self.target_utilization_percent),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(FunctionLimitsError::Zero { name });
        }
        if self.min_instances > self.max_instances {
            return Err(FunctionLimitsError::MoreKeptThanAllowed { min: self.min_instances, max: self.max_instances });
        }
        if self.target_utilization_percent > 100 {
            return Err(FunctionLimitsError::MoreThanFull { percent: self.target_utilization_percent });
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
    /// Instances are to be fuller than full.
    #[error("`target_utilization_percent` is {percent}, more than 100")]
    MoreThanFull {
        /// How full they were to be.
        percent: u32,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a manifest said before there were further limits reads as before, and is written as it was.
    #[test]
    fn earlier_manifests() {
        let earlier = r#"{"timeout_secs":60,"init_timeout_secs":10,"memory_mb":512,"concurrency":50,"min_instances":0,"max_instances":10,"idle_secs":300}"#;
        let limits: FunctionLimits = serde_json::from_str(earlier).unwrap();
        assert_eq!(limits, FunctionLimits::default());
        assert_eq!(serde_json::to_string(&limits).unwrap(), earlier);
    }

    /// Every limit that is said travels.
    #[test]
    fn every_limit() {
        let limits = FunctionLimits {
            cpu_thousandths: Some(500),
            max_body_mb: Some(4),
            max_processes: 32,
            max_files: 256,
            tmp_mb: 64,
            network: NetworkAccess::None,
            target_utilization_percent: 70,
            idle_secs: 0,
            ..FunctionLimits::default()
        };
        let written = serde_json::to_value(limits).unwrap();
        let further = json!({
            "timeout_secs": 60, "init_timeout_secs": 10, "memory_mb": 512, "concurrency": 50, "min_instances": 0,
            "max_instances": 10, "idle_secs": 0, "cpu_thousandths": 500, "max_body_mb": 4, "max_processes": 32,
            "max_files": 256, "tmp_mb": 64, "network": "none", "target_utilization_percent": 70,
        });
        assert_eq!(written, further);
        assert_eq!(serde_json::from_value::<FunctionLimits>(written).unwrap(), limits);
    }

    /// What can be filled in memory is filled before the memory is used up: with the default, with the least, and with much of it.
    #[test]
    fn folders_in_memory() {
        let folders = |memory_mb, tmp_mb| {
            let limits = FunctionLimits { memory_mb, tmp_mb, ..FunctionLimits::default() };
            (limits.usable_tmp_mb(), limits.most_tmp_files(), limits.shm_mb())
        };
        assert_eq!(folders(512, 512), (256, 131_072, 64));
        assert_eq!(folders(32, 512), (16, 8_192, 4));
        assert_eq!(folders(65_536, 5), (5, 16_777_216, 8_192));
    }

    /// Limits under which nothing could ever answer are refused, each by its name.
    #[test]
    fn senseless_limits() {
        let refused = |name: &str, value: u32| {
            let mut fields = serde_json::to_value(FunctionLimits::default()).unwrap();
            fields[name] = value.into();
            serde_json::from_value::<FunctionLimits>(fields).unwrap_err().to_string()
        };
        for name in ["timeout_secs", "cpu_thousandths", "max_body_mb", "max_processes", "max_files", "tmp_mb"] {
            assert_eq!(refused(name, 0), format!("`{name}` is 0; it must be at least 1"));
        }
        assert_eq!(refused("min_instances", 11), "`min_instances` is 11, more than `max_instances`, which is 10");
        assert_eq!(refused("target_utilization_percent", 101), "`target_utilization_percent` is 101, more than 100");
    }
}
