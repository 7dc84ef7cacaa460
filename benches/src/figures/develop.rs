//! `ship dev`: how soon it answers, how soon an edit is seen, and what it takes to be there.

mod edits;
mod starts;

pub(crate) use edits::{edited_function, edited_page, edited_script};
pub(crate) use starts::{first_answer, memory};

use ship_tests::{RunningShip, TestEnv, TestProject};

use crate::peer::NotThere;
use crate::peer::dev::DevServer;
use crate::peer::{Peer, dev};

/// How often the short ones run.
const SHORT_RUNS: usize = 21;

/// Starts a dev server and waits until it says that it is ready.
fn start<'e>(environment: &'e TestEnv, project: &TestProject) -> (RunningShip<'e>, String) {
    let command = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder());
    let mut running = command.start();
    let line = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: serde_json::Value = serde_json::from_str(&line).expect("each line is one JSON document");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    (running, url)
}

/// The project that a peer serves, in a folder that no other server has.
fn project_of(environment: &TestEnv, peer: Peer) -> TestProject {
    dev::project(environment.project(&format!("beside-{}", peer.name())))
}

/// Starts a peer and waits until it answers at `path`.
fn started(peer: Peer, project: &TestProject, path: &str) -> Result<DevServer, NotThere> {
    let mut server = DevServer::start(peer, project.folder())?;
    server.wait_for(path)?;
    Ok(server)
}
