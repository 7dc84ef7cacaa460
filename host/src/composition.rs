//! What functions are made of, as the API says it: of those that are deployed, and of those that are only built.

use ship_api::{CompositionView, OthersView, PackageFileView, PackageView};
use ship_core::Function;
use ship_store::{Composition, Others, Package};

/// What a function is made of, in the words of the API.
pub fn composition_view(function: &Function, composition: Composition) -> CompositionView {
    CompositionView {
        function: function.name.clone(),
        runtime: function.runtime,
        packed_bytes: function.size_bytes + function.layers.iter().map(|layer| layer.size_bytes).sum::<u64>(),
        bytes: composition.bytes,
        packages: composition.packages.into_iter().map(package).collect(),
        others: others(composition.others),
    }
}

fn package(package: Package) -> PackageView {
    let files = package.files.into_iter().map(|file| PackageFileView { path: file.path, bytes: file.bytes }).collect();
    let kind = package.kind.as_str().to_owned();
    PackageView { name: package.name, kind, bytes: package.bytes, files, others: others(package.others) }
}

fn others(others: Others) -> OthersView {
    OthersView { count: others.count, bytes: others.bytes }
}
