//! What a project consists of: what conventions find, or what its configuration names.

use std::path::Path;

use super::builds::Named;
use super::functions::{self, Found};
use super::site::{self, NamedFiles, SiteFolder};
use super::{DetectError, IgnoreFile, ProjectWarning, near_server, server};
use crate::config::{ConfigText, Configuration, FunctionRules};
use crate::frontend::{BuildSettings, Frontend, FrontendError};
use crate::project::ProjectDir;

/// What a project consists of.
pub(super) struct Parts {
    pub(super) found: Found,
    pub(super) frontend: Option<Frontend>,
    pub(super) site: SiteFolder,
}

/// What is found where conventions say that it is.
pub(super) fn found(
    project: &ProjectDir,
    base: &Path,
    (text, file): (ConfigText<'_>, &Configuration),
    ignore: &IgnoreFile,
    rules: &mut FunctionRules<'_>,
    warnings: &mut Vec<ProjectWarning>,
) -> Result<Parts, DetectError> {
    let settings = BuildSettings::of_toml(&file.build);
    let mut frontend = Frontend::find(base, &settings, project.root()).map_err(|error| placed(error, text, file))?;
    let mut found = functions::find(project, base, ignore, rules, warnings)?;
    // A server that stands beside a known framework, or beside a site that was built already, was for developing it.
    let may_have_server =
        file.build.output.is_none() && frontend.as_ref().is_none_or(|frontend| frontend.framework().is_none());
    if may_have_server && functions::add_server(project, base, rules, &mut found)? {
        frontend = None;
    }
    if found.functions.is_empty() {
        found.functions.extend(server::find_go(base, rules)?);
    }
    let framework = BuildSettings::of_toml(&file.build).framework;
    let is_alone = may_have_server && found.functions.is_empty() && frontend.is_none();
    if is_alone && server::is_rust(base, framework.value()) {
        functions::add_rust_server(project, base, rules, &mut found)?;
    }
    if may_have_server && found.functions.is_empty() && frontend.is_none() {
        warnings.extend(near_server::find(base));
    }
    let is_explained = warnings.iter().any(|warning| warning.file().is_some());
    if found.functions.is_empty() && !is_explained {
        // Helpers of nobody were meant as something else.
        warnings.extend(found.helpers.drain(..).map(|file| ProjectWarning::NoHandler { file }));
    }
    let site = match frontend {
        // Where its files are is known when it is built.
        Some(_) => SiteFolder::of_project(project, base.to_owned()),
        None => site::static_folder(text, &file.build, project, base.to_owned(), &found.functions)?,
    };
    Ok(Parts { found, frontend, site })
}

/// The error at its place in the configuration, if it is about what is written there.
fn placed(error: FrontendError, text: ConfigText<'_>, file: &Configuration) -> DetectError {
    match (&error, &file.build.framework) {
        (FrontendError::UnknownFramework { .. }, Some(written)) => {
            text.error(written.span(), error.to_string()).coded("unknown_framework").into()
        }
        _ => error.into(),
    }
}

/// What `builds` names, and nothing else.
pub(super) fn named(
    project: &ProjectDir,
    base: &Path,
    text: ConfigText<'_>,
    build: &mut BuildSettings,
    named: Named,
) -> Result<Parts, DetectError> {
    let Named { found, statics, frontend } = named;
    let Some(wanted) = frontend else {
        let sources = found.functions.iter().map(|function| function.file.clone()).collect();
        let site = SiteFolder::of_named(project, base.to_owned(), NamedFiles { globs: statics, sources });
        return Ok(Parts { found, frontend: None, site });
    };
    let refused = |message: &str| text.error(wanted.place.clone(), message).coded("invalid_builds");
    if !statics.is_empty() {
        return Err(
            refused("files as they are and files that are built cannot be one site: let the build copy them").into()
        );
    }
    build.expect_output(wanted.output.as_deref());
    let settings = wanted.script.map_or_else(|| build.clone(), |words| build.of_script(words));
    let place = wanted.folder.as_ref().map_or_else(|| base.to_owned(), |folder| base.join(folder.as_str()));
    let frontend = Frontend::find(&place, &settings, project.root())?;
    let frontend =
        frontend.ok_or_else(|| refused("this package has no `build` script, and no framework that is known"))?;
    let site = SiteFolder::of_project(project, base.to_owned());
    Ok(Parts { found, frontend: Some(frontend.within(wanted.folder)), site })
}
