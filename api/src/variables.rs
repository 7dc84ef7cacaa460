//! The wire types of variables.

use jiff::Timestamp;
use ship_core::{BranchName, ProjectName, VariableKind, VariableName, VariableTarget, VariableValue};
use utoipa::ToSchema;

/// A value to set.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetVariableRequest {
    /// The value: any text without a NUL.
    #[schema(value_type = String)]
    pub value: VariableValue,
    /// What it is for, at least one: `production`, `preview`, `development`.
    #[schema(value_type = Vec<String>, example = json!(["production", "preview"]))]
    pub targets: Vec<VariableTarget>,
    /// Of previews, the only branch that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub branch: Option<BranchName>,
    /// Who may read it: `secret` or `plain`.
    #[schema(value_type = String, example = "secret")]
    pub kind: VariableKind,
}

/// A variable without its value.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct VariableView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: VariableName,
    /// What it is for: `production`, `preview` or `development`.
    #[schema(value_type = String, example = "preview")]
    pub target: VariableTarget,
    /// Of previews, the only branch that it is for.
    #[schema(value_type = Option<String>)]
    pub branch: Option<BranchName>,
    /// Who may read it: `secret`, its functions alone; `plain`, builds and people as well.
    #[schema(value_type = String, example = "secret")]
    pub kind: VariableKind,
    /// When it was set.
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
}

/// The variables of a project.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct VariableList {
    /// The project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// What is set, by name and target. No values.
    pub variables: Vec<VariableView>,
}

/// What was set.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct SetVariableView {
    /// The project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// The variable, once for each target.
    pub set: Vec<VariableView>,
}

/// What was removed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct RemovedVariablesView {
    /// The project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// The variable, once for each target that it was removed from.
    pub removed: Vec<VariableView>,
}

/// The values of a target that may be read.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ReadableVariables {
    /// Names with values, by name.
    #[schema(value_type = Vec<Object>)]
    pub values: Vec<ReadableVariable>,
    /// The names of those that are set too, and that only functions may read.
    #[schema(value_type = Vec<String>)]
    pub secret: Vec<VariableName>,
}

/// A value that may be read.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ReadableVariable {
    /// Its name.
    #[schema(value_type = String)]
    pub name: VariableName,
    /// Its value.
    #[schema(value_type = String)]
    pub value: VariableValue,
}
