//! What a host says of the state of what it keeps.

use jiff::Timestamp;
use ship_core::{BranchName, DeploymentId, Digest, ProjectName};
use utoipa::ToSchema;

/// What an examination of everything that a host keeps has found.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct FsckView {
    /// Whether everything that deployments need is there, and is what it was.
    pub clean: bool,
    /// How many deployments there are.
    pub deployments: u64,
    /// How many blobs were read and found right.
    pub blobs: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// What is wrong with the state database, one sentence each.
    pub state: Vec<String>,
    /// Blobs that are missing or damaged, by digest.
    pub damaged: Vec<DamagedBlobView>,
    /// Unpacked functions that were not what their artifacts say, and were unpacked anew.
    pub functions: Vec<DamagedFunctionView>,
    /// What nobody needs. It harms nobody.
    pub leftovers: LeftoversView,
}

/// A blob that is missing or damaged.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DamagedBlobView {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// `missing`, `corrupt` (it was set aside), or `unreadable`.
    pub fault: String,
    /// What the disk said, where it is unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The blob that it is a compressed form of. Such a form is made anew by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub variant_of: Option<Digest>,
    /// The deployments that need it, the oldest first.
    pub deployments: Vec<TouchedView>,
}

/// A deployment that needs a damaged blob.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct TouchedView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DeploymentId,
    /// Its project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// What the blob is in it: paths of files, names of functions, `manifest`.
    pub used_as: Vec<String>,
}

/// An unpacked function that was not what its artifact says.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DamagedFunctionView {
    /// The artifact.
    #[schema(value_type = String)]
    pub artifact: Digest,
    /// The first difference that was found.
    pub difference: String,
}

/// What nobody needs.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct LeftoversView {
    /// Blobs that no deployment needs, those of uploads that are not published yet included.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Unpacked functions that no deployment needs.
    pub functions: u64,
    /// Damaged blobs that were set aside.
    pub set_aside: u64,
    /// Their bytes.
    pub set_aside_bytes: u64,
    /// Files among the blobs that are none, by path.
    pub strays: Vec<String>,
}

/// How garbage is collected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GcRequest {
    /// Whether only to say what would be removed.
    pub dry_run: bool,
    /// How many deployments of each branch stay, counted from the newest, instead of what the host was told.
    pub keep: Option<u32>,
    /// For how many days a deployment stays after a name last led to it, instead of what the host was told.
    pub keep_days: Option<u32>,
}

/// What was removed, or would be.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct GcView {
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// The deployments that do not stay, oldest first.
    pub deployments: Vec<RemovedDeploymentView>,
    /// Blobs, compressed forms included.
    pub blobs: HeapView,
    /// Compressed forms among them.
    pub variants: HeapView,
    /// Unpacked functions.
    pub functions: HeapView,
    /// Compiled code of functions.
    pub compiled_code: HeapView,
    /// Damaged blobs that were set aside and that nobody misses any more.
    pub set_aside: HeapView,
    /// Blobs that stay for uploads that are under way.
    pub spared: HeapView,
}

impl GcView {
    /// Whether there was nothing to remove.
    pub fn is_nothing(&self) -> bool {
        let heaps = [self.blobs, self.functions, self.compiled_code, self.set_aside];
        self.deployments.is_empty() && heaps.iter().all(|heap| heap.number == 0)
    }
}

/// A deployment that does not stay.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct RemovedDeploymentView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DeploymentId,
    /// Its project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// The branch that it came from.
    #[schema(value_type = Option<String>)]
    pub branch: Option<BranchName>,
    /// When it was first published.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// How many of something, and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct HeapView {
    /// How many.
    pub number: u64,
    /// Their bytes.
    pub bytes: u64,
}
