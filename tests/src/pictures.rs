//! Pictures of pages, for somebody to look at: on a desk and on a phone, light and dark.

use std::fs;
use std::path::PathBuf;

use crate::browser::{Browser, ColorScheme};
use crate::environment::shared_folder;

/// The sizes that are pictured, in pixels.
const SIZES: [(&str, u32, u32); 2] = [("desk", 1280, 860), ("phone", 390, 844)];

/// Pictures what the browser shows as `name`, in each size and in both colours, in the folder that `SHIP_TEST_PICTURES` names, or else beside
/// cargo's output.
#[track_caller]
pub fn take_pictures(browser: &Browser, name: &str) {
    let folder = std::env::var_os("SHIP_TEST_PICTURES").map_or_else(|| shared_folder().join("pictures"), PathBuf::from);
    fs::create_dir_all(&folder).expect("the folder is writable");
    for (size, width, height) in SIZES {
        browser.resize(width, height);
        for (scheme, color) in [(ColorScheme::Light, "light"), (ColorScheme::Dark, "dark")] {
            browser.prefer(scheme);
            fs::write(folder.join(format!("{name}-{size}-{color}.png")), browser.screenshot()).expect("it is writable");
        }
    }
}
