//! Files that are a server for whoever wrote them, in a folder where nothing says so. They would be served as they stand, source and all,
//! and nobody would know why.

use std::path::Path;

use super::{ProjectWarning, server};
use crate::{node, python};

/// The first such file in `base`, where nothing else answers.
pub(super) fn find(base: &Path) -> Option<ProjectWarning> {
    let found = python::near_server(base).or_else(|| node::near_server(base)).or_else(|| server::near_go(base));
    found.map(ProjectWarning::NearServer)
}
