//! Projects for tests: folders that are gone when the test is.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{
    BuildContext, BuildEnvironment, BuildError, BuildEvent, BuildOptions, BuildOutput, BuildPlan, BuildTarget,
    DetectError, FrontendError, PlanError, PreparedProject, ProjectConfig, ProjectDir, build, detect, plan, prepare,
};

/// A handler that answers with `text`.
pub(crate) fn handler(name: &str, text: &str) -> String {
    format!(
        "package handler\n\nimport \"net/http\"\n\nfunc {name}(w http.ResponseWriter, r *http.Request) {{\n\
         \tw.Write([]byte({text:?}))\n}}\n"
    )
}

/// A project in a folder of its own, with a cache beside it.
pub(crate) struct TestProject {
    folder: TempDir,
}

impl TestProject {
    /// A project of these files.
    pub(crate) fn new<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(project.root()).unwrap();
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("project")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.root().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub(crate) fn symlink(&self, target: impl AsRef<Path>, link: &str) {
        let link = self.root().join(link);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }

    pub(crate) fn dir(&self) -> ProjectDir {
        ProjectDir::open(&self.root()).unwrap()
    }

    pub(crate) fn detect(&self) -> Result<ProjectConfig, DetectError> {
        detect(&self.dir())
    }

    pub(crate) fn plan(&self) -> Result<BuildPlan, PlanError> {
        plan(&self.dir(), self.prepare().unwrap(), &BuildOptions::default())
    }

    /// The project with its frontend built, for a preview of the branch `main`.
    pub(crate) fn prepare(&self) -> Result<PreparedProject, FrontendError> {
        self.prepare_with(&|_| {})
    }

    pub(crate) fn prepare_with(&self, events: &dyn Fn(BuildEvent)) -> Result<PreparedProject, FrontendError> {
        let context = BuildContext {
            project: "project".parse().unwrap(),
            target: BuildTarget::Preview,
            branch: Some("main".into()),
            commit: None,
            variables: Vec::new(),
        };
        prepare(&self.dir(), self.detect().unwrap(), &self.environment(), &context, events)
    }

    /// The cache beside the project.
    pub(crate) fn environment(&self) -> BuildEnvironment {
        environment(&self.folder.path().join("cache"))
    }

    pub(crate) fn build(&self) -> Result<BuildOutput, BuildError> {
        self.build_in(&self.environment(), &|_| {})
    }

    pub(crate) fn build_in(
        &self,
        environment: &BuildEnvironment,
        events: &dyn Fn(BuildEvent),
    ) -> Result<BuildOutput, BuildError> {
        build(self.plan().unwrap(), environment, events)
    }
}

/// An environment with the Go that this machine has, or else the one that ship fetches. Fetched once, it stays for later runs.
pub(crate) fn environment(cache: &Path) -> BuildEnvironment {
    let toolchains = std::env::temp_dir().join("ship-test-toolchains");
    BuildEnvironment::new(cache.to_owned(), toolchains, std::env::vars_os())
}
