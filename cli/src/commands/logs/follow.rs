//! Following a log, also across a restart of its host.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use ship_api::{ClientError, LogQuery, LogStream};
use ship_core::ProjectName;
use tokio::time::{Instant, sleep};

use super::show;
use crate::connection::find;
use crate::embedded::StartPolicy;
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;
use crate::settings::Settings;

/// How long to wait before a host that went away is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// Who follows a log, and what they want of it.
pub(super) struct Follower<'c> {
    settings: &'c Settings,
    output: &'c Output,
    project: ProjectName,
    query: LogQuery,
    patience: Duration,
}

impl<'c> Follower<'c> {
    /// A follower who waits `patience` long for a host that went away.
    pub(super) fn new(
        settings: &'c Settings,
        output: &'c Output,
        project: ProjectName,
        query: LogQuery,
        patience: Duration,
    ) -> Self {
        Self { settings, output, project, query, patience }
    }

    /// Shows lines as they come, until nobody reads them any more: a log has no end.
    pub(super) async fn follow(mut self, mut answer: LogStream) -> Result<(), CommandError> {
        loop {
            self.query.after = answer.start.or(self.query.after);
            self.show_until_gone(answer).await?;
            if self.output.is_left() {
                return Ok(());
            }
            answer = self.find_again().await?;
            self.output.status("The host is back");
        }
    }

    /// Shows lines until the host goes away or nobody reads them, and remembers where it was.
    async fn show_until_gone(&mut self, mut answer: LogStream) -> Result<(), CommandError> {
        loop {
            match answer.lines.try_next().await {
                Ok(Some(line)) => {
                    self.query.after = line.cursor.or(self.query.after);
                    show(&line.record, self.output)?;
                    if self.output.is_left() {
                        return Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The rest of the log, from a host that comes back in time.
    async fn find_again(&self) -> Result<LogStream, CommandError> {
        let seconds = self.patience.as_secs();
        if seconds > 0 {
            self.output.warning(format_args!("the host went away; waiting {seconds} s for it to come back"));
        }
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            // Whoever stopped the host did not mean that it should be started here.
            if let Some(host) = find(self.settings, self.output, StartPolicy::Never).await? {
                match host.client.logs(&self.project, &self.query).await {
                    Err(error) if is_gone(&error) => {}
                    answer => return Ok(answer?),
                }
            }
            sleep(PAUSE).await;
        }
        let message = format!("the host went away and did not come back within {seconds} s");
        Err(CommandError::new(ErrorKind::Unreachable, message)
            .hint("`ship logs -f --since 10m` goes on where this ended"))
    }
}

/// Whether an error says that there is no host for now.
fn is_gone(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable { .. }
            | ClientError::Disconnected { .. }
            | ClientError::BrokenAnswer { .. }
            | ClientError::Silent { .. }
    )
}
