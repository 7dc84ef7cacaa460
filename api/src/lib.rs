//! The control API of a ship host: its wire types, its error codes, the format blobs travel in, and the typed client.
//!
//! `ship-host` serves these types and `ship` asks for them; nothing else of the two meets. The crate never prints, never
//! reads an environment, and decides nothing about deployments.

mod chunks;
mod client;
mod error;
mod log_line;
mod pack;
mod protection;
mod reference;
mod upload_id;
mod variables;
mod views;

pub use chunks::{CHUNKED_BYTES, Chunk, ChunkDigest, chunks_of};
pub use client::{
    BACKUP_BLOBS, BACKUP_DEPLOYMENTS, BACKUP_MEDIA_TYPE, BackupStream, BlobSource, Client, ClientError, ClientOptions,
    Copies, LogQuery, LogStream, PackForm, Span, UploadBlob,
};
pub use error::{ErrorBody, ErrorCode, ErrorDetail};
pub use log_line::{LOG_CURSOR, LogLine};
pub use pack::{
    Beginning, FRAME_BYTES, FRAMED_PACK_MEDIA_TYPE, FrameWriter, HEAD_BYTES, PACK_MEDIA_TYPE, PACK_VERSION,
    PackDecoder, PackError, PackEvent, copy_part, framed_end, framed_entry, literal_part, pack_end, pack_entry,
};
pub use protection::{ProtectionRequest, ProtectionView};
pub use reference::{DeploymentReference, ParseReferenceError};
pub use upload_id::{ParseUploadIdError, UploadId};
pub use variables::{
    ReadableVariable, ReadableVariables, RemovedVariablesView, SetVariableRequest, SetVariableView, VariableList,
    VariableView,
};
pub use views::{
    AddTrustRequest, AliasMoveView, ApproveLoginRequest, ApprovedLogin, AuditList, AuditView, BeginLoginRequest,
    BegunBlob, BegunLogin, BuildLogView, BuildView, CertificateView, ChangeCounts, ChangesView, CheckFunctions,
    ChunkList, ChunksOf, CompositionView, CreateTokenRequest, CreatedToken, CronView, DamagedBlobView,
    DamagedFunctionView, DeploymentDetail, DeploymentList, DeploymentView, Differences, DomainList, DomainRequest,
    DomainView, ExchangeRequest, FsckView, FunctionView, GcRequest, GcView, HeapView, HistoryPoint, HistoryRange,
    HistoryView, HostStatus, InstanceView, LeftoversView, LimitsView, ListedView, LoginView, MissingBlobs,
    MissingBlobsRequest, OthersView, PackageFileView, PackageView, ParseHistoryRangeError, ProjectList, ProjectView,
    PromoteRequest, PublishOptions, PublishRequest, PublishedView, RemovedDeploymentView, RemovedToken, RemovedTrust,
    RemovedView, Republish, RollbackRequest, SessionLink, StaticView, TokenList, TokenView, TouchedView, TrustList,
    TrustView, UpgradeRequest, UpgradedView, UploadReport, WaitLoginRequest, WaitedLogin, WarmView, WhoAmI,
};
