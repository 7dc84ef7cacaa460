//! What stands in a backup: the names of entries and the description, written and parsed.

use serde::{Deserialize, Serialize};
use ship_core::Digest;

use crate::data_dir::blob_name;

/// The first entry.
pub(super) const DESCRIPTION: &str = "ship-backup.json";

/// The second one.
pub(super) const STATE: &str = "state.db";

/// The folder of the others.
const BLOBS: &str = "blobs/";

/// The format that this code writes.
pub(super) const FORMAT_VERSION: u32 = 1;

/// The longest description.
pub(super) const DESCRIPTION_BYTES: u64 = 64 * 1024;

/// What follows in a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Description {
    /// The version of this format.
    pub(super) format: u32,
    /// The version of the data directory's layout.
    pub(super) layout: u32,
    /// The version of the state's schema.
    pub(super) schema: u32,
    /// The digest of the state.
    pub(super) state: Digest,
    /// Its size in bytes.
    pub(super) state_bytes: u64,
    /// How many blobs there are.
    pub(super) blobs: u64,
    /// Their sizes together, in bytes.
    pub(super) blob_bytes: u64,
}

/// The name of a blob's entry.
pub(super) fn blob_entry(digest: &Digest) -> String {
    format!("{BLOBS}{}", blob_name(digest))
}

/// The blob of an entry. Only the one name that a blob has leads to it.
pub(super) fn parse_blob_entry(name: &str) -> Option<Digest> {
    let (shard, rest) = name.strip_prefix(BLOBS)?.split_once('/')?;
    let digest = Digest::from_hex(&format!("{shard}{rest}")).ok()?;
    (blob_entry(&digest) == name).then_some(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A blob's name leads back to it.
        #[test]
        fn names_of_blobs(bytes: [u8; 32]) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(parse_blob_entry(&blob_entry(&digest)), Some(digest));
        }

        /// No other name leads anywhere.
        #[test]
        fn other_names(name in "(blobs/)?[0-9a-fA-F./]{0,70}") {
            if let Some(digest) = parse_blob_entry(&name) {
                prop_assert_eq!(blob_entry(&digest), name);
            }
        }
    }

    /// Names that come close.
    #[test]
    fn names_that_come_close() {
        let digest = Digest::of(b"a");
        let (name, hex) = (blob_entry(&digest), digest.to_hex());
        for other in [
            name.to_uppercase(),
            format!("/{name}"),
            format!("./{name}"),
            format!("{name}/"),
            format!("blobs/{hex}"),
            format!("blobs/../blobs/{}/{}", &hex[..2], &hex[2..]),
            format!("blobs/{}/{}", &hex[..3], &hex[3..]),
        ] {
            assert_eq!(parse_blob_entry(&other), None, "{other}");
        }
    }
}
