//! A way to a host that can be cut: what a broken network, or a host that dies at the wrong moment, looks like.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

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
}

impl ChaosProxy {
    /// A proxy to `target`, `127.0.0.1:PORT`, that lets everything pass.
    #[track_caller]
    pub fn to(target: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (cut, cut_seen) = channel();
        let shared = Arc::new(Shared {
            target: target.parse().expect("the target is an address"),
            passed: AtomicU64::new(0),
            limit: AtomicU64::new(UNLIMITED),
            closing: AtomicBool::new(false),
            cut: Mutex::new(cut),
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

    /// Waits until the cut has happened.
    #[track_caller]
    pub fn wait_for_cut(&self) {
        self.cut_seen.recv_timeout(PATIENCE).expect("the connection is cut in time");
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.shared.limit.store(UNLIMITED, Ordering::SeqCst);
    }

    /// How many bytes went towards the host so far.
    pub fn bytes_passed(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
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

/// Copies both ways until either side closes or the cut comes.
fn relay(client: &TcpStream, shared: &Arc<Shared>) {
    let Ok(host) = TcpStream::connect(shared.target) else { return };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            copy_counted(client, &host, shared);
            let _ = host.shutdown(Shutdown::Write);
        });
        copy(&host, client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = host.shutdown(Shutdown::Both);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut piece = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}

fn copy_counted(mut client: &TcpStream, mut host: &TcpStream, shared: &Shared) {
    let mut piece = [0; 16 * 1024];
    while let Ok(count @ 1..) = client.read(&mut piece) {
        let passed = shared.passed.fetch_add(count as u64, Ordering::SeqCst) + count as u64;
        if passed > shared.limit.load(Ordering::SeqCst) {
            let _ = shared.cut.lock().unwrap_or_else(PoisonError::into_inner).send(());
            let _ = client.shutdown(Shutdown::Both);
            let _ = host.shutdown(Shutdown::Both);
            return;
        }
        if host.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}
