//! Functions in Python: finding their applications, packing the project they import from, and installing what it depends on.

mod build;
mod dependencies;
mod entry_point;
mod error;
mod inputs;
mod install;
mod interpreter;
mod launcher;
mod packages;
mod pipfile;
mod poetry;
mod requirements;
mod scan;
mod scripts;
mod sources;
mod syntax;
mod uv;
mod version;

pub use error::PythonError;
pub use launcher::python_launcher;
pub use scan::EntryFlaw;
pub use syntax::SyntaxError;
pub use version::Version;

pub(crate) use build::build;
pub(crate) use entry_point::{SiteEntry, is_server, near_server, site_entry};
pub(crate) use inputs::{InputError as PythonInputError, PythonEntry, PythonInputs};
pub(crate) use scan::{NearEntry, PythonFile, imports, is_python_source, mentions, scan};
pub(crate) use scripts::programs as programs_for_scripts;
pub(crate) use sources::{is_made_by_setuptools, is_python_project, is_virtual_environment};
