//! Pictures of deployments: files that a browser shows by itself, without a network and without a script.

mod bundle;
mod graph;
mod templates;
mod treemap;

use ship_api::{DeploymentDetail, StaticView};
use ship_core::route::RouteTable;
use ship_core::{FunctionName, FunctionRuntime};

use crate::building::Built;

pub(crate) use self::bundle::page as bundle_page;
pub(crate) use self::graph::draw as graph;

/// What a picture is of: what is deployed, or what is only built.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// What it is called.
    pub(crate) title: String,
    /// Its routes.
    pub(crate) routes: RouteTable,
    /// Its functions, by name.
    pub(crate) functions: Vec<SiteFunction>,
    /// Its files.
    pub(crate) files: StaticView,
}

/// A function of what a picture is of.
#[derive(Clone, Debug)]
pub(crate) struct SiteFunction {
    /// Its name.
    pub(crate) name: FunctionName,
    /// How it runs.
    pub(crate) runtime: FunctionRuntime,
    /// The bytes of its artifact.
    pub(crate) size_bytes: u64,
}

impl Site {
    /// What a host says of a deployment.
    pub(crate) fn of_deployment(detail: &DeploymentDetail) -> Self {
        let deployment = &detail.deployment;
        let function = |view: &ship_api::FunctionView| SiteFunction {
            name: view.name.clone(),
            runtime: view.runtime,
            size_bytes: view.size_bytes,
        };
        Self {
            title: format!("{} {}", deployment.project, deployment.id.short()),
            routes: detail.routes.clone(),
            functions: detail.functions.iter().map(function).collect(),
            files: StaticView { files: detail.r#static.files, bytes: detail.r#static.bytes },
        }
    }

    /// What was built.
    pub(crate) fn of_build(built: &Built) -> Self {
        let manifest = built.output.manifest();
        let function = |function: &ship_core::Function| SiteFunction {
            name: function.name.clone(),
            runtime: function.runtime,
            size_bytes: function.size_bytes,
        };
        Self {
            title: format!("{}, as it was built", built.name),
            routes: manifest.routes().clone(),
            functions: manifest.functions().iter().map(function).collect(),
            files: StaticView { files: built.output.static_files() as u64, bytes: built.output.static_bytes() },
        }
    }
}

/// The first characters of a text and its last, where it is longer than fits.
fn cut(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let end = most / 3;
    let begin: String = text.chars().take(most - end - 1).collect();
    let end: String = text.chars().skip(length - end).collect();
    format!("{begin}…{end}")
}
