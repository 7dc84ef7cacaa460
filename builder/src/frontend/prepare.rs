//! From what a project is to what can be planned: the frontend is built, unless it is as the last build left it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use ship_core::{Digest, DigestHasher};

use super::command::{CommandLine, Runner, find_program};
use super::install::{self, Installed};
use super::package_json::PackageJson;
use super::package_manager::PackageManager;
use super::presets::OTHER;
use super::routes::Serving;
use super::settings::Setting;
use super::state::{self, Record};
use super::variables::{self, BuildContext, Variables};
use super::{Frontend, FrontendError};
use crate::detect::{ProjectConfig, SiteFolder, SiteFolderKind};
use crate::env_files::{BuildTarget, EnvFileError};
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;
use crate::project::ProjectDir;
use crate::tree::{self, FileStat, shown_below};

/// Changes when the same inputs would be built in another way by ship itself.
const KEY_VERSION: &str = "ship frontend 1";

/// Where adapters of frameworks leave a whole deployment.
pub(crate) const BUILD_OUTPUT: &str = ".vercel/output";

/// How far the clock of file systems may be behind: a tick of the kernel, in which a short build begins and ends.
const FILE_CLOCK_LAG: Duration = Duration::from_millis(20);

/// Folders in which builds of no known framework leave a site, if there is a page in them.
const USUAL_OUTPUTS: [&str; 3] = ["dist", "build", "out"];

/// A project whose files are there: what had to be built for that was built.
#[derive(Debug)]
pub struct PreparedProject {
    pub(crate) config: ProjectConfig,
    pub(crate) serving: Serving,
    /// The folder of a Build Output that the build left, which is then the site.
    pub(crate) build_output: Option<PathBuf>,
    /// How long building took.
    pub(crate) took: Duration,
}

/// Builds the frontend of a project if it has one and it is not as it was. Blocks; `events` is called on this thread.
pub fn prepare(
    project: &ProjectDir,
    mut config: ProjectConfig,
    environment: &BuildEnvironment,
    context: &BuildContext,
    events: &dyn Fn(BuildEvent),
) -> Result<PreparedProject, FrontendError> {
    let started = Instant::now();
    let Some(frontend) = config.frontend.take() else {
        if let Some(packages) = Frontend::of_functions(project, &config)? {
            Work::new(project, &config, &packages, environment, context, events)?.install_in_turn()?;
        }
        let (serving, build_output) = (Serving::of_files(config.build.spa), config.prebuilt.clone());
        return Ok(PreparedProject { config, serving, build_output, took: Duration::ZERO });
    };
    let serving = Serving::of_preset(frontend.preset, config.build.spa);
    let work = Work::new(project, &config, &frontend, environment, context, events)?;
    let output = work.output()?;
    let folder = tree::follow(&config.site.base.join(&output), project.root())?;
    let build_output = (output == Path::new(BUILD_OUTPUT)).then(|| folder.clone());
    let kind = if folder == config.site.base { SiteFolderKind::ProjectFolder } else { SiteFolderKind::Output };
    let site = SiteFolder { folder, kind, ..config.site.clone() };
    config.site = site;
    config.frontend = Some(frontend);
    Ok(PreparedProject { config, serving, build_output, took: started.elapsed() })
}

/// One build of a frontend.
struct Work<'w> {
    project: &'w ProjectDir,
    /// The folder it runs in.
    base: &'w Path,
    frontend: &'w Frontend,
    environment: &'w BuildEnvironment,
    events: &'w dyn Fn(BuildEvent),
    /// What installs packages, where there are any.
    manager: Option<PackageManager>,
    search_path: Vec<PathBuf>,
    variables: Variables,
    /// Where ship keeps what it knows of this folder.
    cache: PathBuf,
}

impl<'w> Work<'w> {
    fn new(
        project: &'w ProjectDir,
        config: &'w ProjectConfig,
        frontend: &'w Frontend,
        environment: &'w BuildEnvironment,
        context: &BuildContext,
        events: &'w dyn Fn(BuildEvent),
    ) -> Result<Self, FrontendError> {
        let base = config.site.base.as_path();
        let manager = frontend.package.as_ref().map(|package| PackageManager::find(base, package));
        let of_caller: BTreeMap<String, OsString> =
            environment.frontend_variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let outside = variables::as_text(&of_caller);
        let of_files = crate::env_files::read(base, context.target, frontend.env_order(), &outside)?;
        let mut variables = variables::assemble(&of_caller, of_files, context, frontend.preset.env_prefix);
        variables.add_missing(manager.as_ref().and_then(PackageManager::variable));
        let of_packages = std::iter::once(base).chain(manager.as_ref().map(|manager| manager.root.as_path()));
        let mut search_path: Vec<PathBuf> = of_packages.map(|folder| folder.join("node_modules/.bin")).collect();
        search_path.dedup();
        search_path.extend(environment.search_path());
        let key = Digest::of(base.as_os_str().as_encoded_bytes()).to_hex();
        let cache = environment.cache_dir.join("frontend").join(&key[..32]);
        Ok(Self { project, base, frontend, environment, events, manager, search_path, variables, cache })
    }

    /// The folder that the build leaves, relative to the folder it runs in; built if it is not there as it should be.
    fn output(&self) -> Result<PathBuf, FrontendError> {
        let _turn = self.turn();
        let record_file = self.cache.join("built.json");
        let inputs = self.inputs();
        let known = Record::read(&record_file);
        if let (Some(inputs), Some(record)) = (&inputs, known)
            && record.is_of(inputs, self.base)
        {
            return Ok(record.output);
        }
        let output = self.build()?;
        // What was edited while the build ran, or was written by it, is not known to be in it.
        if let (Some(inputs), Ok(left)) = (inputs, self.state_of(&output))
            && self.inputs() == Some(inputs)
        {
            Record { inputs, output: output.clone(), left }.write(&record_file);
        }
        Ok(output)
    }

    /// Waits until no other ship builds this folder: two would write the same files.
    fn turn(&self) -> Option<File> {
        std::fs::create_dir_all(&self.cache).ok()?;
        let file = File::options().create(true).truncate(false).write(true).open(self.cache.join("lock")).ok()?;
        file.lock().ok()?;
        Some(file)
    }

    fn state_of(&self, output: &Path) -> Result<Digest, tree::TreeError> {
        state::state_of(&self.base.join(output))
    }

    /// The digest of everything that decides what comes out, `None` if that cannot be said.
    fn inputs(&self) -> Option<Digest> {
        let root = self.manager.as_ref().map_or(self.base, |manager| &manager.root);
        let below = self.base.strip_prefix(root).unwrap_or(Path::new(""));
        let outputs: Vec<PathBuf> = self.frontend.outputs().iter().map(|output| below.join(output)).collect();
        let sources = state::sources(root, &outputs, &self.environment.cache_dir).ok()?;
        let mut hasher = DigestHasher::new();
        hasher.update_field(KEY_VERSION.as_bytes());
        hasher.update_field(self.frontend.preset.slug.as_bytes());
        hasher.update_field(format!("{:?}", self.frontend.settings).as_bytes());
        hasher.update_field(sources.as_bytes());
        for (name, value) in &self.variables.content {
            hasher.update_field(name.as_bytes());
            hasher.update_field(value.as_bytes());
        }
        if let Some(node) = find_program("node", &self.search_path).and_then(|node| node.metadata().ok()) {
            let stat = FileStat::of(&node);
            hasher.update_field(format!("{} {} {}", stat.inode, stat.size_bytes, stat.modified_nanos).as_bytes());
        }
        Some(hasher.finish())
    }

    fn build(&self) -> Result<PathBuf, FrontendError> {
        let started = SystemTime::now();
        let time = Instant::now();
        let runner = self.runner(self.base);
        // The log is that of the last build.
        let _ = std::fs::remove_file(&runner.log);
        self.install()?;
        let line = self.command()?;
        (self.events)(BuildEvent::FrontendBuilding { framework: self.frontend.framework(), command: line.shown() });
        runner.run("command", &line)?;
        (self.events)(BuildEvent::FrontendBuilt { took: time.elapsed() });
        self.find_output(&line.shown(), started)
    }

    fn runner<'r>(&'r self, folder: &'r Path) -> Runner<'r> {
        Runner {
            folder,
            search_path: self.search_path.clone(),
            variables: self.variables.all.clone(),
            interrupt: &self.environment.interrupt,
            log: self.cache.join("build.log"),
            events: self.events,
        }
    }

    /// Installs the packages, and nothing else.
    fn install_in_turn(&self) -> Result<(), FrontendError> {
        let _turn = self.turn();
        self.install()
    }

    /// Installs the packages if they are not there as the lock file has them.
    fn install(&self) -> Result<(), FrontendError> {
        let (Some(manager), Some(package)) = (&self.manager, &self.frontend.package) else {
            return Ok(());
        };
        let (line, own_rules) = match &self.frontend.settings.install {
            Setting::Skip => return Ok(()),
            Setting::Is(line) => (manager.around(CommandLine::Shell(line.clone()), &self.search_path), false),
            Setting::Default if !package.has_dependencies() => return Ok(()),
            Setting::Default => (manager.install(&self.search_path), true),
        };
        let record = self.cache.join("installed.json");
        let wanted = install::wanted(manager, self.base, &line.shown());
        let is_known = Installed::now(manager, wanted).is_some_and(|now| now.is_remembered(&record));
        if is_known || (own_rules && install::is_as_locked(manager)) {
            return Ok(());
        }
        if own_rules && let Some(dependency) = install::missing_in_lock(manager, package) {
            let lock = manager.lock.as_deref().unwrap_or(&manager.root);
            return Err(FrontendError::LockOutOfDate { lock: shown_below(self.project.root(), lock), dependency });
        }
        (self.events)(BuildEvent::FrontendInstalling { command: line.shown() });
        self.runner(if own_rules { &manager.root } else { self.base }).run("install", &line)?;
        if let Some(installed) = Installed::now(manager, wanted) {
            installed.remember(&record);
        }
        Ok(())
    }

    /// What builds: the owner's line, else the script of `package.json` (through what a monorepo runs scripts with), else the
    /// framework's own command.
    fn command(&self) -> Result<CommandLine, FrontendError> {
        if let Setting::Is(line) = &self.frontend.settings.command {
            let line = CommandLine::Shell(line.clone());
            return Ok(match &self.manager {
                Some(manager) => manager.around(line, &self.search_path),
                None => line,
            });
        }
        let script = self.frontend.package.as_ref().and_then(PackageJson::build_script);
        if let (Some(script), Some(manager)) = (script, &self.manager) {
            return Ok(self
                .monorepo_command(manager, script)
                .unwrap_or_else(|| manager.run(script, &self.search_path)));
        }
        let words = self
            .frontend
            .preset
            .build
            .ok_or(FrontendError::NoBuildCommand { framework: self.frontend.framework().unwrap_or("frontend") })?;
        Ok(CommandLine::Program(words.split_whitespace().map(str::to_owned).collect()))
    }

    /// How a package of a monorepo is built: with the packages that it depends on, if turbo or nx knows about them.
    fn monorepo_command(&self, manager: &PackageManager, script: &str) -> Option<CommandLine> {
        let is_part = manager.root != self.base;
        let has = |tool: &str| find_program(tool, &self.search_path).is_some();
        let words: Vec<&str> = match () {
            () if !is_part => return None,
            () if manager.root.join("turbo.json").is_file() && has("turbo") => vec!["turbo", "run", script],
            () if manager.root.join("nx.json").is_file() && has("nx") => {
                let name = self.frontend.package.as_ref()?.name.as_deref();
                vec!["nx", "run-many", "-t", script, "-p", name?]
            }
            () => return None,
        };
        let line = CommandLine::Program(words.into_iter().map(str::to_owned).collect());
        // Both run the scripts of packages through the package manager.
        Some(manager.around(line, &self.search_path))
    }

    /// Finds what the build has left.
    fn find_output(&self, command: &str, started: SystemTime) -> Result<PathBuf, FrontendError> {
        let config = self.base.join(BUILD_OUTPUT).join("config.json");
        let is_fresh = |modified: SystemTime| modified + FILE_CLOCK_LAG >= started;
        let is_fresh = config.metadata().and_then(|file| file.modified()).is_ok_and(is_fresh);
        if is_fresh {
            return Ok(BUILD_OUTPUT.into());
        }
        let is_other = self.frontend.preset.slug == OTHER.slug && self.frontend.settings.output.value().is_none();
        let outputs = self.frontend.outputs();
        let is_there = |output: &&PathBuf| {
            let folder = self.base.join(output);
            let is_usual = USUAL_OUTPUTS.iter().any(|usual| output.as_path() == Path::new(usual));
            folder.symlink_metadata().is_ok() && (!is_other || !is_usual || folder.join("index.html").is_file())
        };
        let shown = |output: &Path| shown_below(self.project.root(), &self.base.join(output));
        let Some(output) = outputs.iter().find(is_there) else {
            if is_other {
                return Ok(PathBuf::from("."));
            }
            let looked_for = outputs.iter().map(|output| shown(output)).collect();
            return Err(FrontendError::NoOutput { command: command.to_owned(), looked_for, hint: self.hint() });
        };
        if !self.base.join(output).is_dir() {
            return Err(FrontendError::OutputNotAFolder { folder: shown(output) });
        }
        let output = self.inner_output(output);
        if !has_file(&self.base.join(&output)) {
            return Err(FrontendError::EmptyOutput { command: command.to_owned(), folder: shown(&output) });
        }
        Ok(output)
    }

    /// Angular writes `dist/<project>/browser`, or `dist/<project>`.
    fn inner_output(&self, output: &Path) -> PathBuf {
        if self.frontend.preset.slug != "angular" || self.base.join(output).join("index.html").is_file() {
            return output.to_owned();
        }
        let entries = std::fs::read_dir(self.base.join(output)).into_iter().flatten().flatten();
        let mut folders = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
        match (folders.next(), folders.next()) {
            (Some(only), None) => {
                let project = output.join(only);
                let browser = project.join("browser");
                if self.base.join(&browser).is_dir() { browser } else { project }
            }
            _ => output.to_owned(),
        }
    }

    /// What to do about frameworks whose builds need a server that is not theirs to bring.
    fn hint(&self) -> Option<&'static str> {
        match self.frontend.preset.slug {
            "nextjs" => {
                Some("set `output: 'export'` in next.config for a static site; its server side is not run here yet")
            }
            "sveltekit-1" => Some("use `@sveltejs/adapter-static` or `@sveltejs/adapter-vercel`"),
            "remix" | "react-router" => Some("set `ssr: false`, or use an adapter that writes `.vercel/output`"),
            _ => None,
        }
    }
}

/// Whether there is a file anywhere below a folder.
fn has_file(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| if path.is_dir() { has_file(&path) } else { true })
}

impl Frontend {
    /// Where the result may stand, relative to the folder that the build runs in.
    pub(super) fn outputs(&self) -> Vec<PathBuf> {
        match &self.settings.output {
            Setting::Is(output) => vec![PathBuf::from(output.trim_start_matches("./"))],
            _ if self.preset.slug == OTHER.slug => {
                std::iter::once("public").chain(USUAL_OUTPUTS).map(PathBuf::from).collect()
            }
            _ => self.preset.outputs.iter().map(PathBuf::from).collect(),
        }
    }
}

/// Where the build of a frontend leaves things: what changes there is no edit of the project.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FrontendTraces {
    /// The folder that it runs in.
    base: PathBuf,
    outputs: Vec<PathBuf>,
}

impl FrontendTraces {
    /// Whether `path`, absolute, is in one of its outputs or in a folder that its tools keep for themselves.
    pub fn hold(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.base) else { return false };
        let is_tools = |part: std::path::Component<'_>| part.as_os_str().to_str().is_some_and(state::is_tool_folder);
        !self.base.as_os_str().is_empty()
            && (below.components().any(is_tools) || self.outputs.iter().any(|output| below.starts_with(output)))
    }
}

impl ProjectConfig {
    /// What the environment files beside `api/` say for `target`, each name once.
    pub fn environment_files(&self, target: BuildTarget) -> Result<Vec<(String, String)>, EnvFileError> {
        let order = self.frontend.as_ref().map(Frontend::env_order).unwrap_or_default();
        crate::env_files::read(&self.site.base, target, order, &HashMap::new())
    }

    /// Where the build of the frontend leaves things, nowhere if there is none.
    pub fn frontend_traces(&self) -> FrontendTraces {
        let Some(frontend) = &self.frontend else { return FrontendTraces::default() };
        let outputs = frontend.outputs().into_iter().filter(|output| output.as_path() != Path::new("public"));
        FrontendTraces { base: self.site.base.clone(), outputs: outputs.collect() }
    }
}
