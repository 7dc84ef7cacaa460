//! `ship host stop`: a host finishes what it does and ends.

use serde_json::json;

use crate::connection;
use crate::embedded::{Ending, StartPolicy};
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let Some(host) = connection::find(settings, output, StartPolicy::Never).await? else {
        output.status("No host runs here");
        return output.data(&json!({ "stopped": false }), |_| String::new());
    };
    // Its end is watched from before it is asked to end, so that it cannot be missed.
    let ending = host.endpoint.as_ref().map(|endpoint| (Ending::of(endpoint), endpoint.pid));
    host.client.shutdown().await?;
    match ending {
        Some((ending, pid)) => {
            let ended = async { ending?.wait().await }.await;
            ended.map_err(|error| CommandError::new(ErrorKind::Host, error))?;
            output.status(format_args!("The host (pid {pid}) has ended"));
        }
        None => output.status("The host finishes what it does and ends"),
    }
    output.data(&json!({ "stopped": true }), |_| String::new())
}
