//! What the runtime is given and what it shows: functions to run, where logs go, the instances there are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ship_core::{AddressRange, DeploymentId, Function, FunctionName, LogRecord, ProjectName};
use tokio::runtime::Handle;

use crate::environment::FunctionEnvironment;
use crate::interpreter::Interpreters;
use crate::life::InstanceState;
use crate::linux::nursery::Isolation;
use crate::network::Policy;

/// Where log records go. The runtime calls it while it reads a function's output, so an implementation must not block: it
/// queues the record and drops it if its queue is full.
pub trait LogSink: Send + Sync + 'static {
    /// Takes one record of `project`.
    fn record(&self, project: &ProjectName, record: LogRecord);
}

/// One function of one deployment, and all that is needed to run it.
///
/// The runtime tells functions apart by deployment, name and environment. The first spec it sees of a function counts until the
/// deployment is retired or the function has gone to sleep.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// The project.
    pub project: ProjectName,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The function, with its limits.
    pub function: Function,
    /// The folder its artifact was unpacked to. It holds what the function's runtime starts (`bootstrap`, `launcher.mjs`),
    /// and is the working directory.
    pub root: PathBuf,
    /// The environment that the user gave it. Names that the platform sets itself are overridden.
    pub env: FunctionEnvironment,
}

/// What a [`crate::Runtime`] needs from its host.
#[derive(Clone)]
pub struct RuntimeOptions {
    /// A folder that belongs to this runtime alone. It is created with mode 0700.
    pub socket_dir: PathBuf,
    /// Where function output and the platform's remarks about functions go.
    pub logs: Arc<dyn LogSink>,
    /// The program that makes processes: one that calls [`crate::nursery`] when it is started as [`crate::NURSERY_NAME`].
    pub nursery: PathBuf,
    /// The least that functions are kept from: none is started where the machine does not allow that much. They are kept from
    /// all that it does allow in any case.
    pub least_isolation: Isolation,
    /// Where functions may connect to.
    pub reach: Reach,
    /// Whether functions are compiled once more, for their next instances.
    pub compiled_code: CompiledCode,
    /// What runs functions in Node and Python.
    pub interpreters: Interpreters,
    /// Where everything is done that answers no request. What answers one is done where it was asked for.
    pub background: Handle,
    /// How long [`crate::Runtime::retire`] and [`crate::Runtime::shutdown`] wait for requests that are being answered.
    pub drain_timeout: Duration,
}

/// What becomes of the code that interpreters compile functions to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompiledCode {
    /// It is kept for the next instances of the same function.
    Kept,
    /// It is not: for development, where the next instance is that of another function.
    Forgotten,
}

/// Where functions may connect to whose network is `public`.
#[derive(Clone, Debug)]
pub enum Reach {
    /// The public internet, and what the operator names.
    Public {
        /// What the operator names.
        allowed: Vec<AddressRange>,
    },
    /// Wherever the machine can: for development, where a database runs beside the site.
    Everywhere,
}

impl Reach {
    pub(crate) fn policy(&self) -> Policy {
        match self {
            Self::Public { allowed } => Policy::new(allowed),
            Self::Everywhere => Policy::default(),
        }
    }
}

/// One instance, as it is at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceView {
    /// The project.
    pub project: ProjectName,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The function.
    pub function: FunctionName,
    /// The process id of the function.
    pub pid: u32,
    /// What it is doing.
    pub state: InstanceState,
    /// How many requests it is answering.
    pub in_flight: u32,
    /// What memory it uses, in bytes, as of the last second.
    pub memory_bytes: Option<u64>,
    /// When it was started.
    pub started_at: Timestamp,
}
