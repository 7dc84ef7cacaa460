//! A network with nothing in it but the process itself.
#![expect(unsafe_code, reason = "interfaces are set up by ioctl, which no library here wraps")]

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

/// An address that belongs to nobody (RFC 5737). A machine without any address but its own loopback is told by its C library that
/// no name has an address.
const NOBODYS_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Lets the process reach itself.
pub(super) fn bring_up() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    set_flags(&socket, *b"lo\0")?;
    set_address(&socket, *b"lo:ship\0", NOBODYS_ADDRESS)
}

fn set_flags(socket: &UdpSocket, name: [u8; 3]) -> io::Result<()> {
    let mut request = request(&name);
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
    ask(socket, libc::SIOCSIFFLAGS, &request)
}

fn set_address(socket: &UdpSocket, name: [u8; 8], address: Ipv4Addr) -> io::Result<()> {
    let mut request = request(&name);
    // SAFETY: a socket address is plain numbers, for which zero is a value; an IPv4 address has the size of a general one.
    request.ifr_ifru.ifru_addr = unsafe {
        let mut internet: libc::sockaddr_in = std::mem::zeroed();
        internet.sin_family = libc::sa_family_t::try_from(libc::AF_INET).map_err(io::Error::other)?;
        internet.sin_addr.s_addr = u32::from_ne_bytes(address.octets());
        std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(internet)
    };
    ask(socket, libc::SIOCSIFADDR, &request)
}

fn request(name: &[u8]) -> libc::ifreq {
    // SAFETY: a request is plain numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name) {
        *place = libc::c_char::from_ne_bytes([*byte]);
    }
    request
}

fn ask(socket: &UdpSocket, what: libc::Ioctl, request: &libc::ifreq) -> io::Result<()> {
    // SAFETY: the request outlives the call, which reads it.
    let code = unsafe { libc::ioctl(socket.as_raw_fd(), what, std::ptr::from_ref(request)) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
