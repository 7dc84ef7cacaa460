//! Whether a file's name holds a digest of its content, as build tools write it. Such a file never changes under its name, so
//! browsers may keep it for a year. A wrong "yes" would pin an old file for that long, so every doubt is a "no".

use ship_core::SitePath;

/// Extensions of what build tools name by content: besides these, images and fonts that they copy.
const SCRIPTS_AND_STYLES: [&str; 4] = ["js", "mjs", "css", "map"];

/// Folders that build tools own, where nobody keeps files of their own making.
const BUILD_FOLDERS: [&str; 5] = ["assets/", "_astro/", "_next/static/", "_app/immutable/", "build/"];

/// The lengths in which tools cut hexadecimal digests. 12 is not among them: it is the last group of a UUID.
const HEX_LENGTHS: [usize; 7] = [8, 10, 16, 20, 32, 40, 64];

/// The length in which Rollup (so Vite, Astro and `SvelteKit`) and esbuild cut digests that are not hexadecimal.
const SHORT_HASH_CHARS: usize = 8;

/// Whether the name of `path` holds a digest: `app.3f2a9c1b.js`, `index-BfLx2k9D.js`, `chunk-3XK5PQ2A.js`.
pub(super) fn is_content_hashed(path: &SitePath) -> bool {
    let Some((stem, extension)) = path.file_name().split_once('.') else { return false };
    let last_extension = extension.rsplit('.').next().unwrap_or(extension);
    let is_code = SCRIPTS_AND_STYLES.contains(&last_extension);
    let in_build_folder = BUILD_FOLDERS.iter().any(|folder| {
        let text = path.as_str();
        text.starts_with(folder) || text.contains(&format!("/{folder}"))
    });
    // `app.<hash>.js`: the parts between dots; `app-<hash>.js`: the end of the first part. A base64url hash may itself hold `-`.
    let between_dots = extension.rsplit('.').skip(1);
    let behind_dash = stem.rsplit_once(['-', '_', '~']).map(|(_, hash)| hash);
    let last_eight = stem.len().checked_sub(SHORT_HASH_CHARS + 1).and_then(|at| stem.get(at..)?.strip_prefix('-'));
    let mut candidates = between_dots.chain(behind_dash).chain(last_eight);
    candidates.any(|text| is_hex_hash(text) || is_short_hash(text, is_code, in_build_folder))
}

/// Lower-case hexadecimal digits of a usual length, with digits and letters both: a date is no hash, nor is `deadbeef`.
fn is_hex_hash(text: &str) -> bool {
    HEX_LENGTHS.contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Eight characters of base64url or base32 that no person would write.
fn is_short_hash(text: &str, is_code: bool, in_build_folder: bool) -> bool {
    if text.len() != SHORT_HASH_CHARS || !is_code {
        return false;
    }
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let is_base32 = text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    if is_base32 && has_digit {
        return changes_of_kind(text) >= 2;
    }
    changes_of_kind(text) >= if in_build_folder { 3 } else { 4 }
}

/// How often neighbouring characters differ in kind (lower case, upper case, digit, sign): words change kind seldom, random
/// characters all the time. Anything beyond base64url counts as a word.
fn changes_of_kind(text: &str) -> usize {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => Some(0),
        b'A'..=b'Z' => Some(1),
        b'0'..=b'9' => Some(2),
        b'-' | b'_' => Some(3),
        _ => None,
    };
    let Some(kinds) = text.bytes().map(kind).collect::<Option<Vec<u8>>>() else { return 0 };
    kinds.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(path: &str) -> bool {
        is_content_hashed(&path.parse().unwrap())
    }

    /// Names as webpack, Parcel, Vite, esbuild, Astro, Next and Angular write them.
    #[test]
    fn names_of_build_tools() {
        for path in [
            "static/js/main.3f2a9c1b.js",
            "static/js/main.3f2a9c1b.chunk.js",
            "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
            "index.a1b2c3d4.css",
            "assets/index-BfLx2k9D.js",
            "assets/index-BfLx2k9D.js.map",
            "assets/index-D_x2-k9D.css",
            "_astro/page.Ck3_x9Lm.css",
            "chunk-3XK5PQ2A.js",
            "_next/static/chunks/main-0123456789abcdef.js",
            "main.9f86d081884c7d659a2f.js",
        ] {
            assert!(hashed(path), "{path}");
        }
    }

    /// Names that people write, which change under their name.
    #[test]
    fn names_of_people() {
        for path in [
            "index.html",
            "my-component.js",
            "assets/my-component.js",
            "assets/MyComponent.js",
            "jquery-3.7.1.min.js",
            "lodash.4.17.21.js",
            "report.20240101.pdf",
            "backup-20240101.css",
            "photo-IMG_2024.jpg",
            "assets/photo-iPhone12.png",
            "Report-Version2.pdf",
            "assets/api-Version2.js",
            "deadbeef.js",
            "file-550e8400-e29b-41d4-a716-446655440abc.png",
            "feedface",
            "defaced.facade.js",
            "README",
        ] {
            assert!(!hashed(path), "{path}");
        }
    }
}
