//! `config.json` of an output.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use ship_core::CorsRule;

use super::{CONFIG_JSON, OverriddenFile, Override, Overrides, Place, PrebuiltError};

/// Keys that change nothing about how a site is served here, and that `ship build` writes on as they are.
const PASSED_ON: [&str; 4] = ["cache", "crons", "flags", "framework"];

/// The file, as far as it is looked at. Keys that nobody knows are let be: newer adapters write them.
#[derive(Deserialize, Debug)]
pub(super) struct OutputConfig {
    #[serde(default)]
    version: Value,
    #[serde(default)]
    pub(super) routes: Option<Vec<Value>>,
    #[serde(default)]
    pub(super) images: Option<Value>,
    #[serde(default)]
    pub(super) wildcard: Option<Value>,
    #[serde(default)]
    pub(super) overrides: BTreeMap<String, OverrideEntry>,
    #[serde(default)]
    pub(super) ship: OwnKeys,
    #[serde(flatten)]
    pub(super) passed_on: Map<String, Value>,
}

/// What ship itself writes beside.
#[derive(Deserialize, Default, Debug)]
pub(super) struct OwnKeys {
    #[serde(default)]
    pub(super) cors: Option<Vec<CorsRule>>,
}

/// One of `overrides`.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct OverrideEntry {
    path: Option<String>,
    content_type: Option<String>,
}

impl OutputConfig {
    pub(super) fn read(place: &Place<'_>) -> Result<Self, PrebuiltError> {
        let file = place.folder.join(CONFIG_JSON);
        let mut config: Self = place.read_json(&file)?;
        if config.version != 3 {
            return Err(PrebuiltError::Version { config: place.shown(&file), found: config.version });
        }
        config.passed_on.retain(|key, _| PASSED_ON.contains(&key.as_str()));
        for (key, value) in [("images", &config.images), ("wildcard", &config.wildcard)] {
            if let Some(value) = value {
                config.passed_on.insert(key.to_owned(), value.clone());
            }
        }
        Ok(config)
    }
}

/// Which static files are served in their own way.
pub(super) fn overrides(
    place: &Place<'_>,
    entries: BTreeMap<String, OverrideEntry>,
) -> Result<Overrides, PrebuiltError> {
    let config = || place.shown(&place.folder.join(CONFIG_JSON));
    let path = |text: &str| {
        let text = text.trim_start_matches('/');
        text.parse().map_err(|source| PrebuiltError::Path { config: config(), source })
    };
    let entry = |(file, entry): (String, OverrideEntry)| {
        let OverrideEntry { path: served, content_type } = entry;
        // An empty path is that of the start page, which is served there as it is.
        let served = served.filter(|served| !served.trim_start_matches('/').is_empty());
        Ok(Override {
            file: OverriddenFile::Static(path(&file)?),
            path: served.as_deref().map(path).transpose()?,
            media_type: content_type.and_then(|text| text.parse().ok()),
        })
    };
    let entries = entries.into_iter().map(entry).collect::<Result<_, PrebuiltError>>()?;
    Ok(Overrides { entries })
}
