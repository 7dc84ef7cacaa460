//! The watch with real files: what is edited before a question is known when it is answered.

use super::*;
use crate::output::Output;

struct Watched {
    _folder: tempfile::TempDir,
    root: PathBuf,
    watch: Watch,
    stop: CancellationToken,
    listening: tokio::task::JoinHandle<()>,
}

impl Watched {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let (root, cookies) = (base.join("project"), base.join("cookies"));
        for path in [root.join("public/deep"), root.join("node_modules"), cookies.clone()] {
            fs_err::create_dir_all(path).unwrap();
        }
        let (watch, listener) = Watch::start(&root, &cookies).unwrap();
        let stop = CancellationToken::new();
        let console = Console::start(Output::for_tests()).0;
        let listening = tokio::spawn(listener.listen(console, stop.clone()));
        Self { _folder: folder, root, watch, stop, listening }
    }

    /// What was edited, as the watch knows it once it has caught up.
    async fn edited(&self) -> Vec<String> {
        self.watch.catch_up().await;
        self.watch.edits.take_paths()
    }

    fn write(&self, path: &str) {
        fs_err::create_dir_all(self.root.join(path).parent().unwrap()).unwrap();
        fs_err::write(self.root.join(path), "new").unwrap();
    }

    async fn end(self) {
        self.stop.cancel();
        self.listening.await.unwrap();
    }
}

/// An edit is known to whoever asks after it, every time, and reading changes nothing.
#[tokio::test]
async fn no_question_overtakes_an_edit() {
    let watched = Watched::start();
    for round in 0..50 {
        let path = format!("public/deep/{round}.html");
        watched.write(&path);
        assert_eq!(watched.edited().await, [path.as_str()]);
        fs_err::read(watched.root.join(&path)).unwrap();
        assert!(watched.edited().await.is_empty(), "round {round}");
    }
    watched.end().await;
}

/// A folder that appears is watched from then on, wherever it came from; what nobody builds is not.
#[tokio::test]
async fn new_folders() {
    let watched = Watched::start();
    watched.write("api/users/list.go");
    assert_eq!(watched.edited().await.first().map(String::as_str), Some("api"));
    watched.write("api/users/list.go");
    assert_eq!(watched.edited().await, ["api/users/list.go"]);
    fs_err::rename(watched.root.join("api"), watched.root.join("moved")).unwrap();
    assert_eq!(watched.edited().await, ["api", "moved"]);
    watched.write("moved/users/list.go");
    assert_eq!(watched.edited().await, ["moved/users/list.go"]);
    watched.write("node_modules/a/index.js");
    watched.write(".git/index");
    assert!(watched.edited().await.is_empty());
    watched.end().await;
}

/// Many who ask at once are all answered.
#[tokio::test]
async fn many_questions() {
    let watched = Watched::start();
    let before = watched.watch.edits.count();
    watched.write("public/index.html");
    let questions: Vec<_> = (0..100).map(|_| watched.watch.catch_up()).collect();
    futures_util::future::join_all(questions).await;
    assert!(watched.watch.edits.count() > before);
    watched.end().await;
}
