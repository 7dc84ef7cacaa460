//! A machine of its own for every test: home, environment variables, nothing of the account the tests run in.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::command::ShipCommand;
use crate::filters::Filters;
use crate::processes::processes_mentioning;
use crate::project::TestProject;

/// Variables that pass through because without them the package registries of some machines cannot be reached.
const PASSED_THROUGH: [&str; 14] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "https_proxy",
    "no_proxy",
    "GOPROXY",
    "PIP_CONFIG_FILE",
    "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "RUSTUP_TOOLCHAIN",
];

/// Whether a test may use a Go that is installed on the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoToolchain {
    /// The one on the machine's `PATH`, or where there is none, one that ship fetched for an earlier test.
    Any,
    /// None on `PATH` and none fetched before: ship has to fetch its own.
    FetchedByShip,
}

/// A machine of its own for a test: an empty home folder, a fixed `PATH`, and what it deploys.
///
/// Only what makes tests faster is shared between them: Go's compiler cache, uv's and npm's caches of packages, the toolchains that
/// ship fetches where the machine has none, and the machine's Rust with what its cargo has downloaded.
#[derive(Debug)]
pub struct TestEnv {
    folder: tempfile::TempDir,
    canonical: PathBuf,
    variables: Vec<(OsString, OsString)>,
    filters: Filters,
}

impl Default for TestEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl TestEnv {
    /// An environment in a new folder.
    pub fn new() -> Self {
        Self::with_go(GoToolchain::Any)
    }

    /// An environment in a new folder, with or without the machine's Go.
    pub fn with_go(go: GoToolchain) -> Self {
        let folder = tempfile::Builder::new().prefix("ship-test-").tempdir().expect("there is a temporary folder");
        let canonical = folder.path().canonicalize().expect("the folder was just made");
        let home = canonical.join("home");
        fs::create_dir_all(home.join("tmp")).expect("the folder is writable");
        let ship_home = canonical.join("ship");
        fs::create_dir(&ship_home).expect("the folder is writable");
        let mut variables: Vec<(OsString, OsString)> =
            PASSED_THROUGH.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect();
        let mut set = |name: &str, value: &OsStr| variables.push((name.into(), value.to_owned()));
        set("HOME", home.as_os_str());
        set("TMPDIR", home.join("tmp").as_os_str());
        set("SHIP_HOME", ship_home.as_os_str());
        set("PATH", &search_path(go));
        set("TZ", OsStr::new("UTC"));
        set("LANG", OsStr::new("C.UTF-8"));
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if let Some(folder) = machine_folder(name, folder) {
                set(name, folder.as_os_str());
            }
        }
        if go == GoToolchain::Any {
            let shared = shared_folder();
            set("GOCACHE", shared.join("go-cache").as_os_str());
            set("UV_CACHE_DIR", shared.join("uv-cache").as_os_str());
            set("npm_config_cache", shared.join("npm-cache").as_os_str());
            std::os::unix::fs::symlink(shared.join("toolchains"), ship_home.join("toolchains"))
                .expect("the folder is writable");
        }
        Self { filters: Filters::new(canonical.clone()), folder, canonical, variables }
    }

    /// The folder that holds everything of this environment.
    pub fn folder(&self) -> &Path {
        &self.canonical
    }

    /// What `SHIP_HOME` names.
    pub fn ship_home(&self) -> PathBuf {
        self.canonical.join("ship")
    }

    /// A `ship` command in this environment.
    pub fn ship<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> ShipCommand<'_> {
        ShipCommand::new(self, arguments)
    }

    /// An empty project folder called `name`.
    pub fn project(&self, name: &str) -> TestProject {
        TestProject::new(self.canonical.join("projects").join(name))
    }

    /// A copy of `examples/<name>`.
    pub fn example(&self, name: &str) -> TestProject {
        let source = crate::workspace_root().join("examples").join(name);
        self.project(name).copied_from(&source)
    }

    /// `text` without what differs from run to run.
    pub fn filtered(&self, text: &str) -> String {
        self.filters.learn(text);
        self.filters.apply(text)
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    pub(crate) fn filters(&self) -> &Filters {
        &self.filters
    }

    /// Stops the host that a deploy started in the background, if there is one.
    #[track_caller]
    pub fn stop_embedded_host(&self) {
        if self.ship_home().join("hosts").exists() {
            let _ = self.ship(["host", "stop"]).run();
        }
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The story's own failure is what matters; just leave nothing behind.
            for process in processes_mentioning(&self.canonical) {
                process.signal(Signal::KILL);
            }
            return;
        }
        self.stop_embedded_host();
        let left = processes_mentioning(&self.canonical);
        for process in &left {
            process.signal(Signal::KILL);
        }
        let names: Vec<String> = left.iter().map(|process| process.command_line()).collect();
        assert!(left.is_empty(), "processes were left behind in {}: {names:#?}", self.folder.path().display());
    }
}

/// A folder that outlives a test run, beside cargo's own output.
pub(crate) fn shared_folder() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::workspace_root().join("target"), PathBuf::from);
    let shared = target.join("ship-tests");
    fs::create_dir_all(shared.join("toolchains")).expect("cargo's output folder is writable");
    fs::create_dir_all(shared.join("go-cache")).expect("cargo's output folder is writable");
    shared
}

/// The folder that `variable` names on this machine, or the one that stands for it in the home folder.
fn machine_folder(variable: &str, folder: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    named.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(folder))).filter(|folder| folder.is_dir())
}

/// The folders of the system, that of cargo, and that of an installed Go where it is wanted.
fn search_path(go: GoToolchain) -> OsString {
    let system: Vec<PathBuf> = ["/usr/local/bin", "/usr/bin", "/bin"].iter().map(PathBuf::from).collect();
    let system = system.into_iter().filter(|folder| go == GoToolchain::Any || !folder.join("go").exists());
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let installed =
        std::env::split_paths(&inherited).find(|folder| go == GoToolchain::Any && folder.join("go").is_file());
    let cargo = std::env::split_paths(&inherited).find(|folder| folder.join("cargo").is_file());
    let cargo = cargo.filter(|folder| go == GoToolchain::Any || !folder.join("go").exists());
    std::env::join_paths(installed.into_iter().chain(cargo).chain(system)).expect("the folders came from a search path")
}
