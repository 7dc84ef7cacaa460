//! Connecting sockets of others: what a process asked for, done for it.
#![expect(
    unsafe_code,
    reason = "addresses are handed to the kernel as they came, and options are copied between sockets"
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::io::unix::AsyncFd;

use super::nursery::Doorkeeper;
use super::watch::watch_for_room;

/// The number of a network's cookie among the options of a socket (`SO_NETNS_COOKIE`, since Linux 5.14).
const NETWORK_COOKIE: libc::c_int = 71;

/// The number of the ports that a socket is given one of (`IP_LOCAL_PORT_RANGE`, since Linux 6.3).
pub(crate) const LOCAL_PORTS: libc::c_int = 51;

/// A handle of a place, which reads and writes nothing there.
const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Options that a connection keeps, if they were set before it was made.
const KEPT_OPTIONS: [(libc::c_int, libc::c_int); 4] = [
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
];

/// What an address given to `connect` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Destination {
    /// A place on the internet.
    Internet(SocketAddr),
    /// A local socket with a path.
    Path(Vec<u8>),
    /// Anything else, which leads nowhere outside: local names, nothing at all, the kernel.
    Other(libc::c_int),
}

impl Destination {
    /// Reads an address; `None` if it is too short for what it says it is.
    pub(crate) fn read(address: &[u8]) -> Option<Self> {
        let (family, rest) = address.split_first_chunk::<2>()?;
        let family = libc::c_int::from(u16::from_ne_bytes(*family));
        Some(match family {
            libc::AF_INET => {
                let (port, rest) = rest.split_first_chunk::<2>()?;
                let (ip, _) = rest.split_first_chunk::<4>()?;
                Self::Internet(SocketAddr::new(IpAddr::from(*ip), u16::from_be_bytes(*port)))
            }
            libc::AF_INET6 => {
                let (port, rest) = rest.split_first_chunk::<2>()?;
                let (_flow, rest) = rest.split_first_chunk::<4>()?;
                let (ip, _) = rest.split_first_chunk::<16>()?;
                Self::Internet(SocketAddr::new(IpAddr::from(*ip), u16::from_be_bytes(*port)))
            }
            libc::AF_UNIX if rest.first().is_some_and(|first| *first != 0) => {
                Self::Path(rest.split(|byte| *byte == 0).next()?.to_vec())
            }
            other => Self::Other(other),
        })
    }
}

/// Whether a socket carries streams, as TCP does.
pub(crate) fn is_stream(socket: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_type(socket)? == SocketType::STREAM)
}

/// The family of a socket.
pub(crate) fn family(socket: BorrowedFd<'_>) -> io::Result<AddressFamily> {
    Ok(rustix::net::sockopt::socket_domain(socket)?)
}

/// Whether a socket belongs to the host's network rather than to a cell's.
pub(crate) fn is_of_host(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let own = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(network_cookie(socket)? == network_cookie(rustix::fd::AsFd::as_fd(&own))?)
}

fn network_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    option(socket, libc::SOL_SOCKET, NETWORK_COOKIE)
}

/// A socket of the host's network that is like another one of a cell's, and does not block. It can be connected, and nobody
/// can connect to it.
pub(crate) fn twin(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let twin = rustix::net::socket_with(family(socket)?, SocketType::STREAM, flags, None)?;
    if doorkeeper() == Doorkeeper::Kernel {
        let_nobody_in(&twin)?;
    }
    for (level, name) in KEPT_OPTIONS {
        if let Ok(value) = option::<libc::c_int>(socket, level, name) {
            // An option that cannot be set stays as it is.
            let _ = set(twin.as_fd(), level, name, &value);
        }
    }
    Ok(twin)
}

/// Who keeps visitors from sockets that are given away. Newer kernels (6.18) let only those have a filter who may manage the network.
pub(crate) fn doorkeeper() -> Doorkeeper {
    static DOORKEEPER: OnceLock<Doorkeeper> = OnceLock::new();
    *DOORKEEPER.get_or_init(|| {
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let is_kept = socket.map_err(io::Error::from).and_then(|socket| {
            let_nobody_in(&socket)?;
            leave_no_port(socket.as_fd())
        });
        if is_kept.is_ok() { Doorkeeper::Kernel } else { Doorkeeper::Host }
    })
}

/// Has a socket whose connection was begun find no other port, for good: functions cannot set this. One that listened without a name would
/// take a port of the machine each time, until nobody else had any.
pub(crate) fn leave_no_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    let port = u32::from(taken_port().ok_or(io::ErrorKind::AddrNotAvailable)?);
    set(socket, libc::IPPROTO_IP, LOCAL_PORTS, &(port << 16 | port))
}

/// A port that is taken as long as this process lives, in both families, and at which nobody listens.
fn taken_port() -> Option<u16> {
    static TAKEN: OnceLock<Option<(OwnedFd, u16)>> = OnceLock::new();
    let take = || -> io::Result<(OwnedFd, u16)> {
        let open = |family| rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let both = open(AddressFamily::INET6).and_then(|socket| {
            rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
            rustix::net::bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))?;
            Ok(socket)
        });
        // Where there is no IPv6, there are no ports of it either.
        let socket = both.or_else(|_| {
            let socket = open(AddressFamily::INET)?;
            rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
            Ok::<_, rustix::io::Errno>(socket)
        })?;
        let port = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?.port();
        Ok((socket, port))
    };
    TAKEN.get_or_init(|| take().ok()).as_ref().map(|(_, port)| *port)
}

/// Has a socket drop whatever would begin a connection to it, for good. A process could listen with a socket whose connection has
/// failed, on the host's own addresses.
fn let_nobody_in(socket: &OwnedFd) -> io::Result<()> {
    // The program sees a segment from its head on. Of all that arrives, only the first of a connection from outside neither
    // acknowledges nor resets anything.
    let flags_of_segment = 13;
    let (reset, acknowledges) = (0x04, 0x10);
    let step = |code: u32, jf: u8, k: u32| -> io::Result<libc::sock_filter> {
        Ok(libc::sock_filter { code: u16::try_from(code).map_err(io::Error::other)?, jt: 0, jf, k })
    };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, flags_of_segment)?,
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 1, reset | acknowledges)?,
        step(libc::BPF_RET | libc::BPF_K, 0, u32::MAX)?,
        step(libc::BPF_RET | libc::BPF_K, 0, 0)?,
    ];
    let length = libc::c_ushort::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
    set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_LOCK_FILTER, &1_i32)
}

/// Whether a socket blocks.
pub(crate) fn is_blocking(socket: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(!rustix::fs::fcntl_getfl(socket)?.contains(OFlags::NONBLOCK))
}

/// Has a socket block, or not.
pub(crate) fn set_blocking(socket: BorrowedFd<'_>, mode: Blocking) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(socket, mode == Blocking::No)?)
}

/// Whether calls on a socket wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blocking {
    Yes,
    No,
}

/// Connects a socket to an address as it came.
pub(crate) fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(address.len()).map_err(io::Error::other)?;
    // SAFETY: the address is as long as is said, and the kernel checks what is in it.
    let code = unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives a socket a name as it came.
pub(crate) fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(address.len()).map_err(io::Error::other)?;
    // SAFETY: the address is as long as is said, and the kernel checks what is in it.
    let code = unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), length) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives a local socket a path as a thread sees it, which uses files as `owner`, a user and a group. Only for a thread of the host's on which nobody else
/// uses files meanwhile.
pub(crate) fn bind_to_path(
    socket: BorrowedFd<'_>,
    path: &[u8],
    thread: BorrowedFd<'_>,
    (user, group): (u32, u32),
) -> io::Result<()> {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let above = match &path[..path.len() - name.len()] {
        b"" => b".",
        above => above,
    };
    let folder = open_as_seen(above, thread)?;
    let inside = [format!("/proc/self/fd/{}/", folder.as_raw_fd()).as_bytes(), name].concat();
    let address = rustix::net::SocketAddrUnix::new(inside)?;
    // SAFETY: these change how the files that this thread makes are made, and nothing else.
    let before = unsafe { (libc::setfsgid(group), libc::setfsuid(user)) };
    let bound = rustix::net::bind(socket, &address);
    // SAFETY: the same.
    unsafe { (libc::setfsuid(before.1.cast_unsigned()), libc::setfsgid(before.0.cast_unsigned())) };
    Ok(bound?)
}

/// Connects a socket to a path as a thread sees it. `thread` is its folder of the kernel's, in which nothing is found once it has ended.
pub(crate) fn connect_to_path(socket: BorrowedFd<'_>, path: &[u8], thread: BorrowedFd<'_>) -> io::Result<()> {
    let file = match own_descriptor(path) {
        // The kernel would show this process's own, and only by a link of the kind that is not followed elsewhere.
        Some(number) => rustix::fs::openat(thread, format!("fd/{number}"), PLACE, Mode::empty())?,
        None => open_as_seen(path, thread)?,
    };
    let leads_there = rustix::net::SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(rustix::net::connect(socket, &leads_there)?)
}

/// The place that a path leads to for a thread, which is never outside of its cell.
fn open_as_seen(path: &[u8], thread: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let (start, below) = match path.strip_prefix(b"/") {
        Some(below) => ("root", below),
        None => ("cwd", path),
    };
    let below = if below.is_empty() { b"." } else { below };
    let base = rustix::fs::openat(thread, start, PLACE | OFlags::DIRECTORY, Mode::empty())?;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(&base, below, PLACE, Mode::empty(), inside)?)
}

/// The folder in which the kernel tells of a thread. It stays that of this very thread: when the number goes to another one, this leads
/// nowhere.
pub(crate) fn folder_of_thread(thread: u32) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, format!("/proc/{thread}"), PLACE | OFlags::DIRECTORY, Mode::empty())?)
}

/// The number in `/proc/self/fd/N`, by which programs reach a socket whose path is too long, or gone.
fn own_descriptor(path: &[u8]) -> Option<u32> {
    std::str::from_utf8(path.strip_prefix(b"/proc/self/fd/")?).ok()?.parse().ok()
}

/// Waits until a connection that was begun is there, or has failed.
pub(crate) async fn connected(socket: BorrowedFd<'_>) -> io::Result<()> {
    let watched: AsyncFd<OwnedFd> = watch_for_room(socket.try_clone_to_owned()?)?;
    watched.writable().await?.retain_ready();
    match rustix::net::sockopt::socket_error(socket)? {
        Ok(()) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn option<T: Default>(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the value is a plain number of the length that is given, and outlives the call.
    let code = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length) };
    if code == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

fn set<T>(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the value is of the kind that the option takes, has the length that is given, and outlives the call, as what it
    // points to does.
    let code = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A twin can connect and exchange; when it listens, nobody gets in.
    #[test]
    fn one_way() {
        use std::io::{Read as _, Write as _};
        use std::time::Duration;

        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let of_server = server.local_addr().unwrap();
        let model = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::from(twin(model.as_fd()).unwrap());
        let address = rustix::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, of_server.port());
        let _ = rustix::net::connect(&stream, &address);
        stream.set_nonblocking(false).unwrap();
        let (mut other, _) = server.accept().unwrap();
        (&stream).write_all(b"hello").unwrap();
        other.read_exact(&mut [0; 5]).unwrap();

        let listening = twin(model.as_fd()).unwrap();
        rustix::net::bind(&listening, &rustix::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        rustix::net::listen(&listening, 1).unwrap();
        let listening = std::net::TcpListener::from(listening);
        let visitor =
            std::net::TcpStream::connect_timeout(&listening.local_addr().unwrap(), Duration::from_millis(200));
        assert_eq!(visitor.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// What is found by a thread's folder is that thread's: once it has ended nothing is, whoever has its number then.
    #[test]
    fn ended() {
        use std::os::unix::net::{UnixListener, UnixStream};

        let folder = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(folder.path().join("a.sock")).unwrap();
        let mut asking = std::process::Command::new("sleep").arg("60").current_dir(folder.path()).spawn().unwrap();
        let thread = folder_of_thread(asking.id()).unwrap();
        let connect = || {
            let flags = SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
            connect_to_path(socket.as_fd(), b"a.sock", thread.as_fd()).map(|()| UnixStream::from(socket))
        };
        assert!(connect().is_ok());
        asking.kill().unwrap();
        asking.wait().unwrap();
        assert!(connect().is_err());
    }

    /// Only the form that names a descriptor of the process itself does.
    #[test]
    fn own_descriptors() {
        let found =
            ["/proc/self/fd/12", "/proc/self/fd/", "/proc/self/fd/1/x", "/proc/1/fd/12", "/proc/self/fd/-1", "/tmp/12"]
                .map(|path| own_descriptor(path.as_bytes()));
        assert_eq!(found, [Some(12), None, None, None, None, None]);
    }

    /// Addresses as the kernel takes them; what is too short says nothing.
    #[test]
    fn destinations() {
        let bytes = |family: libc::c_int, rest: &[u8]| {
            let family = u16::try_from(family).unwrap().to_ne_bytes();
            [family.as_slice(), rest].concat()
        };
        let four = bytes(libc::AF_INET, &[0, 80, 1, 2, 3, 4, 0, 0]);
        assert_eq!(Destination::read(&four), Some(Destination::Internet("1.2.3.4:80".parse().unwrap())));
        let six = bytes(libc::AF_INET6, &[&[1, 187, 0, 0, 0, 0][..], &[0; 15], &[1]].concat());
        assert_eq!(Destination::read(&six), Some(Destination::Internet("[::1]:443".parse().unwrap())));
        let path = bytes(libc::AF_UNIX, b"/tmp/x.sock\0rest");
        assert_eq!(Destination::read(&path), Some(Destination::Path(b"/tmp/x.sock".to_vec())));
        assert_eq!(Destination::read(&bytes(libc::AF_UNIX, b"\0name")), Some(Destination::Other(libc::AF_UNIX)));
        for short in [&four[..1], &four[..7], &six[..20], &[]] {
            assert_eq!(Destination::read(short), None);
        }
    }
}
