//! Each page of the documentation, followed from its first block of code to its last.

use std::path::{Path, PathBuf};

use ship_tests::{pages, workspace_root};

/// The pages below `docs/` that `is_meant` picks.
fn pages_where(is_meant: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let docs = workspace_root().join("docs");
    pages::written_pages(&docs).into_iter().filter(|page| is_meant(page)).collect()
}

fn is_guide(page: &Path) -> bool {
    page.parent().is_some_and(|folder| folder.ends_with("guides")) || page.ends_with("start.md")
}

/// Whoever follows the start and the guides gets what they promise. Each of them has something to do.
#[test]
fn guides() {
    for page in pages_where(is_guide) {
        assert!(pages::follow(&page) > 0, "{}: a guide without a step", page.display());
    }
}

/// What the other pages show is what ship does.
#[test]
fn explanations() {
    for page in pages_where(|page| !is_guide(page)) {
        pages::follow(&page);
    }
}

/// Commands that are only spoken of exist too, with the options that they are said to have.
#[test]
fn spoken_of() {
    let root = workspace_root();
    let others = ["README.md", "site/src/pages/index.astro"].map(|path| root.join(path));
    let pages = pages_where(|_| true).into_iter().chain(others);
    let texts: Vec<String> = pages.map(|page| std::fs::read_to_string(page).expect("a page is text")).collect();
    assert_eq!(pages::misspoken(texts.iter().map(String::as_str)), [] as [String; 0]);
}
