//! How signals are handled, where a process is one of ours and has no async runtime.
#![expect(unsafe_code, reason = "the standard library sets no signal dispositions")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

/// Those with which a host is told to end or to be replaced.
const OF_HOSTS: [libc::c_int; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];

/// Keeps SIGHUP, SIGINT and SIGTERM waiting for this thread and for whatever program it becomes, until [`take_signals`]. To be called
/// where no other thread is left: that one would get them.
pub fn hold_signals() {
    mask(libc::SIG_BLOCK);
}

/// Has those come that were kept waiting.
pub fn take_signals() {
    mask(libc::SIG_UNBLOCK);
}

fn mask(how: libc::c_int) {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is initialised by the first call before it is used, and with these arguments none of them fails.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in OF_HOSTS {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(how, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Children that end are collected by the kernel.
pub(super) fn ignore_children() {
    // SAFETY: an ignored signal runs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// A descriptor that is readable when a child has ended. The signal itself is held back.
pub(super) fn child_events() -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is initialised by the first call before it is used, and the descriptor is a new one of ours.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        let descriptor = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if descriptor < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(descriptor)) }
    }
}

/// Every signal handled as by default, and none held back: what a program expects that is about to be executed.
pub(super) fn restore_defaults() {
    let last = 64;
    let mut none = MaybeUninit::uninit();
    // SAFETY: default handling runs no code of ours; the set is initialised before it is used. The two signals that cannot
    // be handled give errors, which change nothing.
    unsafe {
        for signal in 1..=last {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}
