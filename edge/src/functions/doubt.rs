//! A function that fails may have lost a file of what was unpacked. That is looked into in the background, so that the next
//! request finds it mended.

use std::time::Instant;

use ship_core::FunctionIndex;

use super::FunctionServer;
use crate::live_deployment::LiveDeployment;

impl FunctionServer {
    /// Has what a function was unpacked to compared with its artifact, now and then, and unpacked anew where it differs.
    pub(super) fn doubt(&self, deployment: &LiveDeployment, function: FunctionIndex) {
        if !deployment.last_doubt().take(Instant::now()) {
            return;
        }
        let (store, function) = (self.store.clone(), deployment.function(function).clone());
        self.tasks.spawn_blocking(move || {
            if let Err(error) = store.functions().mend(&function) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(function = %function.name, error, "what was unpacked cannot be compared");
            }
        });
    }
}
