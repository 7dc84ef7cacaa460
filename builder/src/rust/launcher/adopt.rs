//! A program that opens a port gets the host's socket instead.
//!
//! Such a program (one that calls `vercel_runtime::run`, for example) knows nothing of an inherited socket: it asks for a port
//! in a variable and binds it. A proxy beside it would cost a copy of every byte and a port that everybody on the machine can
//! reach. So the C library's `bind` is answered here: the one for that port puts the inherited socket in the place of the
//! program's own, which goes on to listen and accept as if nothing had happened. All other sockets are as ever.

use std::ffi::{c_int, c_long, c_void};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};

/// The port that the program is told. Nobody listens on it.
const PORT: u16 = 3000;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const O_CLOEXEC: c_int = 0o2_000_000;
const F_GETFL: c_int = 3;
const F_SETFL: c_int = 4;
const O_NONBLOCK: c_int = 0o4_000;

#[cfg(target_arch = "x86_64")]
const SYS_BIND: c_long = 49;
#[cfg(target_arch = "x86_64")]
const SYS_ACCEPT4: c_long = 288;
#[cfg(target_arch = "aarch64")]
const SYS_BIND: c_long = 200;
#[cfg(target_arch = "aarch64")]
const SYS_ACCEPT4: c_long = 242;

/// The inherited socket that waits for its `bind`, or -1.
static WAITING: AtomicI32 = AtomicI32::new(-1);
/// The program's socket whose place it has taken, or -1.
static ADOPTED: AtomicI32 = AtomicI32::new(-1);

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn dup3(from: c_int, to: c_int, flags: c_int) -> c_int;
    fn fcntl(descriptor: c_int, command: c_int, ...) -> c_int;
}

/// Tells the program its port. To be called before there are threads.
pub fn adopt() {
    match crate::inherited() {
        Some(descriptor) => {
            WAITING.store(descriptor, Ordering::SeqCst);
            for name in ["PORT", "VERCEL_DEV_PORT"] {
                std::env::set_var(name, PORT.to_string());
            }
        }
        None => {
            if let Some(port) = std::env::var_os("PORT") {
                std::env::set_var("VERCEL_DEV_PORT", port);
            }
        }
    }
}

/// The port of an internet address.
///
/// # Safety
///
/// `address` points to `length` bytes.
unsafe fn port_of(address: *const u8, length: u32) -> Option<u16> {
    if address.is_null() || length < 4 {
        return None;
    }
    let family = u16::from_ne_bytes([*address, *address.add(1)]);
    matches!(family, AF_INET | AF_INET6).then(|| u16::from_be_bytes([*address.add(2), *address.add(3)]))
}

/// The C library's `bind`.
///
/// # Safety
///
/// As the C library's.
#[no_mangle]
pub unsafe extern "C" fn bind(socket: RawFd, address: *const u8, length: u32) -> c_int {
    if port_of(address, length) == Some(PORT) {
        let waiting = WAITING.swap(-1, Ordering::SeqCst);
        if waiting >= 0 {
            let flags = fcntl(socket, F_GETFL);
            if dup3(waiting, socket, O_CLOEXEC) < 0 {
                return -1;
            }
            if flags >= 0 && flags & O_NONBLOCK != 0 {
                fcntl(socket, F_SETFL, flags);
            }
            ADOPTED.store(socket, Ordering::SeqCst);
            return 0;
        }
    }
    syscall(SYS_BIND, socket, address, length) as c_int
}

/// The C library's `accept4`. A peer of the adopted socket gets an address that a program with a port expects.
///
/// # Safety
///
/// As the C library's.
#[no_mangle]
pub unsafe extern "C" fn accept4(socket: RawFd, address: *mut u8, length: *mut u32, flags: c_int) -> c_int {
    let room = if length.is_null() { 0 } else { *length };
    let accepted = syscall(SYS_ACCEPT4, socket, address as *mut c_void, length, flags) as c_int;
    if accepted >= 0 && socket == ADOPTED.load(Ordering::SeqCst) && !address.is_null() && room >= 16 {
        if u16::from_ne_bytes([*address, *address.add(1)]) == AF_UNIX || *length == 0 {
            let [low, high] = AF_INET.to_ne_bytes();
            let peer = [low, high, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
            std::ptr::copy_nonoverlapping(peer.as_ptr(), address, peer.len());
            *length = 16;
        }
    }
    accepted
}
