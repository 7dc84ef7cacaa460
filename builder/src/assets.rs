//! Static files: found, digested (without reading what was read before), and given their media types.

mod hash;
mod media;
mod stat_cache;

use std::path::Path;
use std::time::SystemTime;

use rayon::prelude::*;
use ship_core::Asset;

use crate::detect::{IgnoreFile, SiteFolder, SiteFolderKind};
use crate::tree::{self, TreeError, TreeFile};

pub(crate) use media::media_type;
use stat_cache::StatCache;

/// The static files of a site as they were found.
#[derive(Debug)]
pub(crate) struct FoundFiles {
    /// Sorted by path.
    pub(crate) files: Vec<TreeFile>,
    /// When the search began.
    pub(crate) looked_at: SystemTime,
}

/// Finds the static files of `site`.
pub(crate) fn find(site: &SiteFolder, ignore: &IgnoreFile) -> Result<FoundFiles, TreeError> {
    let looked_at = SystemTime::now();
    // An output may consist of functions alone.
    if site.kind == SiteFolderKind::Output && !site.folder.exists() {
        return Ok(FoundFiles { files: Vec::new(), looked_at });
    }
    let files = match site.kind {
        SiteFolderKind::Output => {
            let selection = ignore.everywhere().without_ignored(&site.folder, site.selection());
            tree::walk(&site.folder, &site.project, &selection)?
        }
        SiteFolderKind::ProjectFolder | SiteFolderKind::Named | SiteFolderKind::Nothing => {
            let selection = ignore.in_project_folder().without_ignored(&site.folder, site.selection());
            tree::walk(&site.folder, &site.project, &selection)?
        }
    };
    Ok(FoundFiles { files, looked_at })
}

/// The digested static files of a site.
pub(crate) struct Assets {
    /// Sorted by path.
    pub(crate) assets: Vec<Asset>,
    /// How many files were read for it; the others were known.
    pub(crate) read_files: usize,
}

/// Digests the static files of `site`.
pub(crate) fn digest(found: FoundFiles, site: &SiteFolder, cache_dir: &Path) -> Result<Assets, TreeError> {
    let FoundFiles { files, looked_at } = found;
    let cache = StatCache::open(cache_dir, &site.folder, looked_at);
    let known = cache.lookup(&files);
    let read_files = known.iter().filter(|digest| digest.is_none()).count();
    if read_files == 0 {
        cache.write_if_shrunk(&files, &known);
        let assets = files.into_par_iter().zip(known);
        let assets = assets.filter_map(|(file, digest)| Some(asset(site, file, digest?, None)));
        return Ok(Assets { assets: assets.collect(), read_files });
    }
    let digested = hash::digest_unknown(&files, &known, site)?;
    cache.write(&files, &digested);
    let assets = files.into_par_iter().zip(digested);
    let assets = assets.map(|(file, found)| asset(site, file, found.digest, Some(found.size_bytes)));
    Ok(Assets { assets: assets.collect(), read_files })
}

fn asset(site: &SiteFolder, file: TreeFile, digest: ship_core::Digest, read_bytes: Option<u64>) -> Asset {
    let media_type = media_type(&file.path);
    let size_bytes = read_bytes.unwrap_or(file.stat.size_bytes);
    Asset { digest, size_bytes, media_type, path: site.served_at(file.path) }
}

#[cfg(test)]
mod tests;
