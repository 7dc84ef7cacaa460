//! The server that a framework has for development: which one a project uses, and how it is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use ship_core::route::Phase;

use super::command::{CommandLine, find_program};
use super::package_manager::Manager;
use super::prepare::{PreparedProject, Work, install_for_functions};
use super::routes::Serving;
use super::{Frontend, FrontendError, PackageJson};
use crate::detect::{ProjectConfig, SiteFolder, SiteFolderKind};
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;
use crate::frontend::variables::BuildContext;
use crate::frontend::{Left, prepare};
use crate::project::ProjectDir;

/// Where it listens, which nobody but ship asks.
const HOST: &str = "127.0.0.1";

/// Stands for the port in the tables below.
const PORT: &str = "{port}";

/// What frameworks are served with, and what each is told: the words that begin its command, and the arguments behind all others.
/// Each is as the tool's own `--help` has it. A tool that has no arguments for it is told by `PORT` and `HOST`.
const TOOLS: [(&[&str], &[&str]); 17] = [
    (&["vite"], &["--port", PORT, "--strictPort", "--host", HOST]),
    (&["vite", "dev"], &["--port", PORT, "--strictPort", "--host", HOST]),
    (&["vite", "serve"], &["--port", PORT, "--strictPort", "--host", HOST]),
    (&["astro", "dev"], &["--port", PORT, "--host", HOST]),
    (&["next", "dev"], &["--port", PORT, "--hostname", HOST]),
    (&["nuxt", "dev"], &["--port", PORT, "--host", HOST]),
    (&["nuxi", "dev"], &["--port", PORT, "--host", HOST]),
    (&["remix", "vite:dev"], &["--port", PORT, "--strictPort", "--host", HOST]),
    (&["react-router", "dev"], &["--port", PORT, "--strictPort", "--host", HOST]),
    (&["gatsby", "develop"], &["--port", PORT, "--host", HOST]),
    (&["vue-cli-service", "serve"], &["--port", PORT, "--host", HOST]),
    (&["ng", "serve"], &["--port", PORT, "--host", HOST]),
    (&["react-scripts", "start"], &[]),
    (&["docusaurus", "start"], &["--port", PORT, "--host", HOST, "--no-open"]),
    (&["vinxi", "dev"], &["--port", PORT, "--host", HOST]),
    (&["vitepress", "dev"], &["--port", PORT, "--host", HOST]),
    (&["waku", "dev"], &["--port", PORT]),
];

/// What serves a framework's projects that have no script for it, by the slugs of presets.
const USUAL: [(&str, &str); 16] = [
    ("angular", "ng serve"),
    ("astro", "astro dev"),
    ("create-react-app", "react-scripts start"),
    ("docusaurus-2", "docusaurus start"),
    ("gatsby", "gatsby develop"),
    ("nextjs", "next dev"),
    ("nuxtjs", "nuxt dev"),
    ("react-router", "react-router dev"),
    ("remix", "remix vite:dev"),
    ("solidstart-1", "vinxi dev"),
    ("sveltekit-1", "vite dev"),
    ("tanstack-start", "vite dev"),
    ("vite", "vite"),
    ("vitepress", "vitepress dev"),
    ("vue", "vue-cli-service serve"),
    ("ionic-react", "react-scripts start"),
];

/// Scripts of `package.json` that may start it, the first before the second.
const SCRIPTS: [&str; 2] = ["dev", "start"];

/// The development server of a framework, as it is to be started. Two that are equal are started in the same way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DevServer {
    /// The framework as people write it, or the program.
    pub name: String,
    /// The folder it runs in.
    pub folder: PathBuf,
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(OsString, OsString)>,
}

impl DevServer {
    /// The command that has it listen at `port` of this machine.
    pub fn command(&self, port: u16) -> Command {
        let port = port.to_string();
        let mut command = Command::new(&self.program);
        command.args(self.arguments.iter().map(|argument| argument.replace(PORT, &port)));
        command.current_dir(&self.folder).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        // For those that take no arguments. No browser is opened: the person's own is elsewhere.
        command.env("PORT", &port).env("HOST", HOST).env("BROWSER", "none");
        command
    }

    /// The command as a person would type it.
    pub fn shown(&self) -> String {
        let program = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let arguments = self.arguments.iter().take_while(|argument| !argument.starts_with("--"));
        std::iter::once(&program).chain(arguments).cloned().collect::<Vec<_>>().join(" ")
    }
}

/// As [`prepare()`], but a frontend whose framework has a server for development is not built: its packages are installed, and
/// that server answers in place of files.
pub fn prepare_for_development(
    project: &ProjectDir,
    mut config: ProjectConfig,
    environment: &BuildEnvironment,
    context: &BuildContext,
    events: &dyn Fn(BuildEvent),
) -> Result<(PreparedProject, Option<DevServer>), FrontendError> {
    // Whether a middleware lets a request pass is known only after it was asked, by the server that would answer.
    let has_middleware = config.routes.phase(Phase::Null).iter().any(|route| route.middleware.is_some());
    let Some(frontend) = config.frontend.clone().filter(|frontend| !has_middleware && frontend.may_have_dev_server())
    else {
        return prepare(project, config, environment, context, events).map(|prepared| (prepared, None));
    };
    let base = config.site.base.clone();
    let mut work = Work::new(project, &base, &frontend, environment, context, events)?;
    work.install()?;
    work.see_as_tools_do(context)?;
    let Some(server) = work.dev_server() else {
        return prepare(project, config, environment, context, events).map(|prepared| (prepared, None));
    };
    config.frontend = None;
    install_for_functions(project, &config, environment, context, events)?;
    config.frontend = Some(frontend.clone());
    config.site = SiteFolder { kind: SiteFolderKind::Nothing, folder: base, mount: None, ..config.site };
    let serving = Serving::of_files(Some(false));
    let prepared = PreparedProject { config, serving, left: Left::DevServer, took: std::time::Duration::ZERO };
    Ok((prepared, Some(server)))
}

impl Frontend {
    /// Whether something could serve it while it is edited: nobody has said that a program of another kind builds it, and it is the
    /// whole site.
    fn may_have_dev_server(&self) -> bool {
        self.folder.is_none() && self.settings.script.is_none() && self.package.is_some()
    }
}

impl Work<'_> {
    /// What serves the frontend in development, if that is known and installed.
    fn dev_server(&self) -> Option<DevServer> {
        let package = self.frontend.package.as_ref()?;
        let (program, arguments) = self.script(package).or_else(|| self.usual())?;
        let name = self.frontend.framework().map_or_else(|| arguments.0.clone(), str::to_owned);
        let mut variables = self.variables.all.clone();
        variables.retain(|(name, _)| name != "PATH");
        variables.push(("PATH".into(), std::env::join_paths(&self.search_path).ok()?));
        Some(DevServer { name, folder: self.base.to_owned(), program, arguments: arguments.1, variables })
    }

    /// The script of `package.json` that begins a server. Plain words are started as they stand, anything else through the package
    /// manager, which hands further arguments to the last command of a script.
    fn script(&self, package: &PackageJson) -> Option<(PathBuf, (String, Vec<String>))> {
        let (name, line, more) = SCRIPTS
            .iter()
            .find_map(|name| package.script(name).and_then(|line| Some((*name, line, arguments_of(line)?))))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let more = more.iter().map(|argument| (*argument).to_owned());
        let tool = last_command(line).first().map(|word| (*word).to_owned())?;
        find_program(&tool, &self.search_path)?;
        if is_plain(&words) && package.script(&format!("pre{name}")).is_none() {
            let program = find_program(words[0], &self.search_path)?;
            return Some((program, (tool, words[1..].iter().map(|word| (*word).to_owned()).chain(more).collect())));
        }
        let manager = self.manager.as_ref()?;
        let CommandLine::Program(mut line) = manager.run(name, &self.search_path) else { return None };
        if manager.manager == Manager::Npm {
            line.push("--".to_owned());
        }
        line.extend(more);
        Some((find_program(&line[0], &self.search_path)?, (tool, line[1..].to_vec())))
    }

    /// What usually serves this framework.
    fn usual(&self) -> Option<(PathBuf, (String, Vec<String>))> {
        let (_, line) = USUAL.iter().find(|(slug, _)| *slug == self.frontend.preset.slug)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let program = find_program(words[0], &self.search_path)?;
        let arguments = words[1..].iter().copied().chain(arguments_of(line)?.iter().copied());
        Some((program, (words[0].to_owned(), arguments.map(str::to_owned).collect())))
    }
}

/// What is told to the tool that a line starts last, `None` if it is none that is known.
fn arguments_of(line: &str) -> Option<&'static [&'static str]> {
    let words = last_command(line);
    let begins = |tool: &&(&[&str], &'static [&'static str])| words.starts_with(tool.0);
    let (tool, arguments) = TOOLS.iter().filter(begins).max_by_key(|(tool, _)| tool.len())?;
    // `vite build` and `vite preview` are no servers for development.
    let has_subcommand = tool.len() == 1
        && words
            .get(1)
            .is_some_and(|word| !word.starts_with('-') && !Path::new(word).is_absolute() && !word.starts_with('.'));
    (!has_subcommand).then_some(*arguments)
}

/// The words of the last command of a line, without the variables that are set for it. None where the line is more than commands one
/// after the other.
fn last_command(line: &str) -> Vec<&str> {
    let last = line.rsplit("&&").next().unwrap_or(line);
    if last.contains(['|', ';', '&', '<', '>', '$', '`', '(', '"', '\'']) {
        return Vec::new();
    }
    let is_setting = |word: &&str| word.contains('=') || *word == "cross-env";
    last.split_whitespace().skip_while(is_setting).collect()
}

/// Whether a shell would start these words as they stand.
fn is_plain(words: &[&str]) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,=+%".contains(c);
    words.iter().all(|word| word.chars().all(is_plain)) && words.first().is_some_and(|word| !word.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::presets::by_slug;

    /// Which scripts start a server for development: the last command counts, and only where further arguments reach it.
    #[test]
    fn scripts() {
        for line in [
            "vite",
            "vite --mode staging",
            "vite dev",
            "NODE_OPTIONS=--x next dev --turbopack",
            "cross-env A=1 astro dev",
            "prisma generate && nuxt dev",
            "react-scripts start",
        ] {
            assert!(arguments_of(line).is_some(), "{line}");
        }
        for line in [
            "vite build",
            "vite preview",
            "next start",
            "ship dev",
            "node server.mjs",
            "concurrently \"vite\" \"tsc -w\"",
            "vite & tsc -w",
            "vite | cat",
            "",
        ] {
            assert!(arguments_of(line).is_none(), "{line}");
        }
        assert!(is_plain(&["vite", "--mode", "staging"]));
        assert!(!is_plain(&["A=1", "vite"]));
        assert!(!is_plain(&["vite", "$X"]));
    }

    /// What usually serves a framework is a tool that can be told its port, and the framework is known.
    #[test]
    fn table() {
        for (slug, line) in USUAL {
            assert!(by_slug(slug).is_some(), "{slug}");
            assert!(arguments_of(line).is_some(), "{line}");
        }
    }
}
