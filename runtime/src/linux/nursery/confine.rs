//! What a function's process may not do, and how it waits to become the function.
//!
//! Everything here is done before anything of the function's owner runs, and cannot be undone: privileges are given away, paths
//! are closed (Landlock), system calls that no function needs are refused (seccomp).
#![expect(unsafe_code, reason = "descriptors are put at chosen numbers, and the bounding set is emptied")]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use rustix::process::{Gid, Resource, Rlimit, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::birth::{INNER_USER, leave};
use super::filter::Filter;
use super::init::Ends;
use super::order::{CellNetwork, Document, Isolation, Order, Recipe, Report};
use super::waiter::{self, Waiter};
use super::{CONNECTION_FD, Naming, TIME_ZONE, Trouble};
use crate::linux::{message, signals};

/// Where a program that was started ahead reads which function it is.
pub(super) const DOCUMENT_FD: RawFd = 4;

/// Where a process that cannot become its function says so.
const WORDS_FD: RawFd = 5;

/// Where the program lies that waits, if it is the waiter, which inherits no connection.
const WAITER_FD: RawFd = CONNECTION_FD;

/// How many signals may wait for a function. The kernel counts them for an account, and the cells of a host that is not root are all of its account.
const MAX_SIGNALS: u64 = 1024;

/// The newest protections of paths that are known here; what the kernel lacks of them is done without.
const LANDLOCK: ABI = ABI::V6;

/// What can be read and executed, of what is seen in a root folder of the cell's own.
const READABLE: [&str; 12] =
    ["/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/usr", "/var", "/"];

/// The same of the machine's own: programs and libraries, and of `/etc` what a cell has as well. Its `/var` and `/run` hold data of
/// others, and the host's.
const READABLE_OF_MACHINE: [&str; 28] = [
    "/bin",
    "/dev",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sbin",
    "/usr",
];

/// What can be written to as well.
const WRITABLE: [&str; 2] = ["/tmp", "/dev/shm"];

/// The devices that can be written to.
const WRITABLE_DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// What a process that waits holds.
pub(super) struct Waiting<'a> {
    pub(super) ends: Ends,
    pub(super) document: OwnedFd,
    pub(super) words: OwnedFd,
    /// What it is to become until it is known which function it is.
    pub(super) waiter: Option<&'a Waiter>,
}

/// Gives everything away that a function must not have, waits until it is known which one it is, and becomes it.
pub(super) fn wait_confined(order: &Order, waiting: Waiting<'_>) -> ! {
    if let Ok(Settled { words, waiter }) = settle(waiting) {
        let report = match confine(order) {
            Ok(listener) => {
                let listener: Vec<BorrowedFd<'_>> = listener.iter().map(AsFd::as_fd).collect();
                message::send(words.as_fd(), &Report::Ready, &listener).ok().and_then(|()| {
                    drop(listener);
                    become_function(&order.recipe, &words, waiter)
                })
            }
            Err(trouble) => Some(Report::from(trouble)),
        };
        if let Some(report) = report {
            let _ = message::send(words.as_fd(), &report, &[]);
        }
    }
    leave(127)
}

/// What a process that waits goes on holding, where only it knows of it. All that the function gets is at its place.
struct Settled {
    words: OwnedFd,
    waiter: Option<OwnedFd>,
}

/// Puts the descriptors where they are expected and closes all others.
fn settle(Waiting { ends, document, words, waiter }: Waiting<'_>) -> io::Result<Settled> {
    let null = OwnedFd::from(File::open("/dev/null")?);
    let high = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(descriptor, 64);
    // First all of them out of the way, so that none is overwritten before it was copied. The listener comes fourth, at
    // `LISTEN_FD`.
    let ours = [&null, &ends.stdout, &ends.stderr, &ends.listener, &document, &words].map(AsFd::as_fd);
    let last = waiter.map(AsFd::as_fd).or_else(|| ends.connection.as_ref().map(AsFd::as_fd));
    let ours = ours.into_iter().chain(last);
    let sources: Vec<OwnedFd> = ours.map(high).collect::<Result<_, _>>()?;
    for (target, source) in (0..).zip(&sources) {
        // SAFETY: the number is overwritten by what is meant to stand there, and nobody here goes on using what stood there.
        let mut place = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(target) });
        rustix::io::dup2(source, &mut place)?;
    }
    // SAFETY: all that is open above is closed, and the values that held it are forgotten with this process.
    let code = unsafe { libc::syscall(libc::SYS_close_range, sources.len(), libc::c_uint::MAX, 0) };
    std::mem::forget((null, ends, document, words, sources));
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Settled { words: own(WORDS_FD)?, waiter: waiter.map(|_| own(WAITER_FD)).transpose()? })
}

/// A descriptor that was put there above, and that no other program gets.
fn own(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: nobody else holds it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
    Ok(descriptor)
}

/// Gives everything away. The listener of the filter, if it has one.
fn confine(order: &Order) -> Result<Option<OwnedFd>, Trouble> {
    signals::restore_defaults();
    rustix::process::setsid().while_trying("leave the session")?;
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none).while_trying("forbid memory dumps")?;
    let few = rustix::process::getrlimit(Resource::Sigpending).maximum.map_or(MAX_SIGNALS, |own| own.min(MAX_SIGNALS));
    let few = Rlimit { current: Some(few), maximum: Some(few) };
    rustix::process::setrlimit(Resource::Sigpending, few).while_trying("limit signals")?;
    give_away_privileges(order)?;
    // Elsewhere it has to be known first which of the host's folders are the function's.
    if order.recipe.isolation == Isolation::Sandbox {
        close_paths(&order.recipe, &READABLE, &[])?;
    }
    let filter = match order.recipe.network {
        CellNetwork::Own if order.recipe.isolation == Isolation::Sandbox => {
            Filter::AskingForConnections(order.doorkeeper)
        }
        _ => Filter::Plain,
    };
    filter.install(order.recipe.isolation).while_trying("filter system calls")
}

fn give_away_privileges(order: &Order) -> Result<(), Trouble> {
    let naming = "give privileges away";
    // First, because the right to do so goes with the user.
    let last = 63;
    for capability in 0..=last {
        // SAFETY: the call takes integers. Those that the kernel does not know give an error, which changes nothing; without the
        // right to change the set there is nothing in it that a function could get.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    if order.recipe.isolation == Isolation::Sandbox && rustix::process::geteuid().is_root() {
        let (user, group) = (Uid::from_raw(INNER_USER), Gid::from_raw(INNER_USER));
        // Programs open their output anew, by its path: `/dev/stdout`.
        for output in [io::stdout().as_fd(), io::stderr().as_fd()] {
            rustix::fs::fchown(output, Some(user), Some(group)).while_trying(naming)?;
        }
        rustix::thread::set_thread_groups(&[]).while_trying(naming)?;
        rustix::thread::set_thread_res_gid(group, group, group).while_trying(naming)?;
        rustix::thread::set_thread_res_uid(user, user, user).while_trying(naming)?;
    }
    let nothing = CapabilitySet::empty();
    let sets = CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing };
    rustix::thread::set_capabilities(None, sets).while_trying(naming)?;
    rustix::thread::set_no_new_privs(true).while_trying(naming)
}

/// Closes all paths but those that a function may use, as far as the kernel knows how to.
fn close_paths(recipe: &Recipe, readable: &[&str], own: &[PathBuf]) -> Result<(), Trouble> {
    let closed = || -> Result<RulesetStatus, landlock::RulesetError> {
        let reading = AccessFs::from_read(LANDLOCK);
        let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        let readable = readable.iter().map(PathBuf::from).chain(recipe.visible.iter().chain(own).cloned());
        let readable = readable.chain(recipe.prelude.clone()).map(|path| match path.parent() {
            Some(_) => (path, reading),
            // That of the root counts for all that is below.
            None => (path, AccessFs::ReadDir.into()),
        });
        let writable = WRITABLE.iter().map(|path| (path.into(), AccessFs::from_all(LANDLOCK)));
        let devices = WRITABLE_DEVICES.iter().map(|path| (path.into(), device));
        let rules = readable.chain(writable).chain(devices).filter_map(|(path, access)| rule(&path, access));
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(LANDLOCK))?
            .scope(Scope::from_all(LANDLOCK))?
            .create()?
            .add_rules(rules)?;
        Ok(ruleset.restrict_self()?.ruleset)
    };
    closed().map(drop).map_err(io::Error::other).while_trying("close paths")
}

/// The rule for a path, if it is there.
fn rule(path: &Path, access: BitFlags<AccessFs>) -> Option<Result<PathBeneath<PathFd>, landlock::RulesetError>> {
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(LANDLOCK) };
    PathFd::new(path).ok().map(|descriptor| Ok(PathBeneath::new(descriptor, access)))
}

/// Becomes the program that waits for its function, or the function. Returns only what is to be said if that is impossible.
fn become_function(recipe: &Recipe, words: &OwnedFd, waiter: Option<OwnedFd>) -> Option<Report> {
    let error = if let Some(waiter) = waiter {
        // It says itself what goes wrong.
        let told = rustix::io::fcntl_setfd(words, rustix::io::FdFlags::empty());
        told.map_or_else(io::Error::from, |()| waiter::execute(waiter.as_fd()))
    } else if let Some(boot) = &recipe.boot {
        let path = "/usr/local/bin:/usr/bin:/bin";
        let environment = [("PATH", path), ("HOME", "/tmp"), ("TMPDIR", "/tmp"), ("TZ", TIME_ZONE)];
        Program::new(&boot.program).args(&boot.arguments).env_clear().envs(environment).exec()
    } else {
        // Without a document there is no host any more.
        let document = read_document()?;
        if recipe.isolation == Isolation::Process
            && let Err(trouble) = close_paths(recipe, &READABLE_OF_MACHINE, &document.readable)
        {
            return Some(Report::from(trouble));
        }
        if let Err(error) = std::env::set_current_dir(&document.root) {
            error
        } else {
            Program::new(&document.program).args(&document.arguments).env_clear().envs(&document.env).exec()
        }
    };
    Some(Report::NotExecuted { errno: error.raw_os_error().unwrap_or(libc::EIO) })
}

/// Waits for the document that says which function it is.
fn read_document() -> Option<Document> {
    // SAFETY: this descriptor was put there while the process was prepared, and nobody else holds it.
    let mut pipe = unsafe { File::from_raw_fd(DOCUMENT_FD) };
    let mut text = Vec::new();
    pipe.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
