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

    /// Whether packages are there and no lock file says which there should be.
    pub(super) fn is_left_to_a_person(&self) -> bool {
        self.lock.is_none() && self.root.join("node_modules").exists()
    }

    /// What installs exactly what the lock file says, and never changes it. Without a lock file none is written.
    pub(super) fn install(&self, search_path: &[PathBuf]) -> CommandLine {
        let arguments: &[&str] = match (self.manager, self.lock.is_some()) {
            // Not `npm ci`: it refuses lock files that lack packages for other systems, as npm itself writes them.
            (Manager::Npm, true) => &["install", "--no-save", "--no-audit", "--no-fund"],
            (Manager::Npm, false) => &["install", "--no-package-lock", "--no-audit", "--no-fund"],
            (Manager::Pnpm | Manager::Bun, true) => &["install", "--frozen-lockfile"],
            (Manager::Pnpm, false) => &["install", "--no-lockfile"],
            (Manager::Yarn, true) if self.is_modern_yarn() => &["install", "--immutable"],
            (Manager::Yarn, true) => &["install", "--frozen-lockfile", "--non-interactive"],
            (Manager::Yarn, false) if self.is_modern_yarn() => &["install"],
            (Manager::Yarn, false) => &["install", "--no-lockfile", "--non-interactive"],
            (Manager::Bun, false) => &["install", "--no-save"],
        };
        self.line(arguments, search_path)
    }

    /// What it is told, where nobody tells it otherwise: packages that yarn keeps zipped are found by no other program than Node.
    pub(super) fn variable(&self) -> Option<(&'static str, &'static str)> {
        (self.manager == Manager::Yarn).then_some(("YARN_NODE_LINKER", "node-modules"))
    }

    /// What runs a script of `package.json`.
    pub(super) fn run(&self, script: &str, search_path: &[PathBuf]) -> CommandLine {
        self.line(&["run", script], search_path)
    }

    /// A command of the package manager. One that is not on this machine is run through npm, which fetches it.
    fn line(&self, arguments: &[&str], search_path: &[PathBuf]) -> CommandLine {
        let mut words: Vec<String> = match self.absent(search_path) {
            Some(package) => ["npm", "exec", "--yes", "--", &package].map(str::to_owned).to_vec(),
            None => vec![self.manager.program().to_owned()],
        };
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        CommandLine::Program(words)
    }

    /// A line that may call the package manager by its name: where that is not on this machine, npm fetches it for this line.
    pub(super) fn around(&self, line: CommandLine, search_path: &[PathBuf]) -> CommandLine {
        let Some(package) = self.absent(search_path) else { return line };
        let calls_it = |line: &str| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
            line.split(|c| !is_part(c)).any(|word| word == self.manager.program())
        };
        let fetch = ["npm", "exec", "--yes", &format!("--package={package}")].map(str::to_owned);
        let rest = match line {
            CommandLine::Shell(line) if calls_it(&line) => vec!["-c".to_owned(), line],
            CommandLine::Program(words) => std::iter::once("--".to_owned()).chain(words).collect(),
            line @ CommandLine::Shell(_) => return line,
        };
        CommandLine::Program(fetch.into_iter().chain(rest).collect())
    }

    /// The package that holds the package manager, if it is not on this machine: of the version that the project asks for, else
    /// of one that reads its lock file.
    fn absent(&self, search_path: &[PathBuf]) -> Option<String> {
        let program = self.manager.program();
        if self.manager == Manager::Npm || find_program(program, search_path).is_some() {
            return None;
        }
        let version = self.wanted.as_deref().and_then(|wanted| wanted.split_once('@')).map(|(_, version)| version);
        let version = version.or_else(|| self.version_of_lock());
        // What is called yarn on npm ends with version 1.
        let package = if self.is_modern_yarn() { "@yarnpkg/cli-dist" } else { program };
        Some(version.map_or_else(|| package.to_owned(), |version| format!("{package}@{version}")))
    }

    /// pnpm reads no lock file of other versions than its own.
    fn version_of_lock(&self) -> Option<&'static str> {
        let text = self.lock_text().filter(|_| self.manager == Manager::Pnpm)?;
        let line = text.lines().find_map(|line| line.strip_prefix("lockfileVersion:"))?;
        match line.trim().trim_matches(['\'', '"']).split('.').next()? {
            "5" => Some("7"),
            "6" => Some("8"),
            "9" => Some("10"),
            _ => None,
        }
    }

    fn lock_text(&self) -> Option<String> {
        std::fs::read_to_string(self.lock.as_ref()?).ok()
    }

    fn is_modern_yarn(&self) -> bool {
        let is_lock = || self.lock_text().is_some_and(|text| text.contains("\n__metadata:"));
        let is_used = || is_lock() || self.root.join(".yarnrc.yml").is_file();
        let is_modern = || self.wanted.as_ref().map_or_else(is_used, |wanted| !wanted.starts_with("yarn@1."));
        self.manager == Manager::Yarn && is_modern()
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

    /// Where nobody says which version, it is one that reads the lock file.
    #[test]
    fn versions_of_lock_files() {
        for (lock, text, line) in [
            ("pnpm-lock.yaml", "lockfileVersion: 5.4\n", "npm exec --yes -- pnpm@7 install --frozen-lockfile"),
            ("pnpm-lock.yaml", "lockfileVersion: '6.0'\n", "npm exec --yes -- pnpm@8 install --frozen-lockfile"),
            ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n", "npm exec --yes -- pnpm@10 install --frozen-lockfile"),
            ("yarn.lock", "# x\n\n__metadata:\n", "npm exec --yes -- @yarnpkg/cli-dist install --immutable"),
        ] {
            let project = TestProject::new([("package.json", "{}"), (lock, text), (".git/HEAD", "")]);
            assert_eq!(found(&project, "").2, line);
        }
        let package = r#"{"packageManager": "yarn@4.5.0"}"#;
        let project = TestProject::new([("package.json", package), ("yarn.lock", ""), (".git/HEAD", "")]);
        assert_eq!(found(&project, "").2, "npm exec --yes -- @yarnpkg/cli-dist@4.5.0 install --immutable");
    }

    /// Lines of the owner that call an absent package manager, and tools that do, get it through npm; other lines stay.
    #[test]
    fn lines_that_call_it() {
        let project = TestProject::new([("package.json", "{}"), ("pnpm-lock.yaml", ""), (".git/HEAD", "")]);
        let package = PackageJson::read(&project.root(), &project.root()).unwrap().unwrap();
        let manager = PackageManager::find(&project.root(), &package);
        let shown = |line| manager.around(line, &["/nowhere".into()]).shown();
        let shell = |line: &str| CommandLine::Shell(line.to_owned());
        assert_eq!(shown(shell("cd .. && pnpm -r build")), "npm exec --yes --package=pnpm -c cd .. && pnpm -r build");
        assert_eq!(shown(shell("./pnpm build")), "./pnpm build");
        let turbo = CommandLine::Program(vec!["turbo".to_owned(), "run".to_owned()]);
        assert_eq!(shown(turbo), "npm exec --yes --package=pnpm -- turbo run");
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
