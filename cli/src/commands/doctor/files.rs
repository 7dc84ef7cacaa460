//! The files that ship keeps for an account: who may read them, what was left behind, and who has them open.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Repair;
use super::finding::{Finding, Problem};
use crate::embedded::running_hosts;
use crate::home::{HostFolder, ShipHome};
use crate::output::{count, shell_word};

/// What nobody but the owner may do with a secret.
const OTHERS: u32 = 0o077;

/// How the folders begin in which `ship doctor` tries what a machine allows; their process's id follows.
const TRIED: &str = "doctor-";

/// Who may read secrets.
pub(super) fn secrets(home: &ShipHome, repair: Repair) -> Finding {
    let mut paths = vec![home.credentials_file()];
    for folder in host_folders(home) {
        paths.extend([folder.folder().to_owned(), folder.token_file(), folder.endpoint_file()]);
    }
    let there: Vec<PathBuf> = paths.into_iter().filter(|path| path.exists()).collect();
    let problems: Vec<Problem> = there.iter().filter_map(|path| open_to_others(path, repair)).collect();
    let state = match there.len() {
        0 => "none are kept here".to_owned(),
        _ if problems.iter().all(|problem| problem.done().is_some()) => "yours alone".to_owned(),
        _ => "open to others".to_owned(),
    };
    Finding::new("secrets", state, problems)
}

fn open_to_others(path: &Path, repair: Repair) -> Option<Problem> {
    let mode = fs_err::metadata(path).ok()?.permissions().mode() & 0o777;
    if mode & OTHERS == 0 {
        return None;
    }
    let wanted = mode & !OTHERS;
    let shown = path.display();
    let hint = format!("`chmod {wanted:o} {}`, or `ship doctor --fix`", shell_word(&path.to_string_lossy()));
    let problem =
        Problem::new(format!("{shown} is open to other accounts (mode {mode:o}), and holds what opens a host"), hint);
    if repair == Repair::Leave {
        return Some(problem);
    }
    Some(match fs_err::set_permissions(path, Permissions::from_mode(wanted)) {
        Ok(()) => problem.repaired(format!("{shown} has mode {wanted:o} now, and had {mode:o}; tokens that others may have read are replaced with `ship tokens create`")),
        Err(_) => problem,
    })
}

/// Whether something can be written in a folder, or in the one that it would be made in.
pub(super) fn can_be_written(folder: &Path) -> bool {
    let there = folder.ancestors().find(|folder| folder.exists());
    there.is_some_and(|there| rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok())
}

/// What commands that were killed have left. Locks are the kernel's and go with their process, so there are no stale ones.
pub(super) fn leftovers(home: &ShipHome, repair: Repair) -> Finding {
    let mut left: Vec<PathBuf> = entries(&home.cache()).into_iter().filter(|path| is_of_a_dead_doctor(path)).collect();
    let running = running_hosts(home);
    let is_idle = |folder: &HostFolder| running.iter().all(|(other, _)| other != folder);
    let half_written = |folder: HostFolder| folder.endpoint_file().with_extension("new");
    left.extend(host_folders(home).into_iter().filter(is_idle).map(half_written).filter(|path| path.exists()));
    let problems: Vec<Problem> = left.iter().map(|path| left_behind(path, repair)).collect();
    let still = problems.iter().filter(|problem| problem.done().is_none()).count();
    let state = if still == 0 { "nothing".to_owned() } else { count(still as u64, "thing") };
    Finding::new("left over", state, problems)
}

fn left_behind(path: &Path, repair: Repair) -> Problem {
    let shown = path.display();
    let problem = Problem::new(
        format!("{shown} was left by a command that was killed, and takes room"),
        "`ship doctor --fix` removes it",
    );
    if repair == Repair::Leave {
        return problem;
    }
    let removed = if path.is_dir() { fs_err::remove_dir_all(path) } else { fs_err::remove_file(path) };
    match removed {
        Ok(()) => problem.repaired(format!("{shown} is gone")),
        Err(_) => problem,
    }
}

/// A process may have the id that a dead one had: then its folder waits for the next examination.
fn is_of_a_dead_doctor(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = name.strip_prefix(TRIED).and_then(|id| id.parse::<u32>().ok());
    id.is_some_and(|id| id != std::process::id() && !Path::new("/proc").join(id.to_string()).exists())
}

/// Who has the data directory of the embedded host open.
pub(super) fn data_directory(home: &ShipHome) -> Finding {
    let data = home.host_data();
    let canonical = data.canonicalize().unwrap_or_else(|_| data.clone());
    let host = running_hosts(home).into_iter().find(|(_, endpoint)| Path::new(&endpoint.data) == canonical);
    let (state, problems) = match host {
        Some((_, endpoint)) => (format!("{}, of the host with pid {}", data.display(), endpoint.pid), Vec::new()),
        None if ship_store::is_in_use(&data) => {
            let pid = ship_store::lock_holder(&data);
            let holder = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            let what = format!(
                "{} is locked by {holder}, no host that this account knows: none can start there",
                data.display()
            );
            let hint = pid.map_or_else(
                || format!("`fuser -v {}` names the process", shell_word(&data.to_string_lossy())),
                |pid| format!("`ps {pid}` shows what it is; where it ends, its lock goes with it"),
            );
            ("locked".to_owned(), vec![Problem::new(what, hint)])
        }
        None if data.exists() => (format!("{}, of no host that runs", data.display()), Vec::new()),
        None => ("none yet".to_owned(), Vec::new()),
    };
    Finding::new("data", state, problems)
}

fn host_folders(home: &ShipHome) -> Vec<HostFolder> {
    entries(&home.hosts()).into_iter().map(HostFolder::at).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
