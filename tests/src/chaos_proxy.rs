//! A way to a host that can be cut, stand still, be slow or lose an answer: what a broken network, or a host that dies at the wrong moment, looks
//! like.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

use crate::PATIENCE;

/// How many bytes go towards the host before every connection is cut, when nothing else is said.
const UNLIMITED: u64 = u64::MAX;

/// A TCP proxy to one address. Once [`ChaosProxy::cut_after`] bytes went towards it, it calls the story, and then breaks
/// every connection until it is mended.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    cut_seen: Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    passed: AtomicU64,
    limit: AtomicU64,
    closing: AtomicBool,
    cut: Mutex<Sender<()>>,
    trouble: Mutex<Trouble>,
    /// How many bytes a second go towards the host, over all connections.
    bytes_per_sec: AtomicU64,
    /// Where connections that stand still wait.
    standstill: (Mutex<bool>, Condvar),
}

/// What happens to one connection, once.
#[derive(Debug, Default)]
enum Trouble {
    #[default]
    None,
    /// It is cut when so many bytes went towards the host in all.
    Cut { at: u64 },
    /// It stands still from there on, open at both ends.
    StandStill { at: u64 },
    /// Each connection is cut after so many bytes of its own, time and again.
    EachCut { after: u64 },
    /// The answer to a request that begins like this is lost, with the connection.
    LoseAnswer { request: String },
}

impl ChaosProxy {
    /// A proxy to `target`, `127.0.0.1:PORT`, that lets everything pass.
    #[track_caller]
    pub fn to(target: &str) -> Self {
        ClosedPort::new().open_to(target)
    }

    fn listening(listener: TcpListener, target: &str) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let (cut, cut_seen) = channel();
        let shared = Arc::new(Shared {
            target: target.parse().expect("the target is an address"),
            passed: AtomicU64::new(0),
            limit: AtomicU64::new(UNLIMITED),
            closing: AtomicBool::new(false),
            cut: Mutex::new(cut),
            trouble: Mutex::default(),
            bytes_per_sec: AtomicU64::new(UNLIMITED),
            standstill: (Mutex::new(false), Condvar::new()),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, acceptor: Some(acceptor), cut_seen }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection once `bytes` more went towards the host.
    pub fn cut_after(&self, bytes: u64) {
        let passed = self.shared.passed.load(Ordering::SeqCst);
        self.shared.limit.store(passed.saturating_add(bytes), Ordering::SeqCst);
    }

    /// Cuts the connection that is at work once `bytes` more went towards the host, and no other.
    pub fn cut_one_after(&self, bytes: u64) {
        self.shared.plan(Trouble::Cut { at: self.bytes_passed() + bytes });
    }

    /// Cuts every connection after so many bytes of its own.
    pub fn cut_each_after(&self, bytes: u64) {
        self.shared.plan(Trouble::EachCut { after: bytes });
    }

    /// Has the connection that is at work stand still once `bytes` more went towards the host, and no other.
    pub fn stand_still_after(&self, bytes: u64) {
        self.shared.plan(Trouble::StandStill { at: self.bytes_passed() + bytes });
    }

    /// Loses the answer to the next request that begins like this: `POST /v1/blobs?`.
    pub fn lose_answer_to(&self, request: &str) {
        self.shared.plan(Trouble::LoseAnswer { request: request.to_owned() });
    }

    /// Lets so many bytes a second pass towards the host.
    pub fn slow_down(&self, bytes_per_sec: u64) {
        self.shared.bytes_per_sec.store(bytes_per_sec, Ordering::SeqCst);
    }

    /// Waits until the cut, the standstill or the loss has happened.
    #[track_caller]
    pub fn wait_for_cut(&self) {
        self.cut_seen.recv_timeout(PATIENCE).expect("the connection is cut in time");
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.shared.limit.store(UNLIMITED, Ordering::SeqCst);
        self.shared.bytes_per_sec.store(UNLIMITED, Ordering::SeqCst);
        self.shared.plan(Trouble::None);
    }

    /// How many bytes went towards the host so far.
    pub fn bytes_passed(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }
}

/// A port that nobody else is given, and at which connections are refused: where a host will be that is just being started.
#[derive(Debug)]
pub struct ClosedPort(OwnedFd);

impl ClosedPort {
    /// Any such port.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "each is another port")]
    pub fn new() -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("there are sockets");
        rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        Self(socket)
    }

    /// Its address as a URL.
    #[track_caller]
    pub fn url(&self) -> String {
        let address = rustix::net::getsockname(&self.0).expect("a bound socket has an address");
        format!("http://{}", SocketAddr::try_from(address).expect("it is one of the internet's"))
    }

    /// The way to `target`, `127.0.0.1:PORT`, that is there from now on.
    #[track_caller]
    pub fn open_to(self, target: &str) -> ChaosProxy {
        rustix::net::listen(&self.0, 128).expect("it is bound");
        ChaosProxy::listening(self.0.into(), target)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let (over, changed) = &self.shared.standstill;
        *over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        // Wakes the acceptor, which then sees that it shall end.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut relays = Vec::new();
    while let Ok((client, _)) = listener.accept() {
        if shared.closing.load(Ordering::SeqCst) {
            break;
        }
        let shared = Arc::clone(shared);
        relays.push(std::thread::spawn(move || relay(&client, &shared)));
    }
    for relay in relays {
        let _ = relay.join();
    }
}

impl Shared {
    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self, trouble: Trouble) {
        *self.trouble() = trouble;
    }

    fn tell_story(&self) {
        let _ = self.cut.lock().unwrap_or_else(PoisonError::into_inner).send(());
    }

    fn wait_for_the_end(&self) {
        let (over, changed) = &self.standstill;
        let over = over.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(over, |over| !*over));
    }

    /// What befalls a connection that has brought `own` bytes, the last of them `piece`, `passed` with those of all others.
    fn befalls(&self, own: u64, passed: u64, piece: &[u8]) -> Fate {
        let mut trouble = self.trouble();
        let fate = match &*trouble {
            Trouble::Cut { at } if passed > *at => Fate::Cut,
            Trouble::StandStill { at } if passed > *at => Fate::StandStill,
            Trouble::EachCut { after } => return if own > *after { Fate::Cut } else { Fate::None },
            Trouble::LoseAnswer { request } if piece.starts_with(request.as_bytes()) => Fate::LoseAnswer,
            _ => return if passed > self.limit.load(Ordering::SeqCst) { Fate::Cut } else { Fate::None },
        };
        *trouble = Trouble::None;
        fate
    }

    /// Waits as long as a slow link takes for so many bytes.
    fn take_time(&self, bytes: usize) {
        let rate = self.bytes_per_sec.load(Ordering::SeqCst);
        if rate != UNLIMITED {
            std::thread::sleep(Duration::from_micros(bytes as u64 * 1_000_000 / rate));
        }
    }
}

/// What befalls a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    None,
    Cut,
    StandStill,
    LoseAnswer,
}

/// Copies both ways until either side closes or trouble comes.
fn relay(client: &TcpStream, shared: &Shared) {
    let Ok(host) = TcpStream::connect(shared.target) else { return };
    let is_answer_lost = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            copy_counted(client, &host, shared, &is_answer_lost);
            let _ = host.shutdown(Shutdown::Write);
        });
        copy(&host, client, &is_answer_lost);
        if is_answer_lost.load(Ordering::SeqCst) {
            shared.tell_story();
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = host.shutdown(Shutdown::Both);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, is_lost: &AtomicBool) {
    let mut piece = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if is_lost.load(Ordering::SeqCst) || to.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}

fn copy_counted(mut client: &TcpStream, mut host: &TcpStream, shared: &Shared, is_answer_lost: &AtomicBool) {
    let mut piece = [0; 16 * 1024];
    let mut own = 0;
    while let Ok(count @ 1..) = client.read(&mut piece) {
        own += count as u64;
        let passed = shared.passed.fetch_add(count as u64, Ordering::SeqCst) + count as u64;
        match shared.befalls(own, passed, &piece[..count]) {
            Fate::None => {}
            Fate::LoseAnswer => is_answer_lost.store(true, Ordering::SeqCst),
            Fate::Cut => {
                shared.tell_story();
                let _ = client.shutdown(Shutdown::Both);
                let _ = host.shutdown(Shutdown::Both);
                return;
            }
            Fate::StandStill => {
                shared.tell_story();
                return shared.wait_for_the_end();
            }
        }
        shared.take_time(count);
        if host.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}
