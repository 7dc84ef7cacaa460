//! Control groups: how much memory, how many processes and how much processor time a function has.
//!
//! Version 2 where its controllers are there, version 1 where they are bound to that, and nothing where the host may not make
//! groups: then the limits on processes and descriptors hold, which need none, and `ship doctor` says so.

mod quota;
mod storm;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use quota::Quota;
use rustix::process::{Pid, Signal};
use ship_core::FunctionLimits;
use storm::{RunningCell, RunningCells};
use tokio::sync::watch;

/// What is limited.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// The beginning of the names of hosts' groups. What follows is the host's process id.
const PREFIX: &str = "ship-";

/// The group that a host moves to where its own has to be free of processes.
const ROOM: &str = "ship-host";

/// How the machine has its control groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlGroupVersion {
    /// One tree for all.
    Two,
    /// The same where nothing may be limited of processor time: many systems hand their users the other controllers alone.
    TwoWithoutCpu,
    /// A tree for each kind of limit.
    One,
}

impl ControlGroupVersion {
    /// The words used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Two => "cgroup v2",
            Self::TwoWithoutCpu => "cgroup v2, but for processor time",
            Self::One => "cgroup v1",
        }
    }
}

/// The groups of a host's functions.
#[derive(Debug)]
pub(crate) struct ControlGroups {
    version: ControlGroupVersion,
    /// The folders in which functions' groups are made, one for each tree.
    bases: Vec<PathBuf>,
    /// How many processors there are.
    processors: u64,
    next: AtomicU64,
    /// Groups that could not be removed yet.
    remaining: Mutex<Vec<PathBuf>>,
    /// Those in which functions run.
    running: Arc<RunningCells>,
}

impl ControlGroups {
    /// The groups that this process may make; `None` if it may make none.
    pub(crate) fn open() -> Option<Arc<Self>> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let trees = Trees::parse(&own, &mounts);
        let (version, bases) = trees.second().map(|(version, base)| (version, vec![base])).or_else(|| {
            let bases = trees.first()?;
            Some((ControlGroupVersion::One, bases))
        })?;
        if let Some(most) = most_processes(&bases) {
            for file in bases.iter().map(|base| base.join("pids.max")).filter(|file| file.exists()) {
                // Who may make a group may limit it.
                let _ = fs::write(file, most.to_string());
            }
        }
        let processors = thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let (next, remaining, running) = (AtomicU64::new(0), Mutex::default(), Arc::default());
        Some(Arc::new(Self { version, bases, processors, next, remaining, running }))
    }

    /// Which version it is.
    pub(crate) const fn version(&self) -> ControlGroupVersion {
        self.version
    }

    /// Groups for a process that is about to be made.
    pub(crate) fn make(self: &Arc<Self>) -> io::Result<CellGroups> {
        self.make_below(&self.bases, None)
    }

    /// Groups for processes that share a cell. What one of them has filled with memory stays with the others when it has ended (they may
    /// have sent each other files that are in memory alone), and then counts for their parent. So all together have as much as
    /// that many instances.
    pub(crate) fn make_family(self: &Arc<Self>, limits: &FunctionLimits) -> io::Result<Arc<GroupFamily>> {
        let all = self.make()?;
        let instances = limits.max_instances.saturating_add(1);
        let memory_mb = limits.memory_mb.saturating_mul(instances);
        let max_processes = limits.max_processes.saturating_mul(instances);
        all.set_limits(&FunctionLimits { memory_mb, max_processes, cpu_thousandths: None, ..*limits })?;
        if self.version != ControlGroupVersion::One {
            // One dies for its own memory; that of all is no reason to end all.
            all.folders.set_if_there("memory.oom.group", "0")?;
            for base in &all.folders.paths {
                let has = fs::read_to_string(base.join("cgroup.controllers"))?;
                let wanted = has.split_whitespace().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ");
                fs::write(base.join("cgroup.subtree_control"), wanted)?;
            }
        }
        Ok(Arc::new(GroupFamily(all)))
    }

    fn make_below(self: &Arc<Self>, bases: &[PathBuf], family: Option<Arc<GroupFamily>>) -> io::Result<CellGroups> {
        self.sweep();
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let paths: Vec<PathBuf> = bases.iter().map(|base| base.join(&name)).collect();
        let folders = Arc::new(Folders { version: self.version, paths });
        let (slowed, running) = (watch::Sender::default(), Mutex::default());
        let mut groups =
            CellGroups { groups: Arc::clone(self), folders, memory: None, running, slowed, _family: family };
        for folder in &groups.folders.paths {
            fs::create_dir(folder)?;
        }
        // Most functions keep the usual limits, which then take no time of their starts.
        groups.set_limits(&FunctionLimits::default())?;
        // A host that has less itself gives no more.
        let _ = groups.folders.set_quota(Quota::most(self.processors));
        let memory = match self.version {
            ControlGroupVersion::Two | ControlGroupVersion::TwoWithoutCpu => "memory.current",
            ControlGroupVersion::One => "memory.usage_in_bytes",
        };
        groups.memory = groups.folders.find(memory).and_then(|path| File::open(path).ok());
        Ok(groups)
    }

    /// Removes what could not be removed while its processes were ending.
    fn sweep(&self) {
        let mut remaining = self.remaining.lock().unwrap_or_else(PoisonError::into_inner);
        remaining.retain(|folder| fs::remove_dir(folder).is_err_and(|error| error.kind() != io::ErrorKind::NotFound));
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        self.running.end();
        self.sweep();
        for base in &self.bases {
            // One with processes that are still ending is removed by the next host.
            let _ = fs::remove_dir(base);
        }
    }
}

/// The groups of one cell, one in each tree.
#[derive(Debug)]
pub(crate) struct CellGroups {
    groups: Arc<ControlGroups>,
    folders: Arc<Folders>,
    /// Says how much memory is in use. It is open because it is read while a visitor waits.
    memory: Option<File>,
    /// What it is called among those in which functions run, once one does.
    running: Mutex<Option<(u64, Arc<RunningCell>)>>,
    /// How long it is slow for beginning processes without pause, each time that it becomes so.
    slowed: watch::Sender<Duration>,
    /// What they are in, which goes after them.
    _family: Option<Arc<GroupFamily>>,
}

/// Groups that have groups in them.
#[derive(Debug)]
pub(crate) struct GroupFamily(CellGroups);

impl GroupFamily {
    /// Groups within these, for a process that is about to be made.
    pub(crate) fn make(self: &Arc<Self>) -> io::Result<CellGroups> {
        self.0.groups.make_below(&self.0.folders.paths, Some(Arc::clone(self)))
    }
}

impl CellGroups {
    /// Files that take the id of a process, which is in the groups from then on with all that it starts.
    pub(crate) fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        let open =
            |folder: &PathBuf| OpenOptions::new().write(true).open(folder.join("cgroup.procs")).map(OwnedFd::from);
        self.folders.paths.iter().map(open).collect()
    }

    /// Puts a process that runs already into the groups.
    pub(crate) fn enclose(&self, process: u32) -> io::Result<()> {
        self.folders.paths.iter().try_for_each(|folder| fs::write(folder.join("cgroup.procs"), process.to_string()))
    }

    /// Ends every process in the groups.
    pub(crate) fn end_processes(&self) {
        self.let_off();
        if self.folders.find("cgroup.kill").is_some_and(|path| fs::write(path, "1").is_ok()) {
            return;
        }
        // What is forked while others are ended would not be in the list.
        let _ = self.folders.set("pids.max", "0");
        let list = self.folders.find("cgroup.procs").and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        for process in list.lines().filter_map(|id| Pid::from_raw(id.parse().ok()?)) {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
    }

    /// Sets what a function may use that is about to run, and sees to it that it begins no storm of processes.
    pub(crate) fn limit(&self, limits: &FunctionLimits) -> io::Result<()> {
        self.look_after(limits);
        let what_counts = |limits: &FunctionLimits| (limits.memory_mb, limits.max_processes, limits.cpu_thousandths);
        if what_counts(limits) == what_counts(&FunctionLimits::default()) { Ok(()) } else { self.set_limits(limits) }
    }

    fn look_after(&self, limits: &FunctionLimits) {
        if self.groups.version == ControlGroupVersion::TwoWithoutCpu {
            return;
        }
        let processors = self.groups.processors;
        let usual = limits.cpu_thousandths.map_or_else(|| Quota::most(processors), |said| Quota::of(said, processors));
        let slow = Quota::in_a_storm(processors);
        let slow = if slow.micros < usual.micros { slow } else { usual };
        let cell = Arc::new(RunningCell::new(Arc::clone(&self.folders), usual, slow, self.slowed.clone()));
        let number = self.groups.running.add(Arc::clone(&cell));
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, cell));
    }

    /// Looks after it no more: what runs in it is to end, and soon.
    pub(crate) fn let_off(&self) {
        if let Some((number, cell)) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.groups.running.remove(number);
            cell.let_off();
        }
    }

    /// How long it is slow for beginning processes without pause, each time that it becomes so.
    pub(crate) fn slowed(&self) -> watch::Receiver<Duration> {
        self.slowed.subscribe()
    }

    fn set_limits(&self, limits: &FunctionLimits) -> io::Result<()> {
        let memory = (u64::from(limits.memory_mb) * 1024 * 1024).to_string();
        let processes = limits.max_processes.to_string();
        let quota = limits.cpu_thousandths.map(|thousandths| Quota::of(thousandths, self.groups.processors));
        let folders = &self.folders;
        match self.groups.version {
            ControlGroupVersion::Two | ControlGroupVersion::TwoWithoutCpu => {
                folders.set("memory.max", &memory)?;
                // Memory that is written to a disk is no less memory, and ends all at once when it is used up.
                folders.set_if_there("memory.swap.max", "0")?;
                folders.set_if_there("memory.oom.group", "1")?;
                folders.set("pids.max", &processes)?;
            }
            ControlGroupVersion::One => {
                // The first may never be above the second, so whichever way they go, one of them goes ahead.
                let is_lower = folders.set("memory.limit_in_bytes", &memory);
                folders.set_if_there("memory.memsw.limit_in_bytes", &memory)?;
                is_lower.or_else(|_| folders.set("memory.limit_in_bytes", &memory))?;
                // What waits in sockets is counted for itself here.
                folders.set_if_there("memory.kmem.tcp.limit_in_bytes", &memory)?;
                folders.set("pids.max", &processes)?;
            }
        }
        quota.map_or(Ok(()), |quota| folders.set_quota(quota))
    }

    /// Whether a process of the cell was ended because there was no memory left for it.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let file = match self.groups.version {
            ControlGroupVersion::Two | ControlGroupVersion::TwoWithoutCpu => "memory.events",
            ControlGroupVersion::One => "memory.oom_control",
        };
        let text = self.folders.find(file).and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count != "0"))
    }

    /// The memory that the cell uses, in bytes.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        let mut text = [0; 24];
        let length = self.memory.as_ref()?.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()
    }
}

impl Drop for CellGroups {
    fn drop(&mut self) {
        self.let_off();
        let mut remaining = self.groups.remaining.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in &self.folders.paths {
            // While its processes are ending, a group stays.
            if fs::remove_dir(folder).is_err() {
                remaining.push(folder.clone());
            }
        }
    }
}

/// Where the groups of one cell are.
#[derive(Debug)]
struct Folders {
    version: ControlGroupVersion,
    /// One in each tree.
    paths: Vec<PathBuf>,
}

impl Folders {
    fn set_quota(&self, Quota { micros, period_micros }: Quota) -> io::Result<()> {
        if self.version != ControlGroupVersion::One {
            return self.set_if_there("cpu.max", &format!("{micros} {period_micros}"));
        }
        // Where groups are in others the share may never be above theirs, which holds at each step if the quota goes first, and then the period.
        self.set("cpu.cfs_quota_us", "-1")?;
        self.set("cpu.cfs_period_us", &period_micros.to_string())?;
        self.set("cpu.cfs_quota_us", &micros.to_string())
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        let path = self.find(file).ok_or(io::ErrorKind::NotFound)?;
        fs::write(path, value)
    }

    fn set_if_there(&self, file: &str, value: &str) -> io::Result<()> {
        self.find(file).map_or(Ok(()), |path| fs::write(path, value))
    }

    /// A file that is in one of them.
    fn find(&self, file: &str) -> Option<PathBuf> {
        self.paths.iter().map(|folder| folder.join(file)).find(|path| path.exists())
    }
}

/// How many processes all functions may have together: three quarters of what there may be on the machine, or in the group that the host
/// was put into. Sixty instances with the usual limit come to as many as a small machine has numbers for, and the host,
/// its services and whoever wants to look what is the matter need some.
fn most_processes(bases: &[PathBuf]) -> Option<u64> {
    let number = |file: PathBuf| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let machine = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"].map(PathBuf::from);
    let above = bases.iter().filter_map(|base| Some(base.parent()?.join("pids.max")));
    machine.into_iter().chain(above).filter_map(number).min().map(|most| most / 4 * 3)
}

/// Where this process is in the machine's trees.
struct Trees {
    /// The folder of its group by controller, in version 1.
    first: BTreeMap<String, PathBuf>,
    /// The folder of its group in version 2, and that of the whole tree.
    second: Option<(PathBuf, PathBuf)>,
}

impl Trees {
    /// From `/proc/self/cgroup` and `/proc/self/mounts`.
    fn parse(own: &str, mounts: &str) -> Self {
        let mut trees = Self { first: BTreeMap::new(), second: None };
        for line in own.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let below = path.trim_start_matches('/');
            if controllers.is_empty() {
                // A host that took over from another was started in the room that that one had made for itself.
                let below = match below.strip_suffix(ROOM) {
                    Some(above) if above.is_empty() || above.ends_with('/') => above,
                    _ => below,
                };
                trees.second = mount_of(mounts, "cgroup2", |_| true).map(|mount| (mount.join(below), mount));
            }
            for controller in controllers.split(',').filter(|controller| CONTROLLERS.contains(controller)) {
                let has_it = |options: &str| options.split(',').any(|option| option == controller);
                if let Some(mount) = mount_of(mounts, "cgroup", has_it) {
                    trees.first.insert(controller.to_owned(), mount.join(below));
                }
            }
        }
        trees
    }

    /// A folder for functions' groups in the one tree: below this process's own group if that was handed to it, or else, for who is
    /// root, below none. In a group that a service manager keeps for itself, a function that uses up its memory would end the host.
    fn second(&self) -> Option<(ControlGroupVersion, PathBuf)> {
        let (own, whole) = self.second.as_ref()?;
        let is_elsewhere_first = rustix::process::geteuid().is_root() && !is_delegated(own);
        let [first, second] = if is_elsewhere_first { [whole, own] } else { [own, whole] };
        base_below(first).or_else(|| base_below(second))
    }

    /// A folder for functions' groups in each tree.
    fn first(&self) -> Option<Vec<PathBuf>> {
        let mut owns: Vec<&Path> =
            CONTROLLERS.iter().map(|name| self.first.get(*name).map(PathBuf::as_path)).collect::<Option<_>>()?;
        owns.sort_unstable();
        owns.dedup();
        owns.into_iter().map(fresh).collect()
    }
}

/// Whether systemd has handed a group over, which it notes at its folder (`Delegate=` in `systemd.resource-control(5)`).
fn is_delegated(group: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(group, *name, &mut value).is_ok_and(|length| &value[..length] == b"1")
    })
}

/// A folder for functions' groups below a group of version 2, with the controllers that it has.
fn base_below(group: &Path) -> Option<(ControlGroupVersion, PathBuf)> {
    let offered = fs::read_to_string(group.join("cgroup.controllers")).ok()?;
    let (has, lacks): (Vec<&str>, Vec<&str>) =
        CONTROLLERS.iter().partition(|name| offered.split_whitespace().any(|other| other == **name));
    let version = match lacks.as_slice() {
        [] => ControlGroupVersion::Two,
        ["cpu"] => ControlGroupVersion::TwoWithoutCpu,
        _ => return None,
    };
    let wanted = has.iter().map(|controller| format!("+{controller}")).collect::<Vec<_>>().join(" ");
    let has_children = || fs::write(group.join("cgroup.subtree_control"), &wanted).is_ok();
    if !has_children() {
        // A group that limits others has no processes of its own. This process makes room, if it is alone there.
        let room = group.join(ROOM);
        let makes_room = fs::create_dir_all(&room).and_then(|()| fs::write(room.join("cgroup.procs"), "0"));
        if makes_room.is_err() || !has_children() {
            let _ = fs::write(group.join("cgroup.procs"), "0");
            let _ = fs::remove_dir(&room);
            return None;
        }
    }
    let base = fresh(group)?;
    fs::write(base.join("cgroup.subtree_control"), &wanted).ok()?;
    Some((version, base))
}

/// A new folder below a group, after those of hosts that are gone were removed.
fn fresh(own: &Path) -> Option<PathBuf> {
    for entry in fs::read_dir(own).ok()?.flatten() {
        let name = entry.file_name();
        let Some(host) = name.to_str().and_then(host_of) else { continue };
        if !Path::new("/proc").join(host.to_string()).exists() {
            remove_with_groups(&entry.path());
        }
    }
    let base = (0..).map(|number: u32| match number {
        0 => own.join(format!("{PREFIX}{}", std::process::id())),
        // A second runtime of the same process.
        more => own.join(format!("{PREFIX}{}-{more}", std::process::id())),
    });
    for base in base {
        match fs::create_dir(&base) {
            Ok(()) => return File::open(base.join("cgroup.procs")).is_ok().then_some(base),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return None,
        }
    }
    None
}

/// The process id of the host whose groups are in a group of this name.
fn host_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// Removes a group and those in it, as far as they are empty.
fn remove_with_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_with_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Where a tree is mounted: the second field of its line. A mount of a part of a tree has the same layout below it.
fn mount_of(mounts: &str, kind: &str, is_wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (place, found, options) = (fields.nth(1)?, fields.next()?, fields.next()?);
        (found == kind && is_wanted(options)).then(|| place.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "proc /proc proc rw 0 0\n\
        cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0\n\
        cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
        cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n\
        cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";

    /// Each tree has its own mount, and the process its own place in each.
    #[test]
    fn places() {
        let own = "4:memory:/a/b\n3:pids:/\n2:cpu,cpuacct:/c\n1:name=systemd:/\n0::/user.slice\n";
        let trees = Trees::parse(own, MOUNTS);
        let place = |name: &str| trees.first[name].to_str().unwrap().to_owned();
        assert_eq!(place("memory"), "/sys/fs/cgroup/memory/a/b");
        assert_eq!(place("pids"), "/sys/fs/cgroup/pids/");
        assert_eq!(place("cpu"), "/sys/fs/cgroup/cpu/c");
        let (own, whole) = trees.second.unwrap();
        assert_eq!([own, whole], ["/sys/fs/cgroup/unified/user.slice", "/sys/fs/cgroup/unified"].map(PathBuf::from));
    }

    /// A host that was started by the one before it makes its groups beside that one's, and not in the room that that one is in.
    #[test]
    fn room_of_the_host_before() {
        let trees = Trees::parse("0::/system.slice/ship.service/ship-host\n", MOUNTS);
        let (own, _) = trees.second.unwrap();
        assert_eq!(own, Path::new("/sys/fs/cgroup/unified/system.slice/ship.service"));
    }

    /// A host's name for its groups leads back to it.
    #[test]
    fn names() {
        assert_eq!(["ship-12", "ship-12-3", "ship-host", "other"].map(host_of), [Some(12), Some(12), None, None]);
    }

    /// Of the processes that there may be, on the machine or in the group above, a quarter is left to others.
    #[test]
    fn processes_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let bases = [folder.path().join("ship-1"), folder.path().join("unlimited/ship-1")];
        std::fs::create_dir(folder.path().join("unlimited")).unwrap();
        std::fs::write(folder.path().join("unlimited/pids.max"), "max\n").unwrap();
        let machine = most_processes(&bases).unwrap();
        assert!(machine > 1000, "{machine}");
        std::fs::write(folder.path().join("pids.max"), "400\n").unwrap();
        assert_eq!(most_processes(&bases), Some(300));
    }

    /// Without a place in every tree there are no groups: half of the limits would look like all of them.
    #[test]
    fn all_or_none() {
        let trees = Trees::parse("4:memory:/a\n", MOUNTS);
        assert_eq!(trees.first(), None);
        assert_eq!(Trees::parse("", "").second(), None);
    }
}
