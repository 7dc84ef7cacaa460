//! From what a project is to what can be planned: the frontend is built, unless it is as the last build left it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use ship_core::{Digest, DigestHasher};

use super::command::{CommandLine, Runner, find_program};
use super::install::{self, Attempt, Installed};
use super::package_json::{PACKAGE_JSON, PackageJson};
use super::package_manager::PackageManager;
use super::routes::Serving;
use super::server::FrameworkServer;
use super::settings::Setting;
use super::state::{self, Record};
use super::variables::{self, BuildContext, Variables};
use super::written::WrittenFile;
use super::{Frontend, FrontendError};
use crate::detect::{ProjectConfig, SiteFolder, SiteFolderKind};
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;
use crate::project::ProjectDir;
use crate::python;
use crate::tree::{self, FileStat, shown_below};

/// Changes when the same inputs would be built in another way by ship itself.
const KEY_VERSION: &str = "ship frontend 2";

/// Where adapters of frameworks leave a whole deployment.
pub(crate) const BUILD_OUTPUT: &str = ".vercel/output";

/// A project whose files are there: what had to be built for that was built.
#[derive(Debug)]
pub struct PreparedProject {
    pub(crate) config: ProjectConfig,
    pub(crate) serving: Serving,
    pub(crate) left: Left,
    /// How long building took.
    pub(crate) took: Duration,
}

/// What there is besides functions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    /// Static files.
    Files,
    /// A whole deployment, in the folder of a Build Output.
    BuildOutput(PathBuf),
    /// The server of a framework.
    Server(FrameworkServer),
    /// Nothing: the framework's own server answers while it is developed.
    DevServer,
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
    if !config.python_mistakes.is_empty() && config.frontend.take().is_some() {
        // There will be no deployment, and nobody waits for pages to hear why.
        config.site.kind = SiteFolderKind::Nothing;
    }
    let Some(frontend) = config.frontend.take() else {
        install_for_functions(project, &config, environment, context, events)?;
        let left = config.prebuilt.clone().map_or(Left::Files, Left::BuildOutput);
        let serving = Serving::of_files(config.build.spa);
        return Ok(PreparedProject { config, serving, left, took: Duration::ZERO });
    };
    let serving = Serving::of_preset(frontend.preset, config.build.spa);
    let base = frontend.place(&config.site.base);
    let work = Work::new(project, &base, &frontend, environment, context, events)?;
    let output = work.output()?;
    install_for_functions(project, &config, environment, context, events)?;
    let folder = tree::follow(&base.join(&output), project.root())?;
    let left = match FrameworkServer::find(&base, &output, frontend.preset.servers) {
        _ if frontend.folder.is_some() => Left::Files,
        _ if output == Path::new(BUILD_OUTPUT) => Left::BuildOutput(folder.clone()),
        Some(server) => Left::Server(server),
        None => Left::Files,
    };
    let kind = if folder == config.site.base { SiteFolderKind::ProjectFolder } else { SiteFolderKind::Output };
    let site = SiteFolder { folder, kind, mount: frontend.folder.clone(), ..config.site.clone() };
    config.site = site;
    config.frontend = Some(frontend);
    Ok(PreparedProject { config, serving, left, took: started.elapsed() })
}

/// The variables of the caller that the project's own commands may see.
pub(super) fn caller_variables(environment: &BuildEnvironment) -> BTreeMap<String, OsString> {
    environment.frontend_variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Where ship keeps what it knows of the commands that run in `base`.
pub(super) fn folder_cache(environment: &BuildEnvironment, base: &Path) -> PathBuf {
    let key = Digest::of(base.as_os_str().as_encoded_bytes()).to_hex();
    environment.cache_dir.join("frontend").join(&key[..32])
}

/// Installs what functions in TypeScript and JavaScript import, where it is not there as the lock file has it: beside each
/// function counts the nearest `package.json`. Packages for development alone are what tools need, and no function; and where
/// no lock file says what there should be, what a person has installed is theirs.
pub(super) fn install_for_functions(
    project: &ProjectDir,
    config: &ProjectConfig,
    environment: &BuildEnvironment,
    context: &BuildContext,
    events: &dyn Fn(BuildEvent),
) -> Result<(), FrontendError> {
    for folder in package_folders(config) {
        if let Some(packages) = Frontend::of_packages(&folder, &config.build, project.root())? {
            Work::new(project, &folder, &packages, environment, context, events)?.install_where_missing()?;
        }
    }
    Ok(())
}

/// The folders of the packages that functions belong to.
fn package_folders(config: &ProjectConfig) -> BTreeSet<PathBuf> {
    let base = config.site.base.as_path();
    let functions = config.functions.iter().filter(|function| function.runtime.is_javascript());
    let package_of = |file: &str| {
        let folders = Path::new(file).ancestors().skip(1).map(|folder| base.join(folder));
        folders.into_iter().find(|folder| folder.join(PACKAGE_JSON).is_file())
    };
    functions.filter_map(|function| package_of(&function.file)).collect()
}

/// The lock of the packages that are installed together.
const INSTALL_LOCK: &str = "install-lock";

/// Waits until no other ship works where `cache` is about: two would write the same files.
fn take_turn(cache: &Path, name: &str) -> Option<File> {
    std::fs::create_dir_all(cache).ok()?;
    // Commands that run in this turn have it as their input.
    let file = File::options().create(true).truncate(false).read(true).write(true).open(cache.join(name)).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// Takes away what an installation has left that did not end; see [`Attempt::clear`].
fn clear(attempt: &Attempt<'_>, manager: &PackageManager) -> Result<bool, FrontendError> {
    let failed = |source| FrontendError::State { path: manager.root.join("node_modules"), source };
    attempt.clear().map_err(failed)
}

/// One build of a frontend.
pub(super) struct Work<'w> {
    pub(super) project: &'w ProjectDir,
    /// The folder it runs in.
    pub(super) base: &'w Path,
    pub(super) frontend: &'w Frontend,
    environment: &'w BuildEnvironment,
    events: &'w dyn Fn(BuildEvent),
    /// What installs packages, where there are any.
    pub(super) manager: Option<PackageManager>,
    pub(super) search_path: Vec<PathBuf>,
    pub(super) variables: Variables,
    /// Where ship keeps what it knows of this folder.
    cache: PathBuf,
}

impl<'w> Work<'w> {
    pub(super) fn new(
        project: &'w ProjectDir,
        base: &'w Path,
        frontend: &'w Frontend,
        environment: &'w BuildEnvironment,
        context: &BuildContext,
        events: &'w dyn Fn(BuildEvent),
    ) -> Result<Self, FrontendError> {
        let manager = frontend.package.as_ref().map(|package| PackageManager::find(base, package));
        let of_caller = caller_variables(environment);
        let outside = variables::as_text(&of_caller);
        let mut of_files = crate::env_files::read(base, context.target, frontend.env_order(), &outside)?;
        of_files.extend(frontend.settings.env.clone());
        let mut variables = variables::assemble(&of_caller, of_files, context, frontend.preset.env_prefix);
        if frontend.is_next() {
            let root = manager.as_ref().map_or(base, |manager| manager.root.as_path());
            variables.all.extend(variables::of_next(root));
        }
        variables.add_missing(manager.as_ref().and_then(PackageManager::variable));
        let of_packages = std::iter::once(base).chain(manager.as_ref().map(|manager| manager.root.as_path()));
        let mut search_path: Vec<PathBuf> = of_packages.map(|folder| folder.join("node_modules/.bin")).collect();
        search_path.dedup();
        search_path.extend(environment.search_path());
        let cache = folder_cache(environment, base);
        Ok(Self { project, base, frontend, environment, events, manager, search_path, variables, cache })
    }

    /// From now on, environment files are left to the tools, which read them by themselves and again when they are edited.
    pub(super) fn see_as_tools_do(&mut self, context: &BuildContext) -> Result<(), FrontendError> {
        let of_caller = caller_variables(self.environment);
        let outside = variables::as_text(&of_caller);
        let order = self.frontend.env_order();
        let of_files = crate::env_files::read(self.base, context.target, order, &outside)?;
        // What somebody writes on this machine goes before what a host keeps for everybody's.
        let is_written = |name: &str| of_files.iter().any(|(written, _)| written == name);
        let mut context = context.clone();
        context.variables.retain(|(name, _)| !is_written(name));
        let settings = self.frontend.settings.env.clone().into_iter().collect();
        self.variables = variables::assemble(&of_caller, settings, &context, self.frontend.preset.env_prefix);
        self.variables.add_missing(self.manager.as_ref().and_then(PackageManager::variable));
        Ok(())
    }

    /// The folder that the build leaves, relative to the folder it runs in; built if it is not there as it should be.
    fn output(&self) -> Result<PathBuf, FrontendError> {
        let turn = take_turn(&self.cache, "lock");
        let record_file = self.cache.join("built.json");
        let inputs = self.inputs();
        let known = Record::read(&record_file);
        if let (Some(inputs), Some(record)) = (&inputs, known)
            && record.is_of(inputs, self.base)
        {
            return Ok(record.output);
        }
        let output = self.build(turn.as_ref())?;
        // What was edited while the build ran, or was written by it, is not known to be in it.
        if let (Some(inputs), Ok(left)) = (inputs, self.state_of(&output))
            && self.inputs() == Some(inputs)
        {
            Record { inputs, output: output.clone(), left }.write(&record_file);
        }
        Ok(output)
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

    fn build(&self, turn: Option<&File>) -> Result<PathBuf, FrontendError> {
        let started = SystemTime::now();
        let time = Instant::now();
        let mut runner = self.runner(self.base, turn);
        // The log is that of the last build.
        let _ = std::fs::remove_file(&runner.log);
        if let Some(programs) = self.programs_for_script()? {
            runner.search_path.insert(0, programs);
        }
        self.install()?;
        let line = self.command()?;
        (self.events)(BuildEvent::FrontendBuilding { framework: self.frontend.framework(), command: line.shown() });
        let packages = self.packages_as_written();
        let ran = runner.run("command", &line);
        packages.iter().for_each(WrittenFile::put_back);
        let last_lines = ran?;
        (self.events)(BuildEvent::FrontendBuilt { took: time.elapsed() });
        self.find_output(&line.shown(), started).map_err(|error| error.after(last_lines))
    }

    /// The programs that a script finds first: those of a Python that it may install packages for.
    fn programs_for_script(&self) -> Result<Option<PathBuf>, FrontendError> {
        let is_python = || [self.base, self.project.root()].into_iter().any(python::is_python_project);
        if self.frontend.settings.script.is_none() || !is_python() {
            return Ok(None);
        }
        Ok(python::programs_for_scripts(&self.cache.join("python"), self.environment, self.events)?)
    }

    /// The files that say which packages there are, where a build is known to change them: `@sveltejs/adapter-auto` installs the
    /// adapter that it needs as a dependency of the project.
    fn packages_as_written(&self) -> Vec<WrittenFile> {
        let package = self.frontend.package.as_ref().filter(|package| package.depends_on("@sveltejs/adapter-auto"));
        let Some((_, manager)) = package.zip(self.manager.as_ref()) else { return Vec::new() };
        let files = [self.base.join("package.json")].into_iter().chain(manager.lock.clone());
        files.filter_map(WrittenFile::read).collect()
    }

    fn runner<'r>(&'r self, folder: &'r Path, turn: Option<&'r File>) -> Runner<'r> {
        Runner {
            folder,
            search_path: self.search_path.clone(),
            variables: self.variables.all.clone(),
            interrupt: &self.environment.interrupt,
            log: self.cache.join("build.log"),
            events: self.events,
            turn,
        }
    }

    /// Installs the packages, and nothing else. Where no lock file says what there should be, what is there stays as it is.
    fn install_where_missing(&self) -> Result<(), FrontendError> {
        let _turn = take_turn(&self.cache, "lock");
        let is_in_doubt = match &self.manager {
            Some(manager) => {
                let cache = folder_cache(self.environment, &manager.root);
                let _turn = take_turn(&cache, INSTALL_LOCK);
                clear(&Attempt::new(manager, &cache), manager)?
            }
            None => false,
        };
        if !is_in_doubt && self.manager.as_ref().is_some_and(PackageManager::is_left_to_a_person) {
            return Ok(());
        }
        self.install()
    }

    /// Installs the packages if they are not there as the lock file has them.
    pub(super) fn install(&self) -> Result<(), FrontendError> {
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
        // Several packages of a workspace have their packages in one folder.
        let cache = folder_cache(self.environment, &manager.root);
        let turn = take_turn(&cache, INSTALL_LOCK);
        let attempt = Attempt::new(manager, &cache);
        let is_in_doubt = clear(&attempt, manager)?;
        let is_known = || Installed::now(manager, wanted).is_some_and(|now| now.is_remembered(&record));
        if !is_in_doubt && (is_known() || (own_rules && install::is_as_locked(manager))) {
            return Ok(());
        }
        if own_rules && let Some(dependency) = install::missing_in_lock(manager, package) {
            let lock = manager.lock.as_deref().unwrap_or(&manager.root);
            return Err(FrontendError::LockOutOfDate { lock: shown_below(self.project.root(), lock), dependency });
        }
        (self.events)(BuildEvent::FrontendInstalling { command: line.shown() });
        attempt.begin().map_err(|source| FrontendError::State { path: cache.clone(), source })?;
        let runner = self.runner(if own_rules { &manager.root } else { self.base }, turn.as_ref());
        let last_lines = runner.run("install", &line)?;
        if attempt.has_gaps(&last_lines) {
            let (command, log) = (line.shown(), runner.log);
            return Err(FrontendError::InstallHasGaps { command, last_lines, log });
        }
        attempt.end();
        if let Some(installed) = Installed::now(manager, wanted) {
            installed.remember(&record);
        }
        Ok(())
    }

    /// What builds: the owner's line, else the script of `package.json` (through what a monorepo runs scripts with), else the
    /// framework's own command.
    fn command(&self) -> Result<CommandLine, FrontendError> {
        if let Some(words) = &self.frontend.settings.script {
            return Ok(CommandLine::Program(words.clone()));
        }
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
            // What `next build` is asked for besides is in its environment, which turbo passes on only then.
            () if manager.root.join("turbo.json").is_file() && has("turbo") && self.frontend.is_next() => {
                vec!["turbo", "run", script, "--env-mode=loose"]
            }
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
}
