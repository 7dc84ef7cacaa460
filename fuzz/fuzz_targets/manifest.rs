//! Manifests, which a host takes from whoever may deploy: what is accepted keeps its limits, means one deployment, and every file of it is found.
#![no_main]

use std::collections::HashMap;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ship_core::{AssetIndex, Found, Manifest, ProjectName, SiteIndex, SiteLimits, UrlPath};

/// What is escaped of a path when somebody asks for it.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');

fn keeps_its_limits(manifest: &Manifest) {
    let limits = SiteLimits::DEFAULT;
    assert!(manifest.assets().len() <= limits.assets);
    assert!(manifest.functions().len() <= limits.functions);
    assert!(manifest.routes().len() <= limits.routes);
    assert!(manifest.cors().len() <= limits.cors_rules);
    assert!(manifest.crons().len() <= limits.crons);
    assert!(manifest.assets().is_sorted_by(|left, right| left.path < right.path));
    assert!(manifest.functions().is_sorted_by(|left, right| left.name < right.name));
    assert!(manifest.functions().iter().all(|function| function.limits.check().is_ok()));
    let sizes: HashMap<_, _> = manifest.blobs().into_iter().collect();
    for asset in manifest.assets() {
        assert_eq!(sizes.get(&asset.digest), Some(&asset.size_bytes), "one blob, one size");
    }
}

/// Schedules are read as crontab is, over every month and leap day: in the end there is an answer.
fn keeps_what_it_may(manifest: &Manifest) {
    for function in manifest.functions() {
        for second in [0, 951_782_400, 1_774_746_000, 4_102_444_800] {
            let kept = function.kept_at(Timestamp::from_second(second).expect("a time of this age"));
            assert!(kept <= function.limits.max_instances);
        }
    }
}

/// Each file answers at its own path, however its name has to be escaped.
fn is_found(manifest: &Manifest) {
    let index = SiteIndex::new(manifest);
    for (number, asset) in (0..).zip(manifest.assets()) {
        let asked = format!("/{}", utf8_percent_encode(asset.path.as_str(), IN_PATH));
        let path = UrlPath::parse(&asked).expect("a path inside a site can be asked for");
        assert_eq!(index.find(path.as_str()), Some(Found::Asset(AssetIndex(number))), "{asked}");
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(manifest) = Manifest::from_json(input) else { return };
    let canonical = manifest.to_canonical_json();
    let again = Manifest::from_json(&canonical).expect("what was written can be read");
    assert_eq!(again, manifest);
    assert_eq!(again.to_canonical_json(), canonical);
    let project: ProjectName = "site".parse().expect("a name");
    assert_eq!(manifest.deployment_id(&project), again.deployment_id(&project));
    keeps_its_limits(&manifest);
    keeps_what_it_may(&manifest);
    is_found(&manifest);
    assert_eq!(manifest.check_patterns(), again.check_patterns());
});
