//! The Python package index: where a person says that it is, and the programs that ship itself takes from it. Many tools are
//! there as wheels for every platform, and whoever cannot reach the public index has a mirror that everybody is told of.

mod fetch;
mod index;
mod secrets;

pub(crate) use fetch::{FetchError, PinnedWheel, Unpacked, fetch};
pub(crate) use index::{DEFAULT_INDEX, index, settings_for_uv};
pub(crate) use secrets::{Secrets, without_users};
