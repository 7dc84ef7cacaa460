//! Listening sockets that functions inherit, and connections to them.
//!
//! A socket's address is at most 108 bytes long and data folders may be deeper, so addresses go through `/proc/self/fd`.
//! The name in the folder lives only between the binding and the opening of a handle: what stays is a handle that leads to
//! the socket, and no file that a killed host could leave behind or that somebody else could connect to.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::rights;
use super::stream::FunctionSocket;

/// How many connections may wait until the function accepts them; the kernel lowers it to `net.core.somaxconn`. An instance
/// gets at most as many requests as its concurrency, so this is for the largest concurrency that makes sense.
const BACKLOG: i32 = 4096;

/// The way to a function's listening socket.
#[derive(Debug)]
pub(crate) struct SocketAddress {
    /// Leads to the socket's file, which has no name any more.
    handle: OwnedFd,
}

/// Makes a listening socket in `folder` under the passing name `name`.
pub(crate) fn listen(folder: &OwnedFd, name: &str) -> io::Result<(OwnedFd, SocketAddress)> {
    let socket = stream_socket(SocketFlags::CLOEXEC)?;
    let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let handle = rustix::fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok((socket, SocketAddress { handle: handle? }))
}

impl SocketAddress {
    /// Connects. A local connection is there at once or is refused, so nothing is awaited.
    pub(crate) fn connect(&self) -> io::Result<FunctionSocket> {
        let socket = stream_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        // Before it is connected: from then on the function may send.
        let descriptors = rights::refuse(&socket);
        self.reach(&socket)?;
        FunctionSocket::new(socket, descriptors)
    }

    /// The same, for what is no request: a socket that does not block, on which descriptors may be sent.
    pub(crate) fn dial(&self) -> io::Result<OwnedFd> {
        let socket = stream_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        self.reach(&socket)?;
        Ok(socket)
    }

    fn reach(&self, socket: &OwnedFd) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", self.handle.as_raw_fd());
        Ok(rustix::net::connect(socket, &SocketAddrUnix::new(path)?)?)
    }
}

fn stream_socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(path: &std::path::Path) -> OwnedFd {
        fs::File::open(path).unwrap().into()
    }

    /// A folder whose path is far longer than an address takes a socket, leaves no file, and the socket is connected to
    /// before anybody accepts.
    #[tokio::test]
    async fn deep_folder() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(100)).join("e".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        let (listener, address) = listen(&folder(&deep), "one").unwrap();
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
        let client = address.connect().unwrap();
        let (server, _) = std::os::unix::net::UnixListener::from(listener).accept().unwrap();
        io::Write::write_all(&mut &server, b"hello").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(std::future::poll_fn(|cx| client.poll_read(cx, &mut buffer)).await.unwrap(), 5);
    }

    /// Once the last holder of the listening socket is gone, a connection is refused.
    #[tokio::test]
    async fn refused_after_close() {
        let root = tempfile::tempdir().unwrap();
        let (listener, address) = listen(&folder(root.path()), "one").unwrap();
        drop(listener);
        assert_eq!(address.connect().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
