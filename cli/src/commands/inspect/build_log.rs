//! What the build of a deployment said.

use ship_api::{BuildView, Client, DeploymentDetail};

use crate::error::CommandError;
use crate::output::{Output, plain, size};

/// Shows what was kept of it: on standard output its lines, and what is missing beside it.
pub(super) async fn show(client: &Client, detail: &DeploymentDetail, output: &Output) -> Result<(), CommandError> {
    let build: BuildView = client.build(&detail.deployment.id.to_string().parse()?).await?;
    match &build.log {
        None => output.status("Whoever published it sent no log of its build"),
        Some(log) if log.left_out_bytes > 0 => {
            output.status(format_args!("{} before these lines were not kept", size(log.left_out_bytes)));
        }
        Some(_) => {}
    }
    output.data(&build, |_| build.log.as_ref().map(|log| plain(&log.text)).unwrap_or_default())
}
