//! Development servers: how each is started on the same project.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use ship_tests::{Process, TestProject, http, processes_mentioning};

use super::dev_api::DevApi;
use super::{NotThere, Peer, build, npm};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long nobody asks between two questions whether a server answers.
const PAUSE: Duration = Duration::from_millis(1);

/// What the project's function answers at first.
pub(crate) const ANSWER: &str = "run 0";

/// A project that each of them serves: a page, and a function in TypeScript that says [`ANSWER`], in the place where each expects it.
pub(crate) fn project(project: TestProject) -> TestProject {
    let assets = "name = \"bench\"\nmain = \"worker.ts\"\ncompatibility_date = \"2026-01-01\"\n[assets]\ndirectory = \"public\"\n";
    let project =
        project.file("public/index.html", "<!doctype html><title>Measured</title>").file("wrangler.toml", assets);
    for file in ["api/hello.ts", "netlify/functions/hello.mts", "worker.ts"] {
        project.write(file, source(file, ANSWER));
    }
    project
}

/// The function in the file of some server.
pub(crate) fn source(file: &str, answer: &str) -> String {
    match file {
        "api/hello.ts" => format!("export const GET = () => new Response(\"{answer}\");\n"),
        "worker.ts" => format!("export default {{ fetch: () => new Response(\"{answer}\") }};\n"),
        _ => format!("export default () => new Response(\"{answer}\");\n"),
    }
}

/// The file that holds a peer's function, and the path at which it answers. Vite has none.
pub(crate) const fn function_of(peer: Peer) -> Option<(&'static str, &'static str)> {
    match peer {
        Peer::Vercel => Some(("api/hello.ts", "/api/hello")),
        Peer::Netlify => Some(("netlify/functions/hello.mts", "/.netlify/functions/hello")),
        Peer::Wrangler => Some(("worker.ts", "/hello")),
        _ => None,
    }
}

/// Whether a peer serves the page. `netlify functions:serve` serves functions alone.
pub(crate) fn serves_pages(peer: Peer) -> bool {
    peer != Peer::Netlify
}

/// A development server. It and all that it started end when it is dropped.
pub(crate) struct DevServer {
    child: Child,
    address: SocketAddr,
    project: PathBuf,
    _api: Option<DevApi>,
}

impl DevServer {
    /// Starts it on a project; whether it answers is asked with [`DevServer::wait_for`].
    pub(crate) fn start(peer: Peer, project: &Path) -> Result<Self, NotThere> {
        let failed = |error: std::io::Error| NotThere(format!("it does not start: {error}"));
        let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|any| any.local_addr()).map_err(failed)?;
        let api = (peer == Peer::Vercel).then(DevApi::start).transpose().map_err(failed)?;
        let mut command = command(peer, project, address.port(), api.as_ref())?;
        let child = command.current_dir(project).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
        Ok(Self { child, address, project: project.to_owned(), _api: api })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks until it answers with a success at `path`. The answer.
    pub(crate) fn wait_for(&mut self, path: &str) -> Result<String, NotThere> {
        self.wait_until(path, |_| true)
    }

    /// Asks until it answers with a success at `path` whose text is as wanted.
    pub(crate) fn wait_until(&mut self, path: &str, is_wanted: impl Fn(&str) -> bool) -> Result<String, NotThere> {
        let url = format!("http://{}{path}", self.address);
        let begun = Instant::now();
        loop {
            let opened = http::request("GET", &url).try_open();
            let text = opened.ok().filter(|opened| opened.status() == 200).map(|opened| opened.whole().text());
            match text {
                Some(text) if is_wanted(&text) => return Ok(text),
                _ if begun.elapsed() > PATIENCE => return Err(NotThere(format!("no answer at {path}"))),
                _ if self.child.try_wait().is_ok_and(|ended| ended.is_some()) => {
                    return Err(NotThere("it ends before it answers".to_owned()));
                }
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// The memory of all its processes, in bytes; what they share is counted once.
    pub(crate) fn proportional_bytes(&self) -> u64 {
        processes_mentioning(&self.project).into_iter().map(Process::proportional_bytes).sum()
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        // Asked first: some of them write when they end. Whoever of them is left is found by the project's folder.
        let leader = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(leader) = leader {
            let _ = kill_process_group(leader, Signal::TERM);
        }
        if !Process::with_id(self.child.id()).ends_within(Duration::from_secs(2)) {
            let _ = self.child.kill();
        }
        for process in processes_mentioning(&self.project) {
            process.signal(Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn command(peer: Peer, project: &Path, port: u16, api: Option<&DevApi>) -> Result<Command, NotThere> {
    let (name, arguments) = match peer {
        Peer::Vite => {
            ("vite", vec!["public".into(), "--host=127.0.0.1".into(), format!("--port={port}"), "--strictPort".into()])
        }
        Peer::Netlify => {
            let functions = "--functions=netlify/functions".into();
            ("netlify", vec!["functions:serve".into(), "--offline".into(), functions, format!("--port={port}")])
        }
        Peer::Wrangler => {
            ("wrangler", vec!["dev".into(), "--local".into(), "--ip=127.0.0.1".into(), format!("--port={port}")])
        }
        _ => {
            build::link(project)?;
            let api = api.map(DevApi::url).unwrap_or_default();
            let token = "--token=nobodys0nobodys0nobodys0".into();
            (
                "vercel",
                vec!["dev".into(), "--yes".into(), format!("--listen=127.0.0.1:{port}"), token, format!("--api={api}")],
            )
        }
    };
    let npm = npm::command(peer, name)?;
    // In a session of its own, as hosts are: where the kernel shares processors out by session, all have as much.
    let mut command = Command::new("setsid");
    command.arg(npm.get_program()).args(arguments).stdin(Stdio::null());
    command.envs(npm.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ok(command)
}
