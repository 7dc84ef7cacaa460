//! Ways to send something, and spellings of addresses.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use serde_json::{Value, json};
use ship_tests::{TestEnv, TestHost, http};

use crate::witness::Witness;

/// Sends what names the way and the address, by each way to each address that it is told.
const FUNCTION: &str = r#"
import ctypes, errno, json, os, select, socket, struct
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

libc = ctypes.CDLL(None, use_errno=True)
FASTOPEN_CONNECT = 30
LOCAL_PORTS = 51

def connect(one, at, said):
    one.connect(at)
    one.sendall(said)

def connect_without_waiting(one, at, said):
    one.setblocking(False)
    if (code := one.connect_ex(at)) not in (0, errno.EINPROGRESS):
        raise OSError(code, "")
    select.select([], [one], [], 5)
    one.sendall(said)

def fast_open(one, at, said):
    one.sendto(said, socket.MSG_FASTOPEN, at)

def fast_open_message(one, at, said):
    one.sendmsg([said], [], socket.MSG_FASTOPEN, at)

def fast_open_connect(one, at, said):
    one.setsockopt(socket.IPPROTO_TCP, FASTOPEN_CONNECT, 1)
    connect(one, at, said)

def connect_again(one, at, said):
    "Where the first connection may be made, the socket is the machine's since, although nobody is there."
    nobody = ("127.0.0.1", 9) if one.family == socket.AF_INET else ("::1", 9)
    one.setblocking(False)
    one.connect_ex(nobody)
    select.select([], [one], [], 5)
    one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    one.setblocking(True)
    # This only says that the first has failed, and makes the socket ready for another.
    one.connect_ex(at)
    connect(one, at, said)

def send_to(one, at, said):
    one.sendto(said, at)

def send_message(one, at, said):
    one.sendmsg([said], [], 0, at)

class Piece(ctypes.Structure):
    _fields_ = [("at", ctypes.c_char_p), ("length", ctypes.c_size_t)]

class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("name_length", ctypes.c_uint32), ("pieces", ctypes.POINTER(Piece)), ("count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t), ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]

def send_messages_with(flags):
    def send(one, at, said):
        if one.family == socket.AF_INET:
            name = struct.pack("=H", socket.AF_INET) + struct.pack("!H", at[1]) + socket.inet_aton(at[0]) + bytes(8)
        else:
            scope = at[3] if len(at) > 3 else 0
            name = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", at[1], 0) + socket.inet_pton(socket.AF_INET6, at[0])
            name += struct.pack("=I", scope)
        piece = Piece(said, len(said))
        message = Message(name, len(name), ctypes.pointer(piece), 1, None, 0, 0, 0)
        if libc.sendmmsg(one.fileno(), ctypes.byref(message), 1, flags) < 0:
            raise OSError(ctypes.get_errno(), "")
    return send

STREAMS = {"connect": connect, "connect without waiting": connect_without_waiting, "fast open": fast_open,
           "fast open message": fast_open_message, "fast open connect": fast_open_connect,
           "fast open messages": send_messages_with(socket.MSG_FASTOPEN), "connect again": connect_again}
DATAGRAMS = {"datagram connected": connect, "datagram": send_to, "datagram message": send_message,
             "datagram messages": send_messages_with(0)}

def place(address, port):
    "An address as the kernel takes it. Nobody is asked for a name."
    if ":" not in address:
        return socket.AF_INET, (socket.inet_ntoa(socket.inet_aton(address)), port)
    address, _, device = address.partition("%")
    return socket.AF_INET6, (address, port, 0, 1) if device else (address, port)

listening = []

def listen_after_all(port):
    "A connection that nobody answers is given up: the socket is the machine's, and as free as a new one."
    one = socket.socket()
    one.setblocking(False)
    if one.connect_ex(("127.0.0.1", port)) != errno.EINPROGRESS:
        return "it is answered"
    one.shutdown(socket.SHUT_RDWR)
    try:
        # Any port again, where this may be said.
        one.setsockopt(socket.IPPROTO_IP, LOCAL_PORTS, 0)
    except OSError:
        pass
    try:
        one.listen()
    except OSError as error:
        return errno.errorcode[error.errno]
    listening.append(one)
    return one.getsockname()[1]

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        said = {}
        if "silent" in query:
            said["silent"] = listen_after_all(int(query["silent"][0]))
        for address in query.get("to", []):
            family, at = place(address, int(query["port"][0]))
            for ways, kind in [(STREAMS, socket.SOCK_STREAM), (DATAGRAMS, socket.SOCK_DGRAM)]:
                for name, way in ways.items():
                    with socket.socket(family, kind) as one:
                        try:
                            way(one, at, f"{name} {address}".encode())
                        except OSError as error:
                            said[f"{name} {address}"] = errno.errorcode.get(error.errno, str(error))
        ring = libc.syscall(425, 1, ctypes.create_string_buffer(120))
        said["ring"] = errno.errorcode[ctypes.get_errno()] if ring < 0 else "made"
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
"#;

/// Spellings of this machine.
const THIS_MACHINE: [&str; 10] =
    ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "0", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"];

/// Spellings of it that need a translator on the way, and what is near it: its own link, a carrier's network, a metadata service.
const SURROUNDINGS: [&str; 13] = [
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2002:7f00:1::1",
    "::127.0.0.1",
    "::ffff:0:7f00:1",
    "fe80::1%lo",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "100.64.0.1",
    "168.63.129.16",
    "fd00:ec2::254",
];

/// The ways on streams that try to connect while they send.
const FAST: [&str; 3] = ["fast open", "fast open message", "fast open messages"];

/// How long a connection on this machine takes at the most that is answered.
const SILENCE: Duration = Duration::from_millis(300);

struct Site<'e> {
    _host: TestHost<'e>,
    url: String,
    witness: Witness,
}

impl<'e> Site<'e> {
    fn deploy(environment: &'e TestEnv) -> Self {
        // The discard service, which this machine does not have, stands for one outside that refuses.
        let options = ["--allow-address", "127.0.0.1:9", "--allow-address", "[::1]:9"];
        Self::deploy_to(TestHost::start_with(environment, &options), environment, Witness::open())
    }

    fn deploy_to(host: TestHost<'e>, environment: &'e TestEnv, witness: Witness) -> Self {
        let networks = ["none", "public", "all"];
        let limits = networks.map(|network| format!("[functions.\"api/{network}\"]\nnetwork = \"{network}\"\n"));
        let mut project = environment.project("site").file("ship.toml", limits.concat());
        for network in networks {
            project = project.file(&format!("api/{network}.py"), FUNCTION);
        }
        let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
        Self { _host: host, url, witness }
    }

    /// What did not work for a function with this network, and what has arrived.
    fn try_all(&self, network: &str, addresses: &[&str]) -> (Value, BTreeSet<String>) {
        let to: Vec<String> = addresses.iter().map(|address| address.replace('%', "%25")).collect();
        let (port, to) = (self.witness.port(), to.join("&to="));
        let answer = http::get(&format!("{}/api/{network}?port={port}&to={to}", self.url));
        (answer.success().json(), self.witness.heard())
    }
}

/// A function whose network is the machine's gets everything through, so what arrives of the others' would be seen.
#[test]
fn all() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    let (said, heard) = site.try_all("all", &THIS_MACHINE);
    assert_eq!(said, json!({ "ring": "ENOSYS" }));
    assert_eq!(heard.len(), THIS_MACHINE.len() * 11, "{heard:?}");
}

/// Nothing of a function that may reach the internet arrives at this machine, whichever way it is sent and however the address is spelled, and
/// nothing leaves for what is near it.
#[test]
fn public_and_none() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    for network in ["public", "none"] {
        let addresses = [THIS_MACHINE.as_slice(), &SURROUNDINGS].concat();
        let (said, heard) = site.try_all(network, &addresses);
        assert_eq!(heard, BTreeSet::new(), "{network}");
        assert_eq!(said["ring"], "ENOSYS");
        for address in THIS_MACHINE {
            for way in ["connect", "connect without waiting", "fast open connect"] {
                assert_eq!(said[format!("{way} {address}")], "ECONNREFUSED", "{network}: {way} {address}");
            }
            let again = if network == "public" { "EISCONN" } else { "ECONNREFUSED" };
            assert_eq!(said[format!("connect again {address}")], again, "{network}: {address}");
        }
        for address in addresses {
            for way in FAST {
                assert_eq!(said[format!("{way} {address}")], "ENOTSUP", "{network}: {way} {address}");
            }
        }
        for address in SURROUNDINGS {
            let way = said[format!("connect {address}")].as_str().unwrap_or("it is connected").to_owned();
            assert!(["EACCES", "ENETUNREACH", "EADDRNOTAVAIL"].contains(&way.as_str()), "{network}: {address}: {way}");
        }
    }
}

/// What the operator allows is reached, also where the host is an ordinary account.
#[test]
fn allowed() {
    let wrappers: [&[&str]; 2] = [&[], &["unshare", "--map-root-user"]];
    for wrapper in wrappers {
        let environment = TestEnv::new();
        let witness = Witness::open();
        let allowed = format!("127.0.0.1:{}", witness.port());
        let host = TestHost::start_by_with(&environment, wrapper, &["--allow-address", &allowed]);
        let site = Site::deploy_to(host, &environment, witness);
        let (said, mut heard) = site.try_all("public", &["127.0.0.1", "::1"]);
        // Who connects again says nothing the first time.
        heard.remove("");
        let ways = ["connect", "connect again", "connect without waiting", "fast open connect"];
        assert_eq!(heard, ways.map(|way| format!("{way} 127.0.0.1")).into(), "{wrapper:?}: {said}");
        assert_eq!(said["connect ::1"], "ECONNREFUSED", "{wrapper:?}");
    }
}

/// A socket that the host has connected for a function does not listen once it is free again: connections would come from the machine's network, and
/// each would have a port of the machine. Where the host may see to it with the socket there is no port left, and where it may not, `listen` is refused.
#[test]
fn nobody_comes_in() {
    let wrappers: [&[&str]; 2] = [&[], &["unshare", "--map-root-user"]];
    for wrapper in wrappers {
        let environment = TestEnv::new();
        let silent = Silent::open();
        let allowed = silent.address.to_string();
        let host = TestHost::start_by_with(&environment, wrapper, &["--allow-address", &allowed]);
        let site = Site::deploy_to(host, &environment, Witness::open());
        let ask = |network: &str| {
            let url = format!("{}/api/{network}?silent={}", site.url, silent.address.port());
            http::get(&url).success().json()["silent"].clone()
        };
        let comes_in = |said: &serde_json::Value| {
            let port = u16::try_from(said.as_u64()?).expect("a port");
            TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), SILENCE).ok()
        };
        let public = ask("public");
        assert!(public == "EADDRINUSE" || public == "EINVAL", "{wrapper:?}: {public}");
        assert!(comes_in(&ask("all")).is_some(), "{wrapper:?}: the machine's network is its own");
    }
}

/// A port at which connections are begun and not answered.
struct Silent {
    address: SocketAddr,
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    fn open() -> Self {
        let listener = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("there are sockets");
        rustix::net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        rustix::net::listen(&listener, 0).expect("it has a name");
        let address = rustix::net::getsockname(&listener).expect("it has a name");
        let address: SocketAddr = address.try_into().expect("it is one of the internet's");
        // Until its queue is full: what comes then is dropped.
        let waiting = std::iter::from_fn(|| TcpStream::connect_timeout(&address, SILENCE).ok()).collect();
        Self { address, _listener: listener, _waiting: waiting }
    }
}
