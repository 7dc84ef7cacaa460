//! The pages of the documentation as stories: whoever follows one, block by block, sees what it says.
//!
//! Every block of code in a page does something, by its language and what stands behind that:
//!
//! | block | what is done |
//! |---|---|
//! | ```` ```sh ```` | each line is typed, and has to end well |
//! | ```` ```console ```` | each line behind `$ ` is typed; what stands below it is what it has to print. `…` stands for any text, and for any lines where it is alone |
//! | any, with `title="PATH"` | the file is written |
//! | `running` | the command is typed and left running until the page ends; as many lines are waited for as the page shows, or one |
//! | `exits="N"` | the commands end with this code |
//! | `unrun="REASON"` | a test's machine cannot do this. The commands of ship in it have to exist, with their options; JSON has to be JSON |
//!
//! Two comments, which readers do not see, set the stage: `<!-- run: LINES -->` types lines, and `<!-- let NAME: LINE -->` says that `NAME` stands, from there on, for
//! what a line prints.

mod block;
mod documented;
mod names;
mod page;
mod shell;
mod story;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::TestEnv;

/// The pages that are written by the program, and hold what it printed.
const GENERATED: [&str; 3] = ["cli.md", "performance.md", "scale.md"];

/// Every page of a folder that people write, in the order of their names.
pub fn written_pages(folder: &Path) -> Vec<PathBuf> {
    let files = WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("the folder is readable").into_path());
    let is_generated = |page: &PathBuf| GENERATED.iter().any(|name| *page == folder.join(name));
    files.filter(|file| file.extension().is_some_and(|extension| extension == "md") && !is_generated(file)).collect()
}

/// Follows a page in an environment of its own, and gives how many blocks it has.
#[track_caller]
pub fn follow(page: &Path) -> usize {
    let text = std::fs::read_to_string(page).expect("a page is text");
    let environment = TestEnv::new();
    let steps = page::steps(&text).unwrap_or_else(|(line, problem)| panic!("{}:{line}: {problem}", page.display()));
    let mut story = story::Story::new(&environment, page);
    for step in &steps {
        story.tell(step);
    }
    steps.len()
}

/// What is wrong with the commands of ship that texts name in passing.
pub fn misspoken<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let environment = TestEnv::new();
    let spoken: BTreeSet<&str> = texts.into_iter().flat_map(documented::spoken).collect();
    spoken.into_iter().filter_map(|command| documented::problem(&environment, command)).collect()
}
