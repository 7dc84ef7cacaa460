//! What a host keeps: blobs by digest, deployments, the alias log, tokens, variables, logs and unpacked functions.
//!
//! This crate is the only writer below the data directory:
//!
//! ```text
//! VERSION  lock          what layout this is; who has it open
//! state.db               SQLite: deployments, aliases and their log, tokens, trusts, certificates, domains, sealed
//!                        variables, which variants a blob has
//! state.db.schema-N      the state as it was before a newer ship changed its schema; the last three are kept
//! secrets.key            what seals the variables: made at first need, readable by its owner alone
//! blobs/ab/cdef…         content by SHA-256
//! functions/<digest>/    artifacts, unpacked and read-only
//! logs/<project>/        bounded segments of one JSON record per line
//! history/               what was counted over time: a file of fixed size for the host and each project
//! quarantine/            damaged blobs, taken out of the way and kept for whoever wants to look
//! reserve                room that is given away where removing something finds none
//! tmp/                   what is being written; emptied whenever the directory is opened
//! ```
//!
//! Three promises hold it together. A file under its final name in `blobs/` was durable before it got that name, so a
//! power cut cannot leave half of one. A deployment becomes visible in one database transaction, after all its blobs
//! were seen in place. What was written is checked again when it is read, so damage is an error and never a wrong answer.
//!
//! The crate is blocking and knows no async runtime; it reads no clock, no environment and no network. Times come in as
//! arguments, and what is deployed is never interpreted here beyond its manifest.

mod audit;
mod backup;
mod blobs;
mod certificates;
#[cfg(test)]
mod crash_tests;
mod data_dir;
mod database;
mod deployments;
mod disk;
mod domains;
mod fsck;
mod functions;
mod garbage;
mod history;
mod keeping;
mod lock;
mod logs;
mod needs;
mod project_blobs;
mod protection;
mod reserve;
mod sessions;
mod store;
#[cfg(test)]
mod testing;
mod tokens;
mod trusts;
mod variables;

pub use audit::{Audit, AuditEntry, AuditFilter, AuditNote, AuditOutcome, AuditRecord};
pub use backup::{Backup, BackupError, BackupReport, Fault, RestoreError, Restored, restore};
pub use blobs::{
    BatchReport, Begun, Blob, BlobBatch, BlobError, BlobTotals, BlobWriter, Blobs, Variant, Variants, VerifiedFile,
};
pub use certificates::{Certificates, StoredCertificate};
pub use database::StateError;
pub use deployments::{
    Aim, Alias, AliasKind, AliasMove, DeploymentQuery, DeploymentRecord, DeploymentSource, DeploymentSummary,
    Deployments, EnvironmentBinding, Expiry, LabelOwner, MoveCause, ProjectSummary, PublishError, PublishOptions,
    Published, RemoveError, Removed, Republish, Retention, RollbackError, StageError, StageRequest, StagedDeployment,
};
pub use disk::Durability;
pub use domains::{Domain, DomainError, Domains, REST};
pub use fsck::{BlobFault, DamagedBlob, DamagedFolder, Examination, FsckReport, Leftovers, Progress, Touched};
pub use functions::{
    ArchiveLimits, Composition, EntryFault, Functions, Mended, Others, Package, PackageFile, PackageKind, UnpackError,
};
pub use garbage::{CollectError, Collection, Garbage, Heap};
pub use history::{History, HistoryOf, Resolution, Sample, TimedSample};
pub use keeping::KeptBlobs;
pub use lock::{is_in_use, lock_holder};
pub use logs::{Continuity, LogPage, LogTail, Logs};
pub use project_blobs::ProjectBlobs;
pub use protection::{ProtectionRecord, Protections};
pub use sessions::{SessionRecord, Sessions};
pub use store::{OpenError, Store};
pub use tokens::{TokenRecord, Tokens};
pub use trusts::{ExchangeError, TrustError, TrustRecord, Trusts, UsedIdentity};
pub use variables::{
    NewKey, OpenedVariable, SealedVariable, VariableChange, VariableRecord, Variables, VariablesError,
    begin_with_a_new_key,
};
