//! Names that lead somewhere else each time they are asked for.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use ship_tests::{TestEnv, TestHost, http};

use crate::witness::Witness;

/// The address that the name has first, for who looks whether it is a public one.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);

/// How often a name server looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// How long the head of a question is, and of an answer, in bytes.
const HEAD_BYTES: usize = 12;

const FUNCTION: &str = r#"
import errno, json, os, socket
from http.server import BaseHTTPRequestHandler

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        port, name = int(self.path.split("port=")[1]), os.environ["SHIP_PROJECT"] + ".test"
        first = socket.gethostbyname(name)
        try:
            socket.create_connection((name, port)).sendall(b"by its name")
            said = "connected"
        except OSError as error:
            said = errno.errorcode[error.errno]
        body = json.dumps([first, said]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
"#;

/// A server of names that says of every name that it is a public address when it is asked for it the first time, and this machine from then on.
struct ChangingNames {
    address: Ipv4Addr,
    stop: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl ChangingNames {
    fn start() -> Self {
        // Servers of names are found by their address alone. This one is nobody else's.
        let [.., a, b] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 83, a, b);
        let socket = UdpSocket::bind((address, 53)).expect("this account may serve names");
        socket.set_read_timeout(Some(LOOK)).expect("it is more than nothing");
        let stop = Arc::<AtomicBool>::default();
        let is_over = Arc::clone(&stop);
        let serving = std::thread::spawn(move || serve(&socket, &is_over));
        Self { address, stop, serving: Some(serving) }
    }
}

impl Drop for ChangingNames {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.serving.take().map(JoinHandle::join);
    }
}

fn serve(socket: &UdpSocket, is_over: &AtomicBool) {
    let (mut question, mut known) = ([0; 512], BTreeSet::new());
    while !is_over.load(Ordering::Relaxed) {
        // Nobody has asked for a while.
        let Ok((length, asker)) = socket.recv_from(&mut question) else { continue };
        let Some(answer) = answer(&question[..length], &mut known) else { continue };
        socket.send_to(&answer, asker).expect("who asks is there");
    }
}

/// The answer to a question, if it is one. Only addresses of IPv4 are known, and by which names they were asked for.
fn answer(question: &[u8], known: &mut BTreeSet<Vec<u8>>) -> Option<Vec<u8>> {
    let name_bytes = question.get(HEAD_BYTES..)?.iter().position(|byte| *byte == 0)? + 1;
    let asked = question.get(HEAD_BYTES..HEAD_BYTES + name_bytes + 4)?;
    let is_about_address = asked.ends_with(&[0, 1, 0, 1]);
    let mut answer = [&question[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_about_address), 0, 0, 0, 0], asked].concat();
    if is_about_address {
        let address = if known.insert(asked.to_vec()) { PUBLIC } else { Ipv4Addr::LOCALHOST };
        // The name in the question, an address, for no time, in four bytes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// A name that was a public address when somebody looked, and is this machine when it is connected to, leads nowhere: what counts is the address that
/// is connected to. A function with the machine's own network gets there.
#[test]
fn rebound() {
    let environment = TestEnv::new();
    let names = ChangingNames::start();
    let settings = environment.folder().join("resolv.conf");
    std::fs::write(&settings, format!("nameserver {}\n", names.address)).expect("the folder is writable");
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script];
    let wrapper: Vec<&std::ffi::OsStr> = words.iter().map(AsRef::as_ref).chain([settings.as_os_str()]).collect();
    let host = TestHost::start_by(&environment, &environment.folder().join("data"), &wrapper);
    for (network, said, heard) in
        [("public", "ECONNREFUSED", BTreeSet::new()), ("all", "connected", BTreeSet::from(["by its name".to_owned()]))]
    {
        let limits = format!("name = \"{network}\"\n[functions.\"api/f\"]\nnetwork = \"{network}\"\n");
        let project = environment.project(network).file("ship.toml", limits).file("api/f.py", FUNCTION);
        let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
        let witness = Witness::open();
        let answer = http::get(&format!("{url}/api/f?port={}", witness.port()));
        assert_eq!(answer.success().json(), json!([PUBLIC.to_string(), said]), "{network}");
        assert_eq!(witness.heard(), heard, "{network}");
    }
}
