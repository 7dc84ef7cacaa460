//! `ship schema`: what editors complete and check `ship.toml` with.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// The schema of `ship.toml`, as this program reads that file.
const SCHEMA: &str = include_str!("../../../docs/ship.schema.json");

/// Where a project has the schema, relative to its folder: with what else ship leaves there, away from version control.
pub(super) const IN_PROJECT: &str = ".ship/ship.schema.json";

/// Print the JSON schema of ship.toml, for editors
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SchemaArgs {
    /// Write it to `.ship/ship.schema.json`, where the first line of a `ship.toml` finds it
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(arguments: &SchemaArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    if arguments.write {
        let path = write(&settings.folder)?;
        output.status(format_args!("An editor finds it by a first line in ship.toml: #:schema {IN_PROJECT}"));
        return output.data(&json!({ "path": path }), |_| path.display().to_string());
    }
    let schema: Value = serde_json::from_str(SCHEMA).map_err(CommandError::project)?;
    output.data(&schema, |_| SCHEMA.to_owned())
}

/// Writes the schema into a project, and says where.
fn write(folder: &Path) -> Result<PathBuf, CommandError> {
    let path = folder.join(IN_PROJECT);
    let parent = path.parent().unwrap_or(folder);
    let written = fs_err::create_dir_all(parent).and_then(|()| fs_err::write(&path, SCHEMA));
    written.map_err(|error| CommandError::project(error).hint("`ship schema` prints it"))?;
    Ok(path)
}

/// Writes the schema into a project whose `ship.toml` says that it is there, where it is not, as in a fresh clone. Editors do without it where it
/// cannot be written.
pub(super) fn bring(folder: &Path) {
    let Ok(text) = fs_err::read_to_string(folder.join("ship.toml")) else { return };
    if names_schema(&text) && !folder.join(IN_PROJECT).exists() {
        let _ = write(folder);
    }
}

/// Whether a file's first line leads editors to the schema in the project.
fn names_schema(text: &str) -> bool {
    let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema"));
    named.is_some_and(|path| path.trim().trim_start_matches("./") == IN_PROJECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a project that asks for the schema gets it, and one that is there stays.
    #[test]
    fn brought() {
        let folder = tempfile::tempdir().unwrap();
        let schema = folder.path().join(IN_PROJECT);
        bring(folder.path());
        for text in [
            "name = \"x\"\n",
            "#:schema https://example.com/schema.json\n",
            "name = \"x\"\n#:schema .ship/ship.schema.json",
        ] {
            fs_err::write(folder.path().join("ship.toml"), text).unwrap();
            bring(folder.path());
            assert!(!schema.exists(), "{text}");
        }
        fs_err::write(folder.path().join("ship.toml"), "#:schema ./.ship/ship.schema.json\nname = \"x\"\n").unwrap();
        bring(folder.path());
        assert_eq!(fs_err::read_to_string(&schema).unwrap(), SCHEMA);
        fs_err::write(&schema, "older").unwrap();
        bring(folder.path());
        assert_eq!(fs_err::read_to_string(&schema).unwrap(), "older");
    }
}
