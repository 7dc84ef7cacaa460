//! `ship build`: only the build, into a folder that can be looked at.

use std::path::PathBuf;

use serde_json::json;
use ship_builder::{Architecture, BuildOptions, BuildTarget, RunsOn, write_output};

use crate::building::{self, BuildRequest};
use crate::commands::deploy::FunctionLine;
use crate::error::CommandError;
use crate::kept_variables::KeptVariables;
use crate::output::Output;
use crate::settings::Settings;

/// Where the output stands, below the project.
const OUTPUT_FOLDER: &str = ".ship/output";

/// Build a project into .ship/output, and deploy nothing
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The project's folder (default: the current one)
    path: Option<PathBuf>,
    /// The processor to compile for: amd64 or arm64 (default: this machine's)
    #[arg(long, value_name = "ARCH")]
    arch: Option<Architecture>,
    /// Build what `ship deploy --prod` would
    #[arg(long)]
    prod: bool,
}

pub(crate) async fn run(arguments: BuildArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let options = BuildOptions { arch: arguments.arch.unwrap_or_default(), runs_on: RunsOn::AnyMachine };
    let target = if arguments.prod { BuildTarget::Production } else { BuildTarget::Preview };
    let variables = KeptVariables::of_named_host(settings);
    let request = BuildRequest { options, target, variables, ..BuildRequest::default() };
    let path = arguments.path.unwrap_or_else(|| ".".into());
    let built = building::build(&path, request, settings, output).await;
    let built = built.map_err(|error| error.in_project(&settings.absolute(&path)))?;
    building::say(&built, output);
    let folder = built.root.join(OUTPUT_FOLDER);
    write_output(&built.output, &folder)?;
    let functions: Vec<_> = built.output.functions().iter().map(FunctionLine::of).collect();
    let document = json!({
        "project": built.name,
        "arch": options.arch.as_str(),
        "output": folder,
        "functions": functions,
        "static": { "files": built.output.static_files(), "bytes": built.output.static_bytes() },
    });
    output.data(&document, |_| folder.display().to_string())
}
