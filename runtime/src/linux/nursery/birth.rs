//! A new process in namespaces of its own.
#![expect(unsafe_code, reason = "the standard library knows no clone3")]

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Uid};
use rustix::thread::UnshareFlags;

use super::init::{self, Ends};
use super::order::{CellNetwork, Isolation, Order};
use super::{Naming, Nursery, Trouble};

/// The user and group as which a function sees itself.
pub(super) const INNER_USER: u32 = 1000;

/// Makes the first process of a cell. It goes on alone; what becomes of it is told over `control`.
pub(super) fn give_birth(
    nursery: &Nursery,
    order: &Order,
    control: &OwnedFd,
    ends: Ends,
    groups: Vec<OwnedFd>,
) -> Result<(), Trouble> {
    let (waits, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).while_trying("make a pipe")?;
    be_owner(order);
    let child = clone_with(namespaces(order));
    if !matches!(child, Ok(None)) {
        be_host().while_trying("be the host's user again")?;
    }
    let Some(child) = child.while_trying("make namespaces")? else {
        drop(go);
        // Whoever holds these would keep the host from seeing the nursery's end, or the nursery the host's.
        super::super::spawn::close(&nursery.orders);
        let may_begin = rustix::io::read(&waits, &mut [0; 1]).is_ok_and(|length| length == 1);
        if may_begin && be_host().is_ok() {
            drop(waits);
            init::live(order, nursery.waiter.as_ref(), control, ends, groups);
        }
        leave(1);
    };
    if order.recipe.isolation == Isolation::Sandbox {
        map_users(child, order.user)?;
    }
    rustix::io::write(&go, b"!").while_trying("let a cell begin")?;
    Ok(())
}

/// Becomes for a moment, where the host may, the user that a cell's function is outside. What the kernel counts for a user (watches of files,
/// signals and messages that wait) it counts for the owner of a namespace as well, who has to have room for it: were that root, one function could
/// use up what there is for all others, and for the machine's own services.
fn be_owner(order: &Order) {
    if order.recipe.isolation == Isolation::Sandbox && rustix::process::geteuid().is_root() {
        // Root of a container may have no such users; then the cell is root's own.
        let _ = rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::from_raw(order.user), Uid::ROOT);
    }
}

/// Becomes who the host is, by whichever number it is known in this process's namespace.
fn be_host() -> rustix::io::Result<()> {
    let user = rustix::process::getuid();
    rustix::thread::set_thread_res_uid(user, user, user)
}

/// The namespaces that a cell gets of its own.
const fn namespaces(order: &Order) -> i32 {
    let network = match order.recipe.network {
        CellNetwork::Own => libc::CLONE_NEWNET,
        CellNetwork::Host => 0,
    };
    match order.recipe.isolation {
        Isolation::Process => 0,
        Isolation::Sandbox => {
            network
                | libc::CLONE_NEWUSER
                | libc::CLONE_NEWNS
                | libc::CLONE_NEWPID
                | libc::CLONE_NEWIPC
                | libc::CLONE_NEWUTS
        }
    }
}

/// Forks: the child's id, or `None` in the child.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    Ok(clone_with(0)?.and_then(|child| Pid::from_raw(child.cast_signed())))
}

/// Hides the control groups above those that this process is in.
pub(super) fn hide_control_groups() -> io::Result<()> {
    // SAFETY: the descriptors stay shared as they are; what changes is how the paths of groups are shown.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWCGROUP) }.map_err(Into::into)
}

/// Ends a process of a cell. What it has of the nursery's memory is none of its own, and is not wound up.
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: the call takes an integer and never returns.
    unsafe { libc::_exit(code) }
}

/// Forks into new namespaces: the child's id, or `None` in the child.
fn clone_with(flags: i32) -> io::Result<Option<u32>> {
    // SAFETY: `clone_args` is plain numbers, for which zero is a value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from(flags.unsigned_abs());
    arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    // SAFETY: without CLONE_VM and a stack this is a fork: the child goes on with a copy of all memory. The nursery has one
    // thread, so no lock is held by a thread that the child does not have.
    let code = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match code {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Some(u32::try_from(child).map_err(io::Error::other)?)),
    }
}

/// Says who the cell's users are outside. With privileges, its functions are a user that owns nothing, and only its first
/// process is who the host is; without, both can only be the host's user. Whoever is root in a container may have no such users.
fn map_users(child: u32, user: u32) -> Result<(), Trouble> {
    let (own_user, own_group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let write = |file: &str, text: String| fs::write(format!("/proc/{child}/{file}"), text);
    let is_mapped = own_user == 0
        && write("uid_map", format!("0 0 1\n{INNER_USER} {user} 1\n")).is_ok()
        && write("gid_map", format!("0 0 1\n{INNER_USER} {user} 1\n")).is_ok();
    if is_mapped {
        return Ok(());
    }
    write("setgroups", "deny".to_owned())
        .and_then(|()| write("uid_map", format!("{INNER_USER} {own_user} 1\n")))
        .and_then(|()| write("gid_map", format!("{INNER_USER} {own_group} 1\n")))
        .while_trying("say who the users of a cell are")
}
