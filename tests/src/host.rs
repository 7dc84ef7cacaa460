//! A `ship host` that a story starts, kills and starts again.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::command::{CommandOutput, RunningShip, ShipCommand};
use crate::environment::TestEnv;
use crate::http;
use crate::processes::{Process, processes_mentioning};

/// Where a host listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostAddresses {
    /// The sites, as `127.0.0.1:PORT`.
    pub sites: String,
    /// The control API, as `127.0.0.1:PORT`.
    pub control: String,
}

impl HostAddresses {
    /// Any free ports.
    pub fn any() -> Self {
        Self { sites: "127.0.0.1:0".into(), control: "127.0.0.1:0".into() }
    }
}

/// A host in the foreground of a test, with ports and a data directory of its own.
#[derive(Debug)]
pub struct TestHost<'e> {
    environment: &'e TestEnv,
    data: PathBuf,
    addresses: HostAddresses,
    wrapper: Vec<OsString>,
    options: Vec<OsString>,
    variables: Vec<(String, String)>,
    ready: Value,
    running: Option<RunningShip<'e>>,
}

impl<'e> TestHost<'e> {
    /// Starts a host on free ports with the data directory `<environment>/data` and waits until it is ready.
    #[track_caller]
    pub fn start(environment: &'e TestEnv) -> Self {
        Self::start_on(environment, &environment.folder().join("data"))
    }

    /// Starts a host on free ports with a data directory.
    #[track_caller]
    pub fn start_on(environment: &'e TestEnv, data: &Path) -> Self {
        Self::start_by(environment, data, &[])
    }

    /// Starts a host on free ports with a data directory, by another program: see [`ShipCommand::started_by`].
    #[track_caller]
    pub fn start_by(environment: &'e TestEnv, data: &Path, wrapper: &[&OsStr]) -> Self {
        let mut host = Self::new(environment, data);
        host.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        host.begin();
        host
    }

    /// Starts a host on free ports with the data directory `<environment>/data` and further options.
    #[track_caller]
    pub fn start_with(environment: &'e TestEnv, options: &[&str]) -> Self {
        let mut host = Self::new(environment, &environment.folder().join("data"));
        host.options = options.iter().map(|word| (*word).into()).collect();
        host.begin();
        host
    }

    /// The same by another program: see [`ShipCommand::started_by`].
    #[track_caller]
    pub fn start_by_with(environment: &'e TestEnv, wrapper: &[&str], options: &[&str]) -> Self {
        let mut host = Self::new(environment, &environment.folder().join("data"));
        host.wrapper = wrapper.iter().map(|word| (*word).into()).collect();
        host.options = options.iter().map(|word| (*word).into()).collect();
        host.begin();
        host
    }

    /// Starts a host on free ports with the data directory `<environment>/data` and further environment variables.
    #[track_caller]
    pub fn start_in(environment: &'e TestEnv, variables: &[(&str, &str)]) -> Self {
        let mut host = Self::new(environment, &environment.folder().join("data"));
        host.variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        host.begin();
        host
    }

    fn new(environment: &'e TestEnv, data: &Path) -> Self {
        Self {
            environment,
            data: data.to_owned(),
            addresses: HostAddresses::any(),
            wrapper: Vec::new(),
            options: Vec::new(),
            variables: Vec::new(),
            ready: Value::Null,
            running: None,
        }
    }

    /// The command that starts a host on `data` at `addresses`.
    pub fn command(environment: &'e TestEnv, data: &Path, addresses: &HostAddresses) -> ShipCommand<'e> {
        let arguments: [&OsStr; 8] = [
            "host".as_ref(),
            "--json".as_ref(),
            "--listen".as_ref(),
            addresses.sites.as_ref(),
            "--control".as_ref(),
            addresses.control.as_ref(),
            "--data".as_ref(),
            data.as_os_str(),
        ];
        environment.ship(arguments)
    }

    #[track_caller]
    fn begin(&mut self) {
        let command = Self::command(self.environment, &self.data, &self.addresses).and(&self.options);
        let with = |command: ShipCommand<'e>, (name, value): &(String, String)| command.with(name, value);
        let mut running = self.variables.iter().fold(command, with).started_by(&self.wrapper).start();
        let Some(line) = running.stdout().next_line() else {
            panic!("the host ended before it was ready:\n{}", running.finish().snapshot());
        };
        self.ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let address = |name: &str| {
            let url = self.ready[name].as_str().unwrap_or_default();
            url.strip_prefix("http://").unwrap_or_else(|| panic!("no {name} URL in {line}")).to_owned()
        };
        // Where there is TLS, those who come without it are led there from where sites are otherwise.
        let plain = if self.ready["redirects"].is_string() { "redirects" } else { "sites" };
        self.addresses = HostAddresses { sites: address(plain), control: address("control") };
        self.running = Some(running);
    }

    /// The line that it printed when it was ready.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where it listens.
    pub fn addresses(&self) -> &HostAddresses {
        &self.addresses
    }

    /// The URL of a site on it through TLS, by its whole name.
    #[track_caller]
    pub fn secure_url(&self, name: &str) -> String {
        let sites = self.ready["sites"].as_str().unwrap_or_default();
        assert!(sites.starts_with("https://"), "the host has TLS: {}", self.ready);
        let (_, port) = sites.rsplit_once(':').expect("an address ends in its port");
        format!("https://{name}:{port}")
    }

    /// The address of its control API.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.addresses.control)
    }

    /// The URL of a site on it, by the first label of its name.
    pub fn site_url(&self, label: &str) -> String {
        let (_, port) = self.addresses.sites.rsplit_once(':').expect("an address ends in its port");
        format!("http://{label}.localhost:{port}")
    }

    /// The token it made at its first start.
    #[track_caller]
    pub fn token(&self) -> String {
        let path = self.ready["token_file"].as_str().expect("the ready line names the token's file");
        fs::read_to_string(path).expect("the token's file is readable").trim().to_owned()
    }

    /// A `ship` command that talks to this host.
    pub fn ship<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> ShipCommand<'e> {
        self.environment.ship(arguments).with("SHIP_HOST", self.control_url())
    }

    /// A request to its control API, with the token.
    #[track_caller]
    pub fn control(&self, method: &str, path: &str) -> http::Request {
        http::request(method, &format!("{}{path}", self.control_url())).token(&self.token())
    }

    /// Its process.
    #[track_caller]
    pub fn process(&self) -> Process {
        self.running.as_ref().expect("the host runs").process()
    }

    /// Ends it at once, as a power cut would.
    #[track_caller]
    pub fn kill(&mut self) {
        let _ = self.running.take().expect("the host runs").kill();
    }

    /// Asks it to end. The story waits for the end with [`TestHost::ended`].
    #[track_caller]
    pub fn ask_to_end(&self) {
        self.process().signal(Signal::TERM);
    }

    /// Waits until it has ended and gives back what could be seen of it.
    #[track_caller]
    pub fn ended(&mut self) -> CommandOutput {
        self.running.take().expect("the host runs").finish()
    }

    /// Starts it again, on the same ports and data.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "the host still runs");
        self.begin();
    }
}

impl Drop for TestHost<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            if std::thread::panicking() {
                // Whoever took over from it is not its end, and would keep what it says open.
                for process in processes_mentioning(&self.data) {
                    process.signal(Signal::KILL);
                }
                let said = running.kill();
                // The harness has no terminal of its own; the test runner shows this with the failure.
                let _ = std::io::Write::write_all(&mut std::io::stderr(), said.stderr().as_bytes());
                return;
            }
            let ended = running.terminate();
            assert_eq!(ended.code(), Some(0), "the host did not end well:\n{}", ended.stderr());
        }
    }
}
