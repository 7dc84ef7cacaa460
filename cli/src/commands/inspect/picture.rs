//! Pictures of what is looked at, and where they go.

use std::fs::File;
use std::path::Path;

use serde_json::json;
use ship_api::CompositionView;
use ship_builder::BlobSource;
use ship_core::{Digest, Function, FunctionName};
use ship_host::composition_view;
use ship_store::{Composition, UnpackError};

use super::subject::Subject;
use crate::building::Built;
use crate::error::CommandError;
use crate::output::Output;
use crate::pictures;
use crate::settings::Settings;

/// Draws routes and functions.
pub(super) fn graph(
    subject: &Subject,
    file: Option<&Path>,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let svg = pictures::graph(&subject.site())?;
    if output.is_json() && file.is_none() {
        return output.json(&json!({ "svg": svg }));
    }
    deliver(&svg, "graph.svg", file, settings, output)
}

/// Draws what a function is made of. As JSON it is the numbers.
pub(super) async fn bundle(
    subject: &Subject,
    function: &FunctionName,
    file: Option<&Path>,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let composition = composition(subject, function).await?;
    if output.is_json() && file.is_none() {
        return output.json(&composition);
    }
    let page = pictures::bundle_page(&subject.site().title, &composition)?;
    deliver(&page, "bundle.html", file, settings, output)
}

async fn composition(subject: &Subject, wanted: &FunctionName) -> Result<CompositionView, CommandError> {
    let names: Vec<FunctionName> = subject.site().functions.into_iter().map(|function| function.name).collect();
    if !names.contains(wanted) {
        let error = CommandError::project(format!("there is no function `{wanted}` in it"));
        let names: Vec<&str> = names.iter().take(10).map(FunctionName::as_str).collect();
        return Err(if names.is_empty() {
            error.hint("it has no functions")
        } else {
            error.hint(format!("it has {}", names.join(", ")))
        });
    }
    match subject {
        Subject::Deployed { host, detail } => {
            let reference = detail.deployment.id.to_string().parse()?;
            Ok(host.client.composition(&reference, wanted).await?)
        }
        Subject::Built(built) => composition_of_build(built, wanted),
    }
}

fn composition_of_build(built: &Built, wanted: &FunctionName) -> Result<CompositionView, CommandError> {
    let functions = built.output.manifest().functions();
    let named = |function: &&Function| function.name == *wanted;
    let function = functions.iter().find(named).ok_or_else(|| CommandError::project("there is no such function"))?;
    let composition = Composition::of(function, |digest| open(built, digest));
    Ok(composition_view(function, composition.map_err(CommandError::project)?))
}

fn open(built: &Built, digest: &Digest) -> Result<(u64, File), UnpackError> {
    let unreadable = |path: &Path, source| UnpackError::Unreadable { path: path.to_owned(), source };
    let Some(BlobSource::File(path)) = built.output.blob_source(digest) else {
        let absent = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(unreadable(Path::new(&digest.to_hex()), absent));
    };
    let file = File::open(&path).map_err(|source| unreadable(&path, source))?;
    let bytes = file.metadata().map_err(|source| unreadable(&path, source))?.len();
    Ok((bytes, file))
}

/// Writes a picture into a file, or to standard output where that is no terminal: nobody reads a picture there.
fn deliver(
    picture: &str,
    name: &str,
    file: Option<&Path>,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let Some(file) = file else {
        if output.is_data_on_terminal() {
            let error = CommandError::usage("a picture is for a browser, and standard output is a terminal");
            return Err(error.hint(format!("`--output {name}` writes it into a file")));
        }
        return output.text(picture);
    };
    let path = settings.absolute(file);
    fs_err::write(&path, picture).map_err(CommandError::project)?;
    output.data(&json!({ "output": path }), |_| path.display().to_string())
}
