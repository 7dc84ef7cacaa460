//! What can go wrong with a deployment.

use ship_core::{DeploymentId, Digest, HostLabel, ProjectName};

use super::alias_log::LabelOwner;
use crate::blobs::BlobError;
use crate::database::{MayBeFull, StateError};

/// A deployment cannot be staged. Nothing became visible.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Blobs that it needs are not here.
    #[error("{} blobs of the deployment are not stored here", .0.len())]
    MissingBlobs(Vec<Digest>),
    /// The manifest gives a blob another size than it has.
    #[error("the manifest says that blob {digest} has {announced_bytes} bytes, but it has {stored_bytes}")]
    WrongSize {
        /// The blob.
        digest: Digest,
        /// The size in the manifest.
        announced_bytes: u64,
        /// The size of the stored blob.
        stored_bytes: u64,
    },
    /// A blob cannot be read, or the manifest cannot be stored.
    #[error("a blob of the deployment cannot be used")]
    Blob(#[from] BlobError),
    /// The state of the host cannot be read.
    #[error("the deployments cannot be read")]
    State(#[from] StateError),
}

/// An alias cannot be moved. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The label belongs to another name.
    #[error("the label `{label}` belongs to {owner}")]
    LabelTaken {
        /// The label.
        label: HostLabel,
        /// Whose it is.
        owner: LabelOwner,
    },
    /// There is no such deployment in the project.
    #[error("project `{project}` has no deployment {id}")]
    UnknownDeployment {
        /// The project.
        project: ProjectName,
        /// The id that was asked for.
        id: DeploymentId,
    },
    /// Production does not lead where whoever moves it has seen it.
    #[error("production of `{project}` was moved meanwhile: it leads to {} now", current.map_or("nothing".to_owned(), |id| id.short().to_owned()))]
    ProductionMoved {
        /// The project.
        project: ProjectName,
        /// Where it leads now.
        current: Option<DeploymentId>,
    },
    /// The alias was moved by somebody else since it was looked at.
    #[error("`{label}` was moved by somebody else at the same time")]
    MovedMeanwhile {
        /// The label.
        label: HostLabel,
    },
    /// The state of the host cannot be read or written.
    #[error("the aliases cannot be moved")]
    State(#[from] StateError),
}

/// Production cannot be rolled back. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// The project has no production deployment.
    #[error("project `{project}` has no production deployment")]
    NoProduction {
        /// The project.
        project: ProjectName,
    },
    /// No earlier production deployment exists.
    #[error("project `{project}` had no production deployment before {} that still exists", current.short())]
    NothingBefore {
        /// The project.
        project: ProjectName,
        /// The deployment that production leads to.
        current: DeploymentId,
    },
    /// The alias cannot be moved.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl From<StateError> for RollbackError {
    fn from(error: StateError) -> Self {
        Self::Publish(error.into())
    }
}

/// A deployment or a project cannot be removed. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Production leads to it.
    #[error("deployment {id} is the production of project `{project}`")]
    IsProduction {
        /// The deployment.
        id: DeploymentId,
        /// Its project.
        project: ProjectName,
    },
    /// There is no such deployment.
    #[error("there is no deployment {id}")]
    UnknownDeployment {
        /// The id that was asked for.
        id: DeploymentId,
    },
    /// There is no such project.
    #[error("there is no project `{project}`")]
    UnknownProject {
        /// The name that was asked for.
        project: ProjectName,
    },
    /// Its aliases cannot be moved.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl MayBeFull for RemoveError {
    fn is_storage_full(&self) -> bool {
        matches!(self, Self::Publish(PublishError::State(error)) if error.is_storage_full())
    }
}

impl From<StateError> for RemoveError {
    fn from(error: StateError) -> Self {
        Self::Publish(error.into())
    }
}
