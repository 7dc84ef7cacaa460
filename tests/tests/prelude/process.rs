//! Functions as a host lays them out, and their processes, fresh and prepared, with the descriptors that they expect.

use std::cell::Cell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use ship_tests::{TestEnv, TestProject};

/// The folder that a host writes for prepared processes, but for the launcher.
const PRELUDES: [(&str, &str); 4] = [
    ("node/prelude.mjs", include_str!("../../../runtime/src/prelude/node/prelude.mjs")),
    ("node/rehearsal/plain.mjs", include_str!("../../../runtime/src/prelude/node/plain.mjs")),
    ("node/rehearsal/web.mjs", include_str!("../../../runtime/src/prelude/node/web.mjs")),
    ("python/prelude.py", include_str!("../../../runtime/src/prelude/python/prelude.py")),
];

/// What stands around what a launcher launches.
const BEFORE: &str = "const launched = ";
const AFTER: &str = "\nawait launch(launched, new URL(\".\", import.meta.url).href);\n";

/// Puts the listener that arrives as the standard input on its descriptor, the pipe with a name on 4 and a connection to an address on 6 if
/// there are any, and executes the rest.
const PLACE: &str = r#"
import os, signal, socket, sys
pipe, address, *command = sys.argv[1:]
os.dup2(0, 3)
if address:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    os.dup2(connection.fileno(), 6)
if pipe:
    os.dup2(os.open(pipe, os.O_RDONLY), 4)
    os.set_inheritable(4, True)
os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
os.execvp(command[0], command)
"#;

/// The functions of a project, built and laid out.
pub(crate) struct Functions {
    built: PathBuf,
    folder: PathBuf,
}

impl Functions {
    pub(crate) fn of(environment: &TestEnv, project: &TestProject) -> Self {
        let _ = environment.ship(["build"]).within(project.folder()).run().success();
        let folder = environment.folder().join("functions");
        for (name, text) in PRELUDES {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Self { built: project.path(".ship/output"), folder }
    }

    /// A function with its layers, as it stands in a host.
    pub(crate) fn place(&self, name: &str) -> Function {
        let built = self.built.join(format!("functions/api/{name}.func"));
        let settings: Value = serde_json::from_slice(&fs::read(built.join(".vc-config.json")).unwrap()).unwrap();
        for layer in settings["ship"]["layers"].as_array().into_iter().flatten() {
            let digest = layer["digest"].as_str().unwrap().trim_start_matches("sha256:");
            let mount = layer["mount"].as_str().unwrap();
            let unpacked = self.folder.join("layers").join(digest);
            if !unpacked.exists() {
                let zip = self.built.join(format!("layers/{digest}.zip"));
                let unzip = Command::new("python3").args(["-m", "zipfile", "-e"]).arg(zip).arg(&unpacked).status();
                assert!(unzip.unwrap().success());
            }
            symlink(unpacked.join(mount), built.join(mount)).unwrap();
        }
        for module in fs::read_dir(built.join("ship_launcher")).into_iter().flatten() {
            let module = module.unwrap().path();
            let place = self.folder.join("python/ship_launcher");
            fs::create_dir_all(&place).unwrap();
            fs::copy(&module, place.join(module.file_name().unwrap())).unwrap();
        }
        let launcher = fs::read_to_string(built.join("launcher.mjs")).ok();
        let launch = launcher.as_deref().map(|text| {
            let (what, module) = text.strip_prefix(BEFORE).unwrap().split_once(";\n").unwrap();
            fs::write(self.folder.join("node/launcher.mjs"), module.strip_suffix(AFTER).unwrap()).unwrap();
            serde_json::from_str(what).unwrap()
        });
        let is_node = launch.is_some();
        Function { root: built, preludes: self.folder.clone(), is_node, launch: launch.unwrap_or(json!(true)) }
    }
}

/// How a process comes to run a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Fresh,
    Prepared,
    /// Prepared, with a code cache that was made before.
    Cached,
    /// The same, with a launcher that the prelude does not know.
    OwnLauncher,
}

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) root: PathBuf,
    preludes: PathBuf,
    is_node: bool,
    /// What its launcher launches.
    launch: Value,
}

impl Function {
    /// The environment of an instance.
    pub(crate) fn environment() -> Value {
        json!({
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "TZ": "Pacific/Auckland",
            "SHIP_LISTEN_FD": "3", "SHIP_FUNCTION": "api/see", "GREETING": "kia ora ā", "NODE_ENV": "testing",
        })
    }

    fn interpreter(&self) -> Vec<String> {
        let (names, flags): (_, &[&str]) = if self.is_node {
            (["node", "node"], &["--enable-source-maps"])
        } else {
            (["python3", "python"], &["-I", "-u", "-B"])
        };
        let path = std::env::var_os("PATH").unwrap();
        let is_program = |program: &PathBuf| fs::read(program).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
        let mut candidates = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
        let program = candidates.find(is_program).expect("the interpreter is installed");
        std::iter::once(program.to_str().unwrap()).chain(flags.iter().copied()).map(str::to_owned).collect()
    }

    /// Starts an instance.
    pub(crate) fn start(&self, way: Way) -> Instance {
        match way {
            Way::Fresh => self.start_fresh(),
            Way::Prepared => self.prepare().assign(&self.assignment()),
            Way::Cached | Way::OwnLauncher => {
                let mut assignment = self.assignment();
                assignment["code_cache"] = json!(self.cache());
                if way == Way::OwnLauncher {
                    assignment.as_object_mut().unwrap().remove("launch");
                }
                self.prepare().assign(&assignment)
            }
        }
    }

    pub(crate) fn assignment(&self) -> Value {
        json!({ "root": self.root, "env": Self::environment(), "launch": self.launch })
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.preludes.join("caches").join(self.root.file_name().unwrap())
    }

    /// Has the code cache made, and gives how that process ended.
    pub(crate) fn make_cache(&self) -> Outcome {
        fs::create_dir_all(self.cache()).unwrap();
        let mut assignment = self.assignment();
        assignment["code_cache"] = json!(self.cache());
        assignment["make_code_cache"] = json!(true);
        self.prepare().assign(&assignment).ended()
    }

    fn start_fresh(&self) -> Instance {
        let mut arguments = self.interpreter();
        arguments.push(if self.is_node { "launcher.mjs" } else { "launcher.py" }.to_owned());
        let environment = Self::environment();
        let variables = environment.as_object().unwrap().iter();
        let variables = variables.map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
        let command: Vec<String> =
            ["env".to_owned(), "-i".to_owned()].into_iter().chain(variables).chain(arguments).collect();
        Instance::start("", Meeting::Accepted, &command, &self.root)
    }

    /// Starts a process that forks the instances when it is asked to.
    pub(crate) fn zygote(&self) -> Instance {
        let mut assignment = self.assignment();
        assignment["zygote"] = json!(true);
        self.prepare().assign(&assignment)
    }

    /// Starts a process that waits for an assignment.
    pub(crate) fn prepare(&self) -> Prepared {
        let assignment = tempfile::tempdir().unwrap();
        let pipe = assignment.path().join("assignment");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut command: Vec<String> = ["env", "-i", "PATH=/bin", "LEFTOVER=x"].map(str::to_owned).into();
        command.extend(self.interpreter());
        if self.is_node {
            command.push("--expose-internals".to_owned());
        }
        let prelude = self.preludes.join(if self.is_node { "node/prelude.mjs" } else { "python/prelude.py" });
        command.push(prelude.to_str().unwrap().to_owned());
        let mut first = Meeting::Accepted;
        if self.is_node {
            command.push("6".to_owned());
            first = Meeting::Inherited;
        }
        let instance = Instance::start(pipe.to_str().unwrap(), first, &command, Path::new("/"));
        let pipe = fs::File::options().write(true).open(pipe).unwrap();
        Prepared { instance, pipe }
    }
}

/// A process that waits.
pub(crate) struct Prepared {
    instance: Instance,
    pipe: fs::File,
}

impl Prepared {
    pub(crate) fn assign(mut self, assignment: &Value) -> Instance {
        // In pieces: what arrives first is not the whole.
        let text = serde_json::to_vec(assignment).unwrap();
        let (first, second) = text.split_at(text.len() / 2);
        for piece in [first, second, b"\n", b"\n"] {
            self.pipe.write_all(piece).unwrap();
        }
        if assignment.get("launch").is_none() {
            // A launcher that the prelude does not know accepts all connections.
            self.instance.first.take();
        }
        self.instance
    }

    /// Lets the pipe end without an assignment.
    pub(crate) fn forget(self) -> Outcome {
        drop(self.pipe);
        self.instance.ended()
    }

    /// Lets the pipe end behind an assignment whose function is never shown.
    pub(crate) fn assign_in_vain(mut self, assignment: &Value) -> Outcome {
        writeln!(self.pipe, "{assignment}").unwrap();
        self.forget()
    }
}

/// How a process comes to its first connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meeting {
    Accepted,
    Inherited,
}

/// A process that runs a function, or waits to.
pub(crate) struct Instance {
    process: Child,
    socket: PathBuf,
    /// The first connection, if it has that from its start.
    first: Cell<Option<UnixStream>>,
    printed: [JoinHandle<String>; 2],
    _folder: tempfile::TempDir,
}

/// How a process ended, and what it printed.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Instance {
    fn start(pipe: &str, first: Meeting, command: &[String], folder: &Path) -> Self {
        let folder_of_socket = tempfile::tempdir().unwrap();
        let socket = folder_of_socket.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let door = (first == Meeting::Inherited).then(|| folder_of_socket.path().join("first"));
        let way = door.as_ref().map_or("", |door| door.to_str().unwrap());
        let door = door.as_ref().map(|door| UnixListener::bind(door).unwrap());
        let mut process = Command::new("python3")
            .args(["-I", "-S", "-c", PLACE, pipe, way])
            .args(command)
            .current_dir(folder)
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = [read(process.stdout.take().unwrap()), read(process.stderr.take().unwrap())];
        let first = Cell::new(door.map(|door| door.accept().unwrap().0));
        Self { process, socket, first, printed, _folder: folder_of_socket }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn connect(&self) -> UnixStream {
        self.first.take().unwrap_or_else(|| UnixStream::connect(&self.socket).unwrap())
    }

    /// The answer to a request, without the date; empty if the process ends instead.
    pub(crate) fn ask(&self, path: &str) -> String {
        let mut stream = self.connect();
        let mut answer = String::new();
        let asked = write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        if asked.and_then(|()| stream.read_to_string(&mut answer)).is_err() {
            answer.clear();
        }
        answer.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
    }

    /// The body of an answer, as JSON.
    pub(crate) fn see(&self, path: &str) -> Value {
        let answer = self.ask(path);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body = body.trim_start_matches(|letter: char| letter.is_ascii_hexdigit()).trim();
        serde_json::from_str(body.trim_end_matches("\r\n0").trim()).unwrap_or_else(|_| panic!("{answer}"))
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Outcome {
        let pid = self.pid().to_string();
        let code = self.process.wait().unwrap().code();
        let [stdout, stderr] = self.printed.map(|printed| printed.join().unwrap().replace(&pid, "PID"));
        Outcome { code, stdout, stderr }
    }

    pub(crate) fn stop(self) -> Outcome {
        self.terminate();
        self.ended()
    }
}

fn read(mut from: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        from.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Checks that `observed` sees the same however the function came to run, and gives what it saw.
#[track_caller]
pub(crate) fn same_in_every_way<T: PartialEq + std::fmt::Debug>(
    function: &Function,
    observed: impl Fn(Instance) -> T,
) -> T {
    let fresh = observed(function.start(Way::Fresh));
    for way in [Way::Prepared, Way::Cached, Way::OwnLauncher] {
        let other = observed(function.start(way));
        if other != fresh {
            let (is, was) = (format!("{other:#?}"), format!("{fresh:#?}"));
            let only = |these: &str, those: &str| {
                let lines = these.lines().filter(|line| !those.lines().any(|other| other == *line));
                lines.collect::<Vec<_>>().join("\n")
            };
            panic!("{way:?}, and no fresh start:\n{}\na fresh start alone:\n{}", only(&is, &was), only(&was, &is));
        }
    }
    fresh
}
