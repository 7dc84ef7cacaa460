//! The owner's own word on whether there is anything to deploy: `ignoreCommand` of `vercel.json`, `[build] ignore` of `ship.toml`.

use super::command::{CommandLine, Runner};
use super::prepare::{caller_variables, folder_cache};
use super::variables::{self, BuildContext};
use super::{Frontend, FrontendError};
use crate::detect::ProjectConfig;
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;

impl ProjectConfig {
    /// The line that ends well if this is not to be deployed, if the project has one.
    pub fn ignore_command(&self) -> Option<&str> {
        self.ignore_command.as_deref().filter(|line| !line.trim().is_empty())
    }

    /// Asks it. As on Vercel, 0 is a reason to leave it, and any other end one to go on. Blocks; `events` is called on this
    /// thread.
    pub fn is_to_be_ignored(
        &self,
        environment: &BuildEnvironment,
        context: &BuildContext,
        events: &dyn Fn(BuildEvent),
    ) -> Result<bool, FrontendError> {
        let Some(line) = self.ignore_command() else { return Ok(false) };
        let base = self.site.base.as_path();
        let of_caller = caller_variables(environment);
        let order = self.frontend.as_ref().map(Frontend::env_order).unwrap_or_default();
        let of_files = crate::env_files::read(base, context.target, order, &variables::as_text(&of_caller))?;
        let variables = variables::assemble(&of_caller, of_files, context, None);
        let search_path = std::iter::once(base.join("node_modules/.bin")).chain(environment.search_path()).collect();
        let runner = Runner {
            folder: base,
            search_path,
            variables: variables.all,
            interrupt: &environment.interrupt,
            log: folder_cache(environment, base).join("ignore.log"),
            events,
            turn: None,
        };
        let _ = std::fs::remove_file(&runner.log);
        match runner.run("ignore", &CommandLine::Shell(line.to_owned())) {
            Ok(_) => Ok(true),
            Err(FrontendError::CommandFailed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
