//! Whom a host trusts without a secret: jobs of continuous integration, which their platform vouches for with a signed identity
//! (OIDC).
//!
//! Here is what an admin may trust, and whether what a platform says of a job fits it. That the platform has said it, the host
//! finds out before.

mod claims;
mod conditions;
mod id;
mod issuer;
mod repository;
mod subject;

pub use self::claims::JobClaims;
pub use self::conditions::{ConditionsError, JobConditions};
pub use self::id::{ParseTrustIdError, TrustId};
pub use self::issuer::{Issuer, ParseIssuerError, Platform};
pub use self::repository::{ParseRepositoryNameError, RepositoryName};
pub use self::subject::{ParseSubjectPatternError, SubjectPattern};
