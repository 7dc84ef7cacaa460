//! What of installed packages travels: everything but what says where, when and by whom it was installed.

use std::path::Path;

use super::error::PythonError;
use crate::artifact::{Content, Member};

/// The folder of the layer.
pub(super) const MOUNT: &str = "python";

/// Notes of installers beside a package's description.
const NOTES: [&str; 7] =
    ["INSTALLER", "RECORD", "RECORD.jws", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"];

/// Programs begin with the path of the Python that they were installed for, and no function starts them.
const PROGRAMS: &str = "bin";

/// The members of the layer of what was installed into `target`.
pub(super) fn members(target: &Path) -> Result<Vec<Member>, PythonError> {
    let mut members = Vec::new();
    collect(target, MOUNT, &mut members)?;
    Ok(members)
}

fn collect(folder: &Path, name: &str, members: &mut Vec<Member>) -> Result<(), PythonError> {
    let failed = |source| PythonError::Storage { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (Ok(own), Ok(metadata)) = (entry.file_name().into_string(), std::fs::metadata(entry.path())) else {
            continue;
        };
        if is_left_out(name, &own) {
            continue;
        }
        let below = format!("{name}/{own}");
        if metadata.is_dir() {
            collect(&entry.path(), &below, members)?;
        } else {
            members.push(Member::data(below, Content::File(entry.path())));
        }
    }
    Ok(())
}

fn is_left_out(folder: &str, name: &str) -> bool {
    let is_at_top = folder == MOUNT;
    (is_at_top && (name == PROGRAMS || name == ".lock")) || (folder.ends_with(".dist-info") && NOTES.contains(&name))
}
