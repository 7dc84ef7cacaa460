//! A cell as the host holds it: a confined process that waits for its function, and then is it.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Gid, Pid, Signal, Uid, WaitOptions};
use ship_core::FunctionLimits;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch::Receiver;

use super::cgroup::CellGroups;
use super::dial;
use super::message;
use super::nursery::{Assignment, Command, Document, Isolation, NURSERY_NAME, Order, Recipe, Report};
use super::process::{ProcessStat, has_ended, own_bytes_of_all, resident_bytes};
use super::socket::SocketAddress;
use super::spawn;
use super::watch::watch;
use crate::error::{ExitStatus, SpawnError};
use crate::limits::MEMORY_LOOK;

/// The users that functions are outside of their cells, where the host may choose: a range that no system hands out.
const FIRST_USER: u32 = 0x7000_0000;

/// How many there are before one is used again.
const USERS: u32 = 0x1_0000;

/// The process that makes cells, started when it is first needed and again if it ended.
#[derive(Debug)]
pub(crate) struct Nursery {
    program: Box<Path>,
    process: Mutex<Option<NurseryProcess>>,
    /// The number of the next cell's user. Cells outlive the process that made them.
    next_user: AtomicU32,
}

#[derive(Debug)]
struct NurseryProcess {
    orders: OwnedFd,
    id: Pid,
}

impl Nursery {
    /// A nursery that is the program at this path, which calls [`crate::nursery`] when it is started under its name.
    pub(crate) fn new(program: &Path) -> Self {
        Self { program: program.into(), process: Mutex::new(None), next_user: AtomicU32::new(0) }
    }

    /// Asks for a cell in control groups, if there are any. It is ready when [`Unready::ready`] says so.
    pub(crate) fn order(
        &self,
        recipe: Recipe,
        listener: (OwnedFd, SocketAddress),
        groups: Option<CellGroups>,
    ) -> Result<Unready, SpawnError> {
        let (isolation, has_program) = (recipe.isolation, recipe.boot.is_some());
        let (listener, mut address) = listener;
        let connection = recipe.inherits_connection().then(|| address.connect_ahead()).transpose();
        let connection = connection.map_err(during("make a connection ahead"))?;
        let (control, cell_control) = message::pair().map_err(during("make a pair of sockets"))?;
        rustix::io::ioctl_fionbio(&control, true).map_err(|errno| during("make a pair of sockets")(errno.into()))?;
        let (stdout, cell_stdout) = output_pipe()?;
        let (stderr, cell_stderr) = output_pipe()?;
        let doors = groups.as_ref().map_or_else(|| Ok(Vec::new()), CellGroups::doors);
        let doors = doors.map_err(during("enter a control group"))?;
        let ends = [&cell_control, &listener, &cell_stdout, &cell_stderr];
        let descriptors: Vec<BorrowedFd<'_>> =
            ends.into_iter().chain(&connection).chain(&doors).map(AsFd::as_fd).collect();
        self.say(recipe, &descriptors).map_err(during("ask for a process"))?;
        let control = watch(control).map_err(during("watch a process"))?;
        Ok(Unready { isolation, has_program, control, address, stdout, stderr, groups })
    }

    /// Ends the process that makes cells if it does not read its orders. The cells that there are stay; the next order starts
    /// another.
    pub(crate) fn give_up_if_stuck(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let stuck = process.take_if(|running| message::is_unread(running.orders.as_fd()));
        drop(process);
        if let Some(stuck) = stuck {
            let _ = rustix::process::kill_process(stuck.id, Signal::KILL);
            // What keeps it from reading may keep it from ending, and then it is never collected.
            stuck.collect();
        }
    }

    fn say(&self, recipe: Recipe, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let user = FIRST_USER + self.next_user.fetch_add(1, Ordering::Relaxed) % USERS;
        let order = Order { recipe, user, doorkeeper: dial::doorkeeper() };
        if let Some(running) = process.as_mut() {
            match message::send(running.orders.as_fd(), &order, descriptors) {
                // The second is what is said of orders that it has not read.
                Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                    running.collect();
                }
                result => return result,
            }
        }
        let started = process.insert(NurseryProcess::start(&self.program)?);
        message::send(started.orders.as_fd(), &order, descriptors)
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(NurseryProcess { orders, id, .. }) = process {
            drop(orders);
            let _ = rustix::process::waitpid(Some(id), WaitOptions::empty());
        }
    }
}

impl NurseryProcess {
    fn start(program: &Path) -> io::Result<Self> {
        let (orders, nursery_orders) = message::pair()?;
        rustix::io::ioctl_fionbio(&orders, true)?;
        let name = std::ffi::CString::new(NURSERY_NAME)?;
        let id = spawn::spawn(program, &name, nursery_orders.as_fd())?;
        Ok(Self { orders, id })
    }

    fn collect(&self) {
        tracing::warn!("the process that starts functions has ended and is started again");
        let _ = rustix::process::waitpid(Some(self.id), WaitOptions::NOHANG);
    }
}

/// A cell that is being made.
#[derive(Debug)]
pub(crate) struct Unready {
    isolation: Isolation,
    /// Whether a program runs in it before its function is known.
    has_program: bool,
    control: AsyncFd<OwnedFd>,
    address: SocketAddress,
    stdout: OwnedFd,
    stderr: OwnedFd,
    groups: Option<CellGroups>,
}

impl Unready {
    /// Waits until it is made.
    pub(crate) async fn ready(self) -> Result<Cell, SpawnError> {
        let Self { isolation, has_program, control, address, stdout, stderr, groups } = self;
        let (report, descriptors) = hear(&control).await.map_err(during("hear of a process"))?.ok_or_else(gone)?;
        match report {
            Report::Ready => {}
            other => return Err(other.into()),
        }
        let mut descriptors = descriptors.into_iter();
        let (first, function) = descriptors.next().zip(descriptors.next()).ok_or_else(gone)?;
        let program = if has_program { Some(WaitingProgram::new(descriptors.next().ok_or_else(gone)?)?) } else { None };
        let function_id = process_of(&function).map_err(during("identify a process"))?;
        let first = watch(first).map_err(during("watch a process"))?;
        let is_over = AtomicBool::new(false);
        let warden = CellWarden { isolation, control, first, function_id, groups, is_over };
        Ok(Cell { warden, program, address, stdout, stderr, network: descriptors.collect() })
    }
}

/// A cell that waits for its function.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) warden: CellWarden,
    /// The program that runs in it already, if one does and it was not told yet which function it is.
    program: Option<WaitingProgram>,
    pub(crate) address: SocketAddress,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// The listener of its filter and the sockets for questions about names, if it has a network of its own.
    pub(crate) network: Vec<OwnedFd>,
}

impl Cell {
    /// Says which function it is, and what it may use. Where a program waits, that makes itself ready while the cell shows it the
    /// function's folder.
    pub(crate) fn run(
        &mut self,
        mut assignment: Assignment,
        document: Document,
        limits: &FunctionLimits,
    ) -> Result<(), SpawnError> {
        if let Some(groups) = &self.warden.groups {
            groups.limit(limits).map_err(during("limit what a function uses"))?;
            // What is refused by the group is counted. The other limit is for where there is none.
            assignment.max_processes = assignment.max_processes.saturating_mul(2);
        }
        let handing = during("hand a function over");
        if document.launch.is_none() {
            // A launcher that is not the prelude's own knows of no such connection.
            self.address.forget_connection();
        }
        let with_line = |program| document.line().map(|line| (program, line));
        let told = self.program.take().map(with_line).transpose().map_err(&handing)?;
        let told = told.filter(|(program, line)| line.len() <= program.room);
        let for_cell = if told.is_some() { None } else { Some(Box::new(document)) };
        // Before the cell's own line in the same pipe.
        told.map_or(Ok(()), |(program, line)| program.tell(&line)).map_err(&handing)?;
        let command = Command::Run(Box::new(assignment), for_cell);
        message::send(self.warden.control.get_ref().as_fd(), &command, &[]).map_err(handing)
    }
}

/// A program that was started ahead.
#[derive(Debug)]
struct WaitingProgram {
    /// Where it reads which function it is.
    pipe: OwnedFd,
    /// How many bytes can be written there without waiting for it.
    room: usize,
}

impl WaitingProgram {
    fn new(pipe: OwnedFd) -> Result<Self, SpawnError> {
        let room = rustix::pipe::fcntl_getpipe_size(&pipe);
        let room = room.map_err(|errno| during("look at a pipe")(errno.into()))?;
        Ok(Self { pipe, room })
    }

    fn tell(self, line: &[u8]) -> io::Result<()> {
        File::from(self.pipe).write_all(line)
    }
}

/// What holds the processes of a cell. Dropping it ends them all.
#[derive(Debug)]
pub(crate) struct CellWarden {
    isolation: Isolation,
    control: AsyncFd<OwnedFd>,
    /// The handle of the cell's first process.
    first: AsyncFd<OwnedFd>,
    function_id: u32,
    /// What limits its resources.
    groups: Option<CellGroups>,
    /// Whether it was seen to use more memory than it may, where nothing else limits that.
    is_over: AtomicBool,
}

impl CellWarden {
    /// The process id of the function.
    pub(crate) const fn id(&self) -> u32 {
        self.function_id
    }

    /// Asks the function to end.
    pub(crate) fn terminate(&self) {
        // The only failure is that nobody is left to be told.
        let _ = message::send(self.control.get_ref().as_fd(), &Command::Terminate, &[]);
    }

    /// Ends every process of the cell.
    pub(crate) fn kill(&self) {
        if let Some(groups) = &self.groups {
            groups.let_off();
        }
        // The first process ends all others when it hears that the host is gone; in a sandbox the kernel does, at its end.
        let _ = rustix::net::shutdown(self.control.get_ref(), rustix::net::Shutdown::Both);
        if self.isolation == Isolation::Sandbox {
            let _ = rustix::process::pidfd_send_signal(self.first.get_ref(), Signal::KILL);
        }
    }

    /// Whether a process of it was ended because there was no memory left for it.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.groups.as_ref().is_some_and(CellGroups::ran_out_of_memory)
    }

    /// How long it is slow for beginning processes without pause, each time that it becomes so.
    pub(crate) fn slowed(&self) -> Option<Receiver<Duration>> {
        self.groups.as_ref().map(CellGroups::slowed)
    }

    /// Ends it when it uses more than so many bytes of memory. This is for where no control group does, which sees it sooner.
    pub(crate) async fn watch_memory(&self, most: u64) {
        if self.groups.is_some() {
            return;
        }
        let Ok(first) = process_of(self.first.get_ref()) else { return };
        while !self.is_gone() {
            tokio::time::sleep(MEMORY_LOOK).await;
            if own_bytes_of_all(first) > most {
                self.is_over.store(true, Ordering::Relaxed);
                return self.kill();
            }
        }
    }

    /// The memory that counts against its limit, in bytes; where nothing limits it, what the function's own process has in memory.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        let counted = self.groups.as_ref().and_then(CellGroups::memory_bytes);
        counted.or_else(|| resident_bytes(self.function_id))
    }

    /// Whether the function has begun to exit or is gone. Reads `/proc`, so it is for the path where a connection broke.
    pub(crate) fn is_exiting(&self) -> bool {
        ProcessStat::read(self.function_id).is_none_or(|stat| stat.exiting)
    }

    /// Whether all of its processes are gone.
    pub(crate) fn is_gone(&self) -> bool {
        has_ended(self.first.get_ref())
    }

    /// Waits until the function has ended, or the cell. Nothing is lost if the future is dropped.
    pub(crate) async fn ended(&self) -> Ending {
        self.ended_with_cache().await.0
    }

    /// The same, with the cache of code that the function was to fill. What is in it may change until the cell is gone.
    pub(crate) async fn ended_with_cache(&self) -> (Ending, Option<OwnedFd>) {
        match hear(&self.control).await {
            Ok(Some((report, descriptors))) => (Ending::from(report), descriptors.into_iter().next()),
            Ok(None) | Err(_) => (Ending::Exited(ExitStatus::Unknown), None),
        }
    }

    /// Waits until no process of the cell is left.
    pub(crate) async fn gone(&self) {
        // An error would mean that the runtime's I/O driver is gone, and then so is the host.
        let _ = self.first.readable().await;
    }
}

impl Drop for CellWarden {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a function's process ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// It ran.
    Exited(ExitStatus),
    /// There was no memory left for it.
    OutOfMemory,
    /// Its program could not be executed.
    NotExecuted {
        /// What the kernel said.
        errno: i32,
    },
    /// Its cell could not be made or could not show it its folder.
    NotConfined {
        /// What was tried.
        step: String,
        /// What the kernel said.
        errno: i32,
    },
}

impl Ending {
    /// Why it never ran, if it did not.
    pub(crate) fn spawn_error(&self, program: &Path) -> Option<SpawnError> {
        match self {
            Self::Exited(_) | Self::OutOfMemory => None,
            Self::NotExecuted { errno } => {
                Some(SpawnError::Program { program: program.into(), source: io::Error::from_raw_os_error(*errno) })
            }
            Self::NotConfined { step, errno } => {
                Some(SpawnError::Confine { step: step.clone(), source: io::Error::from_raw_os_error(*errno) })
            }
        }
    }
}

impl From<Report> for Ending {
    fn from(report: Report) -> Self {
        match report {
            Report::Ended { code: Some(code), .. } => Self::Exited(ExitStatus::Code(code)),
            Report::Ended { signal: Some(signal), .. } => Self::Exited(ExitStatus::Signal(signal)),
            Report::Ended { .. } | Report::Ready => Self::Exited(ExitStatus::Unknown),
            Report::NotExecuted { errno } => Self::NotExecuted { errno },
            Report::Failed { step, errno } => Self::NotConfined { step, errno },
        }
    }
}

impl From<Report> for SpawnError {
    fn from(report: Report) -> Self {
        match report {
            Report::Failed { step, errno } => Self::Confine { step, source: io::Error::from_raw_os_error(errno) },
            Report::NotExecuted { errno } => {
                during("start what waits for a function")(io::Error::from_raw_os_error(errno))
            }
            Report::Ready | Report::Ended { .. } => gone(),
        }
    }
}

/// The next thing that a cell says; `None` when it is gone.
async fn hear(control: &AsyncFd<OwnedFd>) -> io::Result<Option<(Report, Vec<OwnedFd>)>> {
    loop {
        let mut guard = control.readable().await?;
        match guard.try_io(|control| message::receive(control.get_ref().as_fd())) {
            Ok(result) => return result,
            Err(_would_block) => {}
        }
    }
}

/// The id of a process, by its handle, as this process sees it.
pub(super) fn process_of(handle: &impl AsRawFd) -> io::Result<u32> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd()))?;
    let id = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    id.filter(|id| *id > 0).ok_or_else(|| io::Error::other("the handle has no process"))
}

/// Whose the output of a cell's processes is: who may open it anew by its path, `/dev/stdout`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputOwner {
    user: Uid,
    group: Gid,
}

impl OutputOwner {
    /// The owner of a pipe that a cell was given.
    pub(crate) fn of(pipe: &OwnedFd) -> Result<Self, SpawnError> {
        let found = rustix::fs::fstat(pipe).map_err(|errno| during("look at a pipe for output")(errno.into()))?;
        Ok(Self { user: Uid::from_raw(found.st_uid), group: Gid::from_raw(found.st_gid) })
    }

    /// A pipe for one more process of that cell.
    pub(crate) fn pipe(self) -> Result<(OwnedFd, OwnedFd), SpawnError> {
        let (reader, writer) = output_pipe()?;
        let owned = rustix::fs::fchown(&writer, Some(self.user), Some(self.group));
        owned.map_err(|errno| during("hand a pipe for output over")(errno.into()))?;
        Ok((reader, writer))
    }
}

/// A pipe whose reading end never blocks the host; the writing end behaves as a program expects of its output.
fn output_pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let error = |source: rustix::io::Errno| during("make a pipe for output")(source.into());
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(error)?;
    rustix::io::ioctl_fionbio(&reader, true).map_err(error)?;
    Ok((reader, writer))
}

fn during(action: &'static str) -> impl Fn(io::Error) -> SpawnError {
    move |source| SpawnError::Io { action, source }
}

fn gone() -> SpawnError {
    during("hear of a process")(io::Error::new(io::ErrorKind::UnexpectedEof, "it has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handle leads back to the process.
    #[test]
    fn identified_by_handle() {
        let own = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).unwrap();
        assert_eq!(process_of(&own).unwrap(), std::process::id());
    }
}
