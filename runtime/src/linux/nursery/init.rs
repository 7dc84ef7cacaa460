//! The first process of a cell: makes it, starts what waits in it, and collects what ends in it.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus};

use super::birth::{fork, hide_control_groups};
use super::confine::{self, Waiting};
use super::order::{Assignment, CellNetwork, Command, Document, Isolation, Order, Report};
use super::waiter::{self, Waiter};
use super::world::World;
use super::{Naming, Trouble, network};
use crate::linux::{message, signals};

/// Where a function's own process finds its connections and leaves what it prints.
pub(super) struct Ends {
    pub(super) listener: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// Its first connection, if it does not accept that one like others.
    pub(super) connection: Option<OwnedFd>,
}

/// How much sooner than others the processes of a cell are ended when the machine has no memory left, of 1,000.
const OOM_SCORE: &str = "500";

/// How many watchers of files a cell may have (`inotify_init`). A program needs one; the kernel gives an account 128, and the cells of a host that
/// is not root are all of its account.
const MAX_WATCHERS: &str = "16";

/// The port of the domain name system.
const NAMES_PORT: u16 = 53;

/// Makes the cell and stays in it until it ends.
pub(super) fn live(order: &Order, waiter: Option<&Waiter>, control: &OwnedFd, ends: Ends, groups: Vec<OwnedFd>) {
    let _ = rustix::thread::set_name(c"ship-cell");
    // Where the machine's memory is used up, the kernel is to end a function before the host or anything else.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    if order.recipe.isolation == Isolation::Sandbox {
        // This is about the namespace of who writes; some machines let nobody.
        let _ = std::fs::write("/proc/sys/user/max_inotify_instances", MAX_WATCHERS);
    }
    // Elsewhere paths are closed when the function is known, and what runs already reads for itself which one it is.
    let waiter = waiter.filter(|_| order.recipe.isolation == Isolation::Sandbox && order.recipe.boot.is_none());
    match enter(groups, order.recipe.isolation).and_then(|()| Cell::make(order, waiter, control, ends)) {
        Ok(cell) => cell.stay(),
        Err(trouble) => {
            let _ = message::send(control.as_fd(), &Report::from(trouble), &[]);
        }
    }
}

/// Enters control groups, of which nothing above can be seen from then on. The kernel takes up to 20 ms for the first of them, in
/// which the nursery makes other cells.
fn enter(groups: Vec<OwnedFd>, isolation: Isolation) -> Result<(), Trouble> {
    for group in groups {
        // Nobody else is meant by 0.
        rustix::io::write(group, b"0").while_trying("enter a control group")?;
    }
    if isolation == Isolation::Sandbox {
        hide_control_groups().while_trying("hide control groups")?;
    }
    Ok(())
}

/// When the program of a cell starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Starts {
    /// Before it is known which function it is. It hears that from whoever knows it first, and that all is at its place from the
    /// cell: an empty line.
    Ahead,
    /// When it is known.
    WhenTold,
}

/// A cell, as its first process knows it.
struct Cell<'a> {
    control: BorrowedFd<'a>,
    world: Option<World>,
    /// The function's process, or what will become it.
    function: Pid,
    /// Where that process reads which function it is, until it was told.
    document: Option<File>,
    /// Whether an interpreter runs already, and goes on in two steps.
    starts: Starts,
    /// What that process is, if it is one.
    waiter: Option<&'a Waiter>,
    /// What it says if it cannot become the function.
    words: OwnedFd,
    /// Readable when a child has ended.
    ended: OwnedFd,
    /// The cache of code that the function is to fill, if it is.
    cache: Option<OwnedFd>,
}

impl<'a> Cell<'a> {
    fn make(order: &Order, waiter: Option<&'a Waiter>, control: &'a OwnedFd, ends: Ends) -> Result<Self, Trouble> {
        let ended = signals::child_events().while_trying("watch for processes that end")?;
        let world = match order.recipe.isolation {
            Isolation::Sandbox => Some(World::build(&order.recipe)?),
            Isolation::Process => {
                rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
                    .while_trying("own what functions start")?;
                None
            }
        };
        let names = match order.recipe.network {
            CellNetwork::Own if world.is_some() => {
                network::bring_up().and_then(|()| name_sockets()).while_trying("make a network")?
            }
            _ => Vec::new(),
        };
        let (reader, document) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).while_trying("make a pipe")?;
        let (words, child_words) = message::pair().while_trying("make a pair of sockets")?;
        let Some(function) = fork().while_trying("make a process")? else {
            drop((document, words));
            confine::wait_confined(order, Waiting { ends, document: reader, words: child_words, waiter });
        };
        drop((reader, child_words, ends));
        let filter = first_word(&words)?;
        let own = handle(rustix::process::getpid())?;
        let starts = if order.recipe.boot.is_some() { Starts::Ahead } else { Starts::WhenTold };
        let told_by_host = (starts == Starts::Ahead).then_some(document.as_fd());
        let handles = [own, handle(function)?];
        let rest: Vec<OwnedFd> = filter.into_iter().chain(names).collect();
        let borrowed = handles.iter().map(AsFd::as_fd).chain(told_by_host).chain(rest.iter().map(AsFd::as_fd));
        let borrowed: Vec<BorrowedFd<'_>> = borrowed.collect();
        message::send(control.as_fd(), &Report::Ready, &borrowed).while_trying("say that a cell is ready")?;
        Ok(Self {
            control: control.as_fd(),
            world,
            function,
            document: Some(document.into()),
            starts,
            waiter,
            words,
            ended,
            cache: None,
        })
    }

    /// Does what the host says, until the function or the host is gone.
    fn stay(mut self) {
        loop {
            let mut watched = [
                PollFd::from_borrowed_fd(self.control, PollFlags::IN),
                PollFd::from_borrowed_fd(self.ended.as_fd(), PollFlags::IN),
            ];
            if rustix::event::poll(&mut watched, None).is_err() {
                continue;
            }
            let (is_told, is_ended) = (!watched[0].revents().is_empty(), !watched[1].revents().is_empty());
            if is_ended && let Some(report) = self.collect() {
                let cache: Vec<BorrowedFd<'_>> = self.cache.iter().map(AsFd::as_fd).collect();
                let _ = message::send(self.control, &report, &cache);
                return self.end();
            }
            if is_told && !self.hear() {
                return self.end();
            }
        }
    }

    /// Does what the host says. False when there is nothing to stay for.
    fn hear(&mut self) -> bool {
        match message::receive::<Command>(self.control) {
            Ok(Some((Command::Run(assignment, document), _))) => match self.run(&assignment, document.as_deref()) {
                Ok(()) => true,
                Err(trouble) => {
                    let _ = message::send(self.control, &Report::from(trouble), &[]);
                    false
                }
            },
            Ok(Some((Command::Terminate, _))) => {
                // It may have ended in this moment.
                let _ = rustix::process::kill_process_group(self.function, Signal::TERM);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Shows the function's folder and lets its process go on, with this document if it has not got it yet.
    fn run(&mut self, assignment: &Assignment, document: Option<&Document>) -> Result<(), Trouble> {
        if let Some(world) = &self.world {
            self.cache = World::fresh_cache(assignment)?;
            world.show(assignment)?;
        }
        self.limit(Resource::Nofile, assignment.max_files).while_trying("limit open files")?;
        if self.world.is_some() {
            // Counted in the cell alone, since its user is nobody else's there.
            self.limit(Resource::Nproc, assignment.max_processes).while_trying("limit processes")?;
        }
        let Some(mut pipe) = self.document.take() else { return Ok(()) };
        let text = document.map_or_else(|| Ok(Vec::new()), |document| self.text_of(document));
        let mut text = text.while_trying("write down which function it is")?;
        if self.starts == Starts::Ahead {
            text.push(b'\n');
        }
        pipe.write_all(&text).while_trying("say which function it is")
    }

    /// A document as the function's process reads it.
    fn text_of(&self, document: &Document) -> std::io::Result<Vec<u8>> {
        match (self.starts, self.waiter) {
            (Starts::Ahead, _) => document.line(),
            (Starts::WhenTold, Some(_)) => waiter::block(document),
            (Starts::WhenTold, None) => Ok(serde_json::to_vec(document)?),
        }
    }

    /// Limits the function's process, to no more than the host may have itself.
    fn limit(&self, resource: Resource, most: u64) -> rustix::io::Result<()> {
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |own| own.min(most));
        let most = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::prlimit(Some(self.function), resource, most).map(drop)
    }

    /// Collects what has ended. What to say of it, if it is the function.
    fn collect(&self) -> Option<Report> {
        let _ = rustix::io::read(&self.ended, &mut [0_u8; 1024]);
        let mut report = None;
        while let Ok(Some((process, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if process == self.function {
                report = Some(self.last_word().unwrap_or_else(|| ending(status)));
            }
        }
        report
    }

    /// What the function's process said before it ended.
    fn last_word(&self) -> Option<Report> {
        message::receive(self.words.as_fd()).ok().flatten().map(|(report, _)| report)
    }

    /// In a sandbox everything ends with this process; elsewhere it is looked for.
    fn end(&self) {
        let _ = rustix::process::kill_process_group(self.function, Signal::KILL);
        if self.world.is_none() {
            end_children();
        }
    }
}

fn ending(status: WaitStatus) -> Report {
    Report::Ended { code: status.exit_status(), signal: status.terminating_signal() }
}

/// A handle of a process.
fn handle(process: Pid) -> Result<OwnedFd, Trouble> {
    rustix::process::pidfd_open(process, PidfdFlags::empty()).while_trying("open a handle of a process")
}

/// Waits until the function's process is confined. With its word comes the listener of its filter, if it has one.
fn first_word(words: &OwnedFd) -> Result<Option<OwnedFd>, Trouble> {
    match message::receive::<Report>(words.as_fd()).while_trying("hear of a process")? {
        Some((Report::Ready, descriptors)) => Ok(descriptors.into_iter().next()),
        Some((Report::Failed { step, errno }, _)) => {
            Err(Trouble { step, source: std::io::Error::from_raw_os_error(errno) })
        }
        _ => Err(std::io::Error::other("it has ended")).while_trying("confine a process"),
    }
}

/// The sockets on which a cell's questions about names arrive. The host answers them.
fn name_sockets() -> std::io::Result<Vec<OwnedFd>> {
    let address = (Ipv4Addr::LOCALHOST, NAMES_PORT);
    Ok(vec![UdpSocket::bind(address)?.into(), TcpListener::bind(address)?.into()])
}

/// Ends everything below this process, also what has left its group. What is orphaned comes to this process, so it is looked for
/// again until there is nothing.
fn end_children() {
    let own = rustix::process::getpid().as_raw_nonzero();
    while let Some(children) = children_of(Path::new(&format!("/proc/{own}/task/{own}/children"))) {
        for child in children {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        let _ = rustix::process::wait(WaitOptions::empty());
    }
}

/// The processes in a list of children; `None` if it is empty.
fn children_of(list: &Path) -> Option<Vec<Pid>> {
    let text = std::fs::read_to_string(PathBuf::from(list)).ok()?;
    let children: Vec<Pid> = text.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect();
    (!children.is_empty()).then_some(children)
}
