//! The vocabulary of ship: digests, names, paths, routes, manifests and limits, each parsed once into a type that cannot
//! hold a wrong value.
//!
//! This crate never performs I/O, never reads a clock, an environment or a random source, and knows no async runtime.
//! Everything here is a value or a pure function over values, so the host, the dev server, the builder and the tests
//! mean the same thing when they say "route" or "deployment".

mod access;
mod address;
mod author;
mod build_log;
mod cache_state;
mod commit;
mod cors;
mod cron;
mod deployment;
mod digest;
mod domain;
mod environment;
mod function;
mod label;
mod limits;
mod log;
mod manifest;
mod media_type;
mod meter;
mod name;
mod network;
mod path;
mod platform_error;
mod prerender;
mod protection;
mod request_id;
pub mod route;
mod schedule;
mod site_index;
mod system_variables;
mod text;
mod trace;
mod trust;
mod variable;
mod warm;

pub use access::{
    Action, Effect, Lifetime, LoginCode, ParseLifetimeError, ParseLoginCodeError, ParseTokenIdError,
    ParseTokenNameError, ProjectScope, Role, Scope, TokenId, TokenName, UnknownRole,
};
pub use address::{AddressRange, InvalidAddressRange, embedded_address, is_public_address, subscriber_address};
pub use author::{AuthorName, ParseAuthorNameError};
pub use build_log::BuildLog;
pub use cache_state::CacheState;
pub use commit::{CommitSubject, ParseCommitSubjectError};
pub use cors::{CorsRule, CorsRuleError, Credentials, OriginPattern, OriginPatternError};
pub use cron::{Cron, CronError};
pub use deployment::{DeploymentId, DeploymentIdPrefix, ParseDeploymentIdError, Target, UnknownTarget};
pub use digest::{Digest, DigestHasher, ParseDigestError};
pub use domain::{DomainName, ParseDomainNameError};
pub use environment::{DeploymentEnvironment, EnvironmentError};
pub use function::{Function, FunctionRuntime, Layer, UnknownRuntime};
pub use label::{HostLabel, ParseHostLabelError};
pub use limits::{FunctionLimits, FunctionLimitsError, SiteLimits};
pub use log::{
    LogCursor, LogFilter, LogLevel, LogLevels, LogMoment, LogRecord, LogSource, LogStream, ParseLogCursorError,
    ParseLogLevelError, ParseLogMomentError, ParseStatusRangesError, StatusRanges,
};
pub use manifest::{Asset, Manifest, ManifestError};
pub use media_type::{MediaType, ParseMediaTypeError};
pub use meter::{BUCKET_BOUNDS_MICROS, BUCKETS, Counter, Histogram, HistogramView};
pub use name::{BranchName, ParseBranchNameError, ParseProjectNameError, ProjectName};
pub use network::{NetworkAccess, UnknownNetworkAccess};
pub use path::{FunctionName, ParsePathError, PathClash, PathDifference, SitePath, UrlPath, UrlPathError};
pub use platform_error::PlatformError;
pub use prerender::{BypassToken, EmptyTokenError, Expiration, Fallback, Prerender, QueryPlace};
pub use protection::{ProtectionCoverage, ProtectionMode, UnknownProtectionWord};
pub use request_id::{ParseRequestIdError, RequestId};
pub use schedule::{Schedule, ScheduleError};
pub use site_index::{AssetIndex, Found, FunctionIndex, SiteIndex};
pub use system_variables::{SystemVariables, main_host};
pub use trace::TraceContext;
pub use trust::{
    ConditionsError, Issuer, JobClaims, JobConditions, ParseIssuerError, ParseRepositoryNameError,
    ParseSubjectPatternError, ParseTrustIdError, Platform, RepositoryName, SubjectPattern, TrustId,
};
pub use variable::{
    BranchWithoutPreview, MASKED_FROM_CHARS, UnknownVariableKind, UnknownVariableTarget, VariableKind, VariableName,
    VariableNameError, VariableScope, VariableTarget, VariableValue, VariableValueError, check_environment_bytes,
    variable_bytes,
};
pub use warm::{TimeZoneName, UnknownTimeZone, WarmSchedule};
