//! Finding what a build has left: a whole deployment, a server, or static files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::prepare::{BUILD_OUTPUT, Work};
use super::presets::OTHER;
use super::server::{NextServer, is_fresh};
use super::settings::Setting;
use super::{Frontend, FrontendError, state};
use crate::detect::ProjectConfig;
use crate::env_files::{BuildTarget, EnvFileError};
use crate::tree::shown_below;

/// Folders in which builds of no known framework leave a site, if there is a page in them.
const USUAL_OUTPUTS: [&str; 3] = ["dist", "build", "out"];

impl Work<'_> {
    /// Finds what the build has left.
    pub(super) fn find_output(&self, command: &str, started: SystemTime) -> Result<PathBuf, FrontendError> {
        let config = self.base.join(BUILD_OUTPUT).join("config.json");
        if is_fresh(&config, started) {
            return Ok(BUILD_OUTPUT.into());
        }
        if let Some(folder) = self.server_folder(started) {
            return Ok(folder);
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
            let (command, last_lines) = (command.to_owned(), Vec::new());
            return Err(FrontendError::NoOutput { command, looked_for, last_lines, hint: self.hint() });
        };
        if !self.base.join(output).is_dir() {
            return Err(FrontendError::OutputNotAFolder { folder: shown(output) });
        }
        let output = self.inner_output(output);
        let is_page = |path: &Path| path.extension().is_some_and(|ending| ending == "html" || ending == "htm");
        if !has_file(&self.base.join(&output), &|_| true) {
            return Err(FrontendError::EmptyOutput { command: command.to_owned(), folder: shown(&output) });
        }
        // Files for browsers alone would be a site without a page.
        if let Some(framework) = self.frontend.framework().filter(|_| self.frontend.may_have_server())
            && !has_file(&self.base.join(&output), &is_page)
        {
            let (command, folder) = (command.to_owned(), shown(&output));
            return Err(FrontendError::NoServer { framework, command, folder, hint: self.hint() });
        }
        Ok(output)
    }

    /// The folder of the server that the build has left, if it has.
    fn server_folder(&self, started: SystemTime) -> Option<PathBuf> {
        if self.frontend.is_next() {
            return NextServer::folder_of_build(self.base, self.frontend.settings.output.value(), started);
        }
        let layouts = self.frontend.preset.servers.iter();
        layouts.filter(|layout| layout.is_fresh(self.base, started)).map(|layout| layout.folder.into()).next()
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

    /// What to do about frameworks that make more than files.
    fn hint(&self) -> Option<&'static str> {
        match self.frontend.preset.slug {
            "nextjs" => Some(
                "set `output: 'standalone'` in next.config for a site with a server, or `output: 'export'` for one of files; \
                 where a tool runs `next build`, it has to pass NEXT_PRIVATE_STANDALONE on",
            ),
            "sveltekit-1" => Some(
                "use `@sveltejs/adapter-vercel` or `@sveltejs/adapter-node` for a server, `@sveltejs/adapter-static` for files",
            ),
            "remix" | "react-router" => Some(
                "its server is `build/server/index.js`, or the one bundle in `build/server/`; with several of them, give all routes the same `config`; `ssr: false` makes a site of files",
            ),
            "astro" => Some("use `@astrojs/vercel` or `@astrojs/node` for pages that are made by a server"),
            "nuxtjs" | "nitro" | "solidstart-1" => {
                Some("leave Nitro's preset to itself, which then is `vercel`, or set it to `vercel` or `node-server`")
            }
            "tanstack-start" => {
                Some("its server is `dist/server/server.js`, or that of Nitro with the preset `node-server`")
            }
            _ => None,
        }
    }
}

/// Whether there is a file anywhere below a folder that is one of those looked for.
fn has_file(folder: &Path, is_it: &impl Fn(&Path) -> bool) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| if path.is_dir() { has_file(&path, is_it) } else { is_it(&path) })
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

    /// Whether there is a frontend to build.
    pub fn has_frontend(&self) -> bool {
        self.frontend.is_some()
    }

    /// Where the build of the frontend leaves things, nowhere if there is none.
    pub fn frontend_traces(&self) -> FrontendTraces {
        let Some(frontend) = &self.frontend else { return FrontendTraces::default() };
        let outputs = frontend.outputs().into_iter().filter(|output| output.as_path() != Path::new("public"));
        FrontendTraces { base: frontend.place(&self.site.base), outputs: outputs.collect() }
    }
}
