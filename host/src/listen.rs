//! Listening: exactly where it was asked, or at the next free port, and who is in the way.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use tokio::net::{TcpListener, TcpSocket};

use crate::error::HostError;
use crate::options::PortChoice;

/// How many visitors the kernel lets wait for a moment in which the host is busy. It takes no more than `net.core.somaxconn`, 4096 where
/// nobody has changed it; whoever finds the queue full tries again after a second.
const BACKLOG: u32 = 16 * 1024;

/// How much waits in the kernel that comes in datagrams for all visitors, in bytes, and as much that goes. Linux gives no more than
/// `net.core.rmem_max`, 208 KiB where nobody has changed it.
const DATAGRAM_BUFFER: usize = 4 * 1024 * 1024;

/// How many ports are tried before giving up.
const PORTS_TRIED: u16 = 50;

/// Listens at `address`, named by `flag` on the command line.
pub(crate) async fn listen(
    address: SocketAddr,
    flag: &'static str,
    ports: PortChoice,
) -> Result<TcpListener, HostError> {
    let mut next = address;
    for _ in 0..PORTS_TRIED {
        match bind(next) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(source) => return Err(HostError::Listen { address: next, source }),
        }
        let following = next.port().checked_add(2).filter(|_| ports == PortChoice::NextFree);
        let Some(port) = following else { break };
        next.set_port(port);
    }
    Err(HostError::PortTaken { address, flag, holder: holder_of(address) })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A host that starts again need not wait until the last connections of the one before are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket for datagrams at `address`.
pub(crate) fn bind_datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // As much as the system lets it have; with less, more is lost of what comes at once, and is sent again.
    for sized in
        [set_socket_recv_buffer_size(&socket, DATAGRAM_BUFFER), set_socket_send_buffer_size(&socket, DATAGRAM_BUFFER)]
    {
        if let Err(error) = sized {
            tracing::debug!(%error, "a socket has the buffer that it has");
        }
    }
    Ok(socket)
}

/// The program that listens at the port of an address, as `name (pid 123)`, if this user may know.
#[cfg(target_os = "linux")]
pub fn holder_of(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| listening_inode(table, address.port()))?;
    let link = format!("socket:[{inode}]");
    let processes = fs_err::read_dir("/proc").ok()?.filter_map(Result::ok);
    for process in
        processes.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
    {
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = |descriptor: std::fs::DirEntry| {
            std::fs::read_link(descriptor.path()).is_ok_and(|path| path.as_os_str() == link.as_str())
        };
        if descriptors.filter_map(Result::ok).any(holds) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {})", name.trim(), process.file_name().to_string_lossy()));
        }
    }
    None
}

/// The inode of the socket that listens at `port`, from the kernel's table (`proc_net_tcp(5)`).
#[cfg(target_os = "linux")]
fn listening_inode(table: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let text = std::fs::read_to_string(table).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local_port = fields.get(1)?.rsplit(':').next()?;
        let matches = u16::from_str_radix(local_port, 16) == Ok(port) && *fields.get(3)? == LISTEN;
        matches.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}

/// The program that listens at the port of an address: elsewhere nobody says.
#[cfg(not(target_os = "linux"))]
pub fn holder_of(_: SocketAddr) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A taken port is named with its holder when it was asked for, and passed over when it was not.
    #[tokio::test]
    async fn taken_ports() {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address, "--listen", PortChoice::Exact).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("{address} is taken by ")), "{text}");
        assert!(text.ends_with(&format!("(pid {})", std::process::id())), "{text}");
        if let Ok(next) = listen(address, "--listen", PortChoice::NextFree).await {
            assert_ne!(next.local_addr().unwrap().port(), address.port());
        }
    }
}
