//! Listening sockets that functions inherit, and connections to them.
//!
//! A socket's address is at most 108 bytes long and data folders may be deeper, so addresses go through `/proc/self/fd`.
//! The name in the folder lives only between the binding and the opening of a handle: what stays is a handle that leads to
//! the socket, and no file that a killed host could leave behind or that somebody else could connect to.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::rights::{self, Rights};
use super::stream::FunctionSocket;

/// How many connections may wait until the function accepts them; the kernel lowers it to `net.core.somaxconn`. An instance
/// gets at most as many requests as its concurrency, so this is for the largest concurrency that makes sense.
const BACKLOG: i32 = 4096;

/// The way to a function's listening socket.
#[derive(Debug)]
pub(crate) struct SocketAddress {
    /// Leads to the socket's file, which has no name any more.
    handle: OwnedFd,
    /// A connection that was made ahead, of which the function has the other end.
    ahead: Mutex<Option<(OwnedFd, Rights)>>,
}

/// Makes a listening socket in `folder` under the passing name `name`.
pub(crate) fn listen(folder: &OwnedFd, name: &str) -> io::Result<(OwnedFd, SocketAddress)> {
    let socket = stream_socket(SocketFlags::CLOEXEC)?;
    let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let handle = rustix::fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok((socket, SocketAddress { handle: handle?, ahead: Mutex::default() }))
}

impl SocketAddress {
    /// Connects. A local connection is there at once or is refused, so nothing is awaited.
    pub(crate) fn connect(&self) -> io::Result<FunctionSocket> {
        if let Some((socket, descriptors)) = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return FunctionSocket::new(socket, descriptors);
        }
        let socket = stream_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        // Before it is connected: from then on the function may send.
        let descriptors = rights::refuse(&socket);
        self.reach(&socket)?;
        FunctionSocket::new(socket, descriptors)
    }

    /// Makes the first connection before the function listens: gives the function's end of it.
    pub(crate) fn connect_ahead(&mut self) -> io::Result<OwnedFd> {
        let (own, of_function) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&own, true)?;
        let descriptors = rights::refuse(&own);
        *self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner) = Some((own, descriptors));
        Ok(of_function)
    }

    /// Closes the connection that was made ahead, if there is one.
    pub(crate) fn forget_connection(&mut self) {
        self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner).take();
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

    /// The first connection may be there before anybody listens; the others wait to be accepted, and so does the first once that is forgotten.
    #[tokio::test]
    async fn first_ahead() {
        let root = tempfile::tempdir().unwrap();
        let (listener, mut address) = listen(&folder(root.path()), "one").unwrap();
        let listener = std::os::unix::net::UnixListener::from(listener);
        let hear = async |client: &FunctionSocket, mut server: &std::os::unix::net::UnixStream| {
            io::Write::write_all(&mut server, b"hello").unwrap();
            let mut buffer = [0; 8];
            std::future::poll_fn(|cx| client.poll_read(cx, &mut buffer)).await.unwrap()
        };
        let ahead = std::os::unix::net::UnixStream::from(address.connect_ahead().unwrap());
        assert_eq!(hear(&address.connect().unwrap(), &ahead).await, 5);
        let second = address.connect().unwrap();
        assert_eq!(hear(&second, &listener.accept().unwrap().0).await, 5);
        drop(address.connect_ahead().unwrap());
        address.forget_connection();
        let third = address.connect().unwrap();
        assert_eq!(hear(&third, &listener.accept().unwrap().0).await, 5);
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
