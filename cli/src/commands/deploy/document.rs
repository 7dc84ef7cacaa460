//! The JSON document of `ship deploy`. Its form is a promise to scripts.

use std::time::Duration;

use serde::Serialize;
use ship_api::{DeploymentView, StaticView};
use ship_builder::BuiltFunction;
use ship_core::{Digest, FunctionName, FunctionRuntime};

use super::send::Delivery;
use crate::building::Built;

/// All that a deploy came to.
#[derive(Debug, Serialize)]
pub(super) struct DeployDocument<'a> {
    deployment: &'a DeploymentView,
    url: &'a str,
    aliases: &'a [String],
    functions: Vec<FunctionLine<'a>>,
    r#static: StaticView,
    upload: Upload,
    timings_ms: Timings,
}

/// A function that was built.
#[derive(Debug, Serialize)]
pub(crate) struct FunctionLine<'a> {
    name: &'a FunctionName,
    route: &'a str,
    runtime: FunctionRuntime,
    digest: Digest,
    size_bytes: u64,
    cached: bool,
}

impl<'a> FunctionLine<'a> {
    /// What is said of a function.
    pub(crate) fn of(built: &'a BuiltFunction) -> Self {
        let function = &built.function;
        Self {
            name: &function.name,
            route: &built.route,
            runtime: function.runtime,
            digest: function.digest,
            size_bytes: function.size_bytes,
            cached: built.cached,
        }
    }
}

#[derive(Debug, Serialize)]
struct Upload {
    sent_blobs: u64,
    sent_bytes: u64,
    reused_blobs: u64,
}

/// Milliseconds of each phase.
#[derive(Debug, Serialize)]
struct Timings {
    detect: u64,
    build: u64,
    hash: u64,
    upload: u64,
    publish: u64,
    total: u64,
}

impl<'a> DeployDocument<'a> {
    pub(super) fn new(built: &'a Built, delivery: &'a Delivery, total: Duration) -> Self {
        let timings = built.output.timings();
        Self {
            deployment: &delivery.published.deployment,
            url: &delivery.published.url,
            aliases: &delivery.published.aliases,
            functions: built.output.functions().iter().map(FunctionLine::of).collect(),
            r#static: StaticView { files: built.output.static_files() as u64, bytes: built.output.static_bytes() },
            upload: Upload {
                sent_blobs: delivery.new_blobs,
                sent_bytes: delivery.new_bytes,
                reused_blobs: delivery.reused_blobs,
            },
            timings_ms: Timings {
                detect: millis(timings.detect),
                build: millis(timings.frontend + timings.build),
                hash: millis(timings.hash),
                upload: millis(delivery.upload_time),
                publish: millis(delivery.publish_time),
                total: millis(total),
            },
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
