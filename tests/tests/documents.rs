//! Generated documents say what the program does.

use ship_tests::documents;

/// The variable with which `cargo xtask docs` asks for the documents to be written.
const WRITE: &str = "SHIP_WRITE_DOCUMENTS";

/// Each document in the repository is what the program would write now.
#[test]
fn documents_are_current() {
    let writing = std::env::var_os(WRITE).is_some();
    for document in documents::generate() {
        if writing {
            std::fs::create_dir_all(document.path.parent().expect("a document stands in a folder")).expect("writable");
            std::fs::write(&document.path, &document.text).expect("the document is writable");
        }
        let found = std::fs::read_to_string(&document.path).unwrap_or_default();
        let place = document.path.display();
        assert!(found == document.text, "{place} is not current: run `cargo xtask docs`");
    }
}
