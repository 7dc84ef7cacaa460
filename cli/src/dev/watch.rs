//! The watch: hears of every edit in the project folder, and can say that it has heard of all of them.
//!
//! The system reports changes of files a moment after they happened. To know that no report is still on its way, a cookie is
//! written into a folder that is watched in the same way: reports arrive in the order of what they report, so once that of
//! the cookie is here, those of all earlier edits are too. (Watchman works like this.)

mod cookies;
mod edits;
mod folders;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{Event, RecommendedWatcher, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use self::cookies::Cookies;
pub(super) use self::edits::Edits;
use self::folders::{Folders, changes_content};
use crate::dev::Console;

/// A watch over a project folder.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// What was edited so far.
    pub(super) edits: Edits,
    cookies: Arc<Cookies>,
}

/// A folder cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be watched", path.display())]
pub(crate) struct WatchError {
    path: PathBuf,
    #[source]
    source: notify::Error,
}

impl WatchError {
    /// Whether the system watches as many files for this user as it is set to.
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self.source.kind, notify::ErrorKind::MaxFilesWatch)
    }
}

/// The half of a watch that listens. It has to run for the watch to hear anything.
pub(super) struct Listener {
    watch: Watch,
    folders: Folders,
    events: UnboundedReceiver<notify::Result<Event>>,
}

impl Watch {
    /// Begins to watch `root`, with `cookie_folder` for its own use.
    pub(super) fn start(root: &Path, cookie_folder: &Path) -> Result<(Self, Listener), WatchError> {
        // Unbounded, because the kernel's own queue in front of it is bounded and says when it overflowed.
        let (sender, events) = unbounded_channel();
        let failed = |source| WatchError { path: root.to_owned(), source };
        let watcher = RecommendedWatcher::new(
            // The receiver is gone only when the dev server ends.
            move |event| drop(sender.send(event)),
            notify::Config::default().with_follow_symlinks(false),
        );
        let mut folders = Folders::new(watcher.map_err(failed)?, root.to_owned());
        folders.watch_one(cookie_folder)?;
        folders.watch_tree(root)?;
        let watch = Self { edits: Edits::new(), cookies: Arc::new(Cookies::new(cookie_folder.to_owned())) };
        Ok((watch.clone(), Listener { watch, folders, events }))
    }

    /// Waits until every edit that happened before the call is among [`Watch::edits`].
    pub(super) async fn catch_up(&self) {
        if let Err(error) = self.cookies.wait_for_one().await {
            tracing::warn!(%error, "the watch does not answer; an edit may show late");
        }
    }
}

impl Listener {
    /// Listens until `stop`.
    pub(super) async fn listen(mut self, console: Console, stop: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = self.events.recv() => event,
            };
            match event {
                Some(Ok(event)) => self.hear(&event, &console),
                Some(Err(error)) => {
                    console.warning(&format!("a change may have been missed: {error}"));
                    self.watch.edits.note(None);
                }
                None => return,
            }
        }
    }

    fn hear(&mut self, event: &Event, console: &Console) {
        if event.need_rescan() {
            self.watch_again(self.folders.root().to_owned().as_path(), console);
            self.watch.edits.note(None);
        }
        if !changes_content(event.kind) {
            return;
        }
        for path in &event.paths {
            let is_no_edit = || self.folders.is_ignored(path) || self.watch.edits.is_passed_over(path);
            if self.watch.cookies.arrived(path) || is_no_edit() {
                continue;
            }
            // The folder is watched before the edit counts: what is put into it later is heard of, what is in it is built.
            self.watch_again(path, console);
            self.watch.edits.note(Some(self.folders.relative(path)));
        }
    }

    /// Watches a folder that has appeared, with what is in it.
    fn watch_again(&mut self, path: &Path, console: &Console) {
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return;
        }
        if let Err(error) = self.folders.watch_tree(path) {
            console.warning(&format!("{error}: {}", error.source));
        }
    }
}

#[cfg(test)]
mod tests {
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
}
