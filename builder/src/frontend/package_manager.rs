//! Which program installs a project's packages and runs its scripts, as the lock file says.

use std::path::{Path, PathBuf};

use super::command::{CommandLine, find_program};
use super::package_json::{PACKAGE_JSON, PackageJson};

/// A package manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manager {
    Npm,
    Pnpm,
    Yarn,
    Bun,
}

/// The lock files, each with what it is of.
const LOCK_FILES: [(&str, Manager); 6] = [
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
    ("bun.lock", Manager::Bun),
    ("bun.lockb", Manager::Bun),
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
];

/// A project's package manager, and the folder that it installs into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PackageManager {
    pub(super) manager: Manager,
    /// The folder of the lock file: the workspace's root, or the package's own folder.
    pub(super) root: PathBuf,
    /// The lock file, if there is one.
    pub(super) lock: Option<PathBuf>,
    /// Whether packages of a workspace are installed together there.
    is_workspace: bool,
    /// What `packageManager` of `package.json` asks for: `pnpm@9.1.0`.
    wanted: Option<String>,
}

impl Manager {
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Bun => "bun",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::Npm, Self::Pnpm, Self::Yarn, Self::Bun].into_iter().find(|manager| manager.program() == name)
    }
}

impl PackageManager {
    /// The package manager of the package in `base`: that of the nearest lock file upwards that is responsible for it, else
    /// what `packageManager` says, else npm.
    pub(super) fn find(base: &Path, package: &PackageJson) -> Self {
        let root = workspace_root(base).unwrap_or_else(|| base.to_owned());
        let at_root = if root == base { None } else { PackageJson::read(&root, &root).ok().flatten() };
        let wanted = at_root.and_then(|package| package.package_manager).or_else(|| package.package_manager.clone());
        let wanted = wanted.map(|wanted| wanted.split('+').next().unwrap_or_default().to_owned());
        let lock =
            LOCK_FILES.iter().map(|(name, manager)| (root.join(name), *manager)).find(|(file, _)| file.is_file());
        let named = wanted.as_deref().and_then(|wanted| Manager::of_name(wanted.split('@').next()?));
        let manager = named.or(lock.as_ref().map(|(_, manager)| *manager)).unwrap_or(Manager::Npm);
        let wanted = wanted.filter(|_| named == Some(manager));
        let is_workspace = root != base || package.has_workspaces();
        Self { manager, root, is_workspace, lock: lock.map(|(file, _)| file), wanted }
    }

    /// Whether it installs one package only, which is the project's.
    pub(super) fn is_own(&self) -> bool {
        !self.is_workspace
    }

    /// What installs exactly what the lock file says, and never changes it. Without a lock file none is written.
    pub(super) fn install(&self, search_path: &[PathBuf]) -> CommandLine {
        let arguments: &[&str] = match (self.manager, self.lock.is_some()) {
            // Not `npm ci`: it refuses lock files that lack packages for other systems, as npm itself writes them.
            (Manager::Npm, true) => &["install", "--no-save", "--no-audit", "--no-fund"],
            (Manager::Npm, false) => &["install", "--no-package-lock", "--no-audit", "--no-fund"],
            (Manager::Pnpm, true) => &["install", "--frozen-lockfile"],
            (Manager::Pnpm, false) => &["install", "--no-lockfile"],
            (Manager::Yarn, true) if self.is_modern_yarn() => &["install", "--immutable"],
            (Manager::Yarn, true) => &["install", "--frozen-lockfile", "--non-interactive"],
            (Manager::Yarn, false) if self.is_modern_yarn() => &["install"],
            (Manager::Yarn, false) => &["install", "--no-lockfile", "--non-interactive"],
            (Manager::Bun, true) => &["install", "--frozen-lockfile"],
            (Manager::Bun, false) => &["install", "--no-save"],
        };
        self.line(arguments, search_path)
    }

    /// What runs a script of `package.json`.
    pub(super) fn run(&self, script: &str, search_path: &[PathBuf]) -> CommandLine {
        self.line(&["run", script], search_path)
    }

    /// A command of the package manager. One that is not on this machine is run through npm, which fetches it.
    fn line(&self, arguments: &[&str], search_path: &[PathBuf]) -> CommandLine {
        let program = self.manager.program();
        let mut words: Vec<String> = Vec::new();
        if self.manager != Manager::Npm && find_program(program, search_path).is_none() {
            let package = self.wanted.clone().unwrap_or_else(|| program.to_owned());
            words.extend(["npm", "exec", "--yes", "--"].map(str::to_owned));
            words.push(package);
        } else {
            words.push(program.to_owned());
        }
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        CommandLine::Program(words)
    }

    fn is_modern_yarn(&self) -> bool {
        let has_settings = self.root.join(".yarnrc.yml").is_file();
        has_settings || self.wanted.as_deref().is_some_and(|wanted| !wanted.starts_with("yarn@1."))
    }
}

/// The root of the workspace that the package in `base` belongs to. The search ends with version control: what is above
/// belongs to something else.
fn workspace_root(base: &Path) -> Option<PathBuf> {
    for folder in base.ancestors() {
        let has_lock = LOCK_FILES.iter().any(|(name, _)| folder.join(name).is_file());
        let is_workspace = || {
            let package = PackageJson::read(folder, folder).ok().flatten();
            folder.join("pnpm-workspace.yaml").is_file() || package.is_some_and(|package| package.has_workspaces())
        };
        if (has_lock && folder == base) || (folder.join(PACKAGE_JSON).is_file() && is_workspace()) {
            return Some(folder.to_owned());
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestProject;

    fn found(project: &TestProject, folder: &str) -> (Manager, PathBuf, String) {
        let base = project.root().join(folder);
        let package = PackageJson::read(&base, &base).unwrap().unwrap();
        let manager = PackageManager::find(&base, &package);
        let shown = manager.install(&["/nowhere".into()]).shown();
        (manager.manager, manager.root, shown)
    }

    /// The lock file says what installs; `packageManager` says which version, and more than the lock file where both speak.
    #[test]
    fn lock_files() {
        for (lock, manager, line) in [
            ("package-lock.json", Manager::Npm, "npm install --no-save --no-audit --no-fund"),
            ("pnpm-lock.yaml", Manager::Pnpm, "npm exec --yes -- pnpm install --frozen-lockfile"),
            ("yarn.lock", Manager::Yarn, "npm exec --yes -- yarn install --frozen-lockfile --non-interactive"),
            ("bun.lock", Manager::Bun, "npm exec --yes -- bun install --frozen-lockfile"),
            ("none", Manager::Npm, "npm install --no-package-lock --no-audit --no-fund"),
        ] {
            let project = TestProject::new([("package.json", "{}"), (lock, ""), (".git/HEAD", "")]);
            assert_eq!(found(&project, ""), (manager, project.root(), line.to_owned()), "{lock}");
        }
        let package = r#"{"packageManager": "pnpm@9.1.0+sha512.abc"}"#;
        let project = TestProject::new([("package.json", package), ("pnpm-lock.yaml", ""), (".git/HEAD", "")]);
        assert_eq!(found(&project, "").2, "npm exec --yes -- pnpm@9.1.0 install --frozen-lockfile");
    }

    /// A package of a workspace is installed with the workspace; a folder that only stands above is no workspace.
    #[test]
    fn workspaces() {
        let workspace = TestProject::new([
            (".git/HEAD", ""),
            ("package.json", r#"{"workspaces": ["apps/*"]}"#),
            ("package-lock.json", ""),
            ("apps/web/package.json", "{}"),
        ]);
        assert_eq!(found(&workspace, "apps/web").1, workspace.root());
        let no_workspace = TestProject::new([
            (".git/HEAD", ""),
            ("package.json", "{}"),
            ("package-lock.json", ""),
            ("web/package.json", "{}"),
        ]);
        assert_eq!(found(&no_workspace, "web").1, no_workspace.root().join("web"));
    }
}
