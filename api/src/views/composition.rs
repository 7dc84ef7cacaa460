//! What a function's artifact is made of.

use ship_core::{FunctionName, FunctionRuntime};
use utoipa::ToSchema;

/// What a function's artifact is made of, the largest first: the 200 largest packages, of each the 40 largest files.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct CompositionView {
    /// The function.
    #[schema(value_type = String)]
    pub function: FunctionName,
    /// How it runs.
    #[schema(value_type = String, example = "node")]
    pub runtime: FunctionRuntime,
    /// The size of the artifact and its layers as they are sent, in bytes.
    pub packed_bytes: u64,
    /// Their size unpacked, in bytes: the sum of all that follows.
    pub bytes: u64,
    /// Whose the bytes are.
    pub packages: Vec<PackageView>,
    /// The packages that are not named.
    #[serde(default)]
    pub others: OthersView,
}

/// What belongs together in an artifact.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct PackageView {
    /// The name of a package, or what it is.
    pub name: String,
    /// `own`, `dependency`, `platform` (it comes with the language, the bundler or ship) or `data` (what is no code).
    #[schema(example = "dependency")]
    pub kind: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its files, or the parts of a program.
    pub files: Vec<PackageFileView>,
    /// Those that are not named.
    #[serde(default)]
    pub others: OthersView,
}

/// A file of a package.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct PackageFileView {
    /// Where it stands in its package.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
}

/// What is not named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct OthersView {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}
