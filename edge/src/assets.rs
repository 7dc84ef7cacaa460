//! Static files: what is sent for an asset, from memory or from disk, whole, in part or not at all.

mod cache;
mod content;
mod file_body;
mod hashed_name;
mod page_script;
mod prepared;
mod serve;
mod variant_worker;

pub(crate) use cache::ContentCache;
pub(crate) use content::Content;
pub(crate) use file_body::FileBody;
pub(crate) use page_script::PageScript;
pub(crate) use prepared::{PreparedAsset, REVALIDATE};
pub(crate) use serve::{AssetRequest, AssetServer};
pub(crate) use variant_worker::VariantWorker;
