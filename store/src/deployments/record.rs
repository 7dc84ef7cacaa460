//! What is known of a deployment besides its content.

use jiff::Timestamp;
use ship_core::{
    AuthorName, BranchName, CommitSubject, DeploymentId, Digest, HostLabel, ProjectName, Target, TokenName,
};

/// Where the content of a deployment came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeploymentSource {
    /// The branch.
    pub branch: Option<BranchName>,
    /// The commit, as version control names it.
    pub commit: Option<String>,
}

/// A deployment. Content that is published again, also from another branch, is the same deployment and keeps what was
/// recorded first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeploymentRecord {
    /// Its id.
    pub id: DeploymentId,
    /// The project.
    pub project: ProjectName,
    /// What it was first published for: production if it was the first of its project.
    pub target: Target,
    /// Where it first came from.
    pub source: DeploymentSource,
    /// What the token was called that first published it, where that is known.
    pub published_by: Option<TokenName>,
    /// Who wrote the commit that it was built from, where that was said.
    pub author: Option<AuthorName>,
    /// The first line of that commit's message, where that was said.
    pub subject: Option<CommitSubject>,
    /// When it was first published, in microseconds.
    pub created_at: Timestamp,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The bytes of all its blobs, each counted once.
    pub size_bytes: u64,
    /// The label of this very deployment.
    pub own_label: HostLabel,
}

/// Which deployments are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeploymentQuery {
    /// Only those of one project.
    pub project: Option<ProjectName>,
    /// Only those that were published before this one.
    pub older_than: Option<DeploymentId>,
    /// Only those with this text in the id, the label, the branch, the commit or the names of who published and who wrote it.
    pub text: Option<String>,
    /// How many at the most.
    pub limit: usize,
}

/// A deployment in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeploymentSummary {
    /// The deployment.
    pub record: DeploymentRecord,
    /// The labels that lead to it, its own included, sorted.
    pub labels: Vec<HostLabel>,
}

/// A project that has deployments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectSummary {
    /// Its name.
    pub name: ProjectName,
    /// The deployment that production leads to.
    pub production: Option<DeploymentId>,
    /// How many deployments it has.
    pub deployments: u64,
    /// When its newest deployment was published.
    pub updated_at: Timestamp,
}
