//! What a function cannot use up, see or keep.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use ship_core::{NetworkAccess, PlatformError};
use ship_runtime::{InvokeError, Reach, Runtime, RuntimeOptions};

use crate::support::{MemoryLog, Stage, fresh_id, is_running, options, outside, text, until};

/// A function that takes memory without end is ended when its own is used up, with a reason of its own, and the next request finds
/// it anew.
#[tokio::test]
async fn memory() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.memory_mb = 64);
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
    let error = stage.get(&spec, "/leak").await.unwrap_err();
    assert_eq!(error.platform_error(), PlatformError::FunctionOutOfMemory, "{error:?}");
    assert!(
        stage.logs.messages().contains(&"[The function ran out of memory.]".to_owned()),
        "{:?}",
        stage.logs.messages()
    );
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}

/// More memory than usual is as well as less.
#[tokio::test]
async fn much_memory() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.memory_mb = 2048);
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}

/// Children are counted, and none of them is left when the instance is gone.
#[tokio::test]
async fn processes() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.max_processes = 20);
    let answer = stage.get(&spec, "/multiply").await.unwrap();
    let (count, reason) = answer.split_once(' ').unwrap();
    assert!((5..20).contains(&count.parse::<u32>().unwrap()) && reason == "operation would block", "{answer}");
    let function = stage.instance().pid;
    let children = children_of(function);
    assert!(children.len() >= 5);
    assert!(matches!(stage.get(&spec, "/exit").await.unwrap_err(), InvokeError::Failed(_)));
    until(|| !children.iter().any(|child| is_running(*child))).await;
}

/// All functions together leave the machine a quarter of the processes that it may have.
#[tokio::test]
async fn processes_of_all() {
    let stage = Stage::new();
    assert_eq!(stage.get(&stage.function_with(|_| {}), "/ok").await.unwrap(), "ok");
    let all = group_of(stage.instance().pid, "pids").parent().unwrap().join("pids.max");
    let all: u64 = std::fs::read_to_string(all).unwrap().trim().parse().expect("it is limited");
    let machine: u64 = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
    assert!(all <= machine / 4 * 3, "{all}");
}

/// The folder of a process's group in the tree of a controller.
fn group_of(pid: u32, controller: &str) -> PathBuf {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let is_meant = |line: &&str| line.split(':').nth(1).unwrap().split(',').any(|name| name == controller);
    let line = groups.lines().find(is_meant).unwrap_or_else(|| groups.lines().last().unwrap());
    let mounted = if line.starts_with("0::") { "/sys/fs/cgroup" } else { &format!("/sys/fs/cgroup/{controller}") };
    format!("{mounted}{}", line.splitn(3, ':').nth(2).unwrap()).into()
}

/// An instance leaves others a twentieth of the processors, whether it says nothing or that it may have more than there are; one that may have
/// less has that.
#[tokio::test]
async fn processors() {
    let most = std::thread::available_parallelism().unwrap().get() * 95_000;
    for (cpu_thousandths, quota) in [(None, most), (Some(256_000), most), (Some(500), 50_000)] {
        let stage = Stage::new();
        let spec = stage.function_with(|limits| limits.cpu_thousandths = cpu_thousandths);
        assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
        let group = group_of(stage.instance().pid, "cpu");
        let read = |file: &str| std::fs::read_to_string(group.join(file)).unwrap();
        let said = match std::fs::read_to_string(group.join("cpu.max")) {
            Ok(both) => both,
            Err(_) => format!("{} {}", read("cpu.cfs_quota_us").trim(), read("cpu.cfs_period_us")),
        };
        assert_eq!(said.trim(), format!("{quota} 100000"), "{cpu_thousandths:?}");
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap());
    lists.flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()).collect()
}

/// `/tmp` has an end before the memory has, and is empty in the next instance.
#[tokio::test]
async fn temporary_files() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.tmp_mb = 5);
    assert_eq!(stage.get(&spec, "/fill?/tmp").await.unwrap(), "5 no storage space");
    assert_eq!(stage.get(&spec, "/look?/tmp").await.unwrap(), "full");
    stage.get(&spec, "/exit").await.unwrap_err();
    assert_eq!(stage.get(&spec, "/look?/tmp").await.unwrap(), "");
    let small = stage.function();
    let mut small = ship_runtime::FunctionSpec { deployment: ship_core::DeploymentId::of_bytes(b"small"), ..small };
    small.function.limits.memory_mb = 64;
    assert_eq!(stage.get(&Arc::new(small), "/fill?/tmp").await.unwrap(), "32 no storage space");
}

/// Files without content are memory, too, and have an end before the memory has, as shared memory has one.
#[tokio::test]
async fn empty_files() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.memory_mb = 64);
    // The folder itself is one.
    assert_eq!(stage.get(&spec, "/fill-with-files").await.unwrap(), "16383 no storage space");
    assert_eq!(stage.get(&spec, "/fill?/dev/shm").await.unwrap(), "8 no storage space");
}

/// What the kernel counts for a user has an end in each cell, and what all cells take of it is none of the host's.
#[tokio::test]
async fn what_is_counted_for_users() {
    let stage = Stage::new();
    let usual = stage.function();
    // The kernel gives a user 128 watchers of files.
    for number in 0..10 {
        let deployment = ship_core::DeploymentId::of_bytes(&[number]);
        let spec = Arc::new(ship_runtime::FunctionSpec { deployment, ..usual.clone() });
        assert_eq!(stage.get(&spec, "/hoard").await.unwrap(), "16 watchers, 1024 signals");
    }
    if rustix::process::geteuid().is_root() {
        rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::empty()).expect("there is one left for root");
    }
}

/// A function sees the system's programs, its own folder and its own processes, and nothing of the host's or of its neighbours'.
#[tokio::test]
async fn what_is_seen() {
    let stage = Stage::new();
    let neighbour = stage.folder.path().join("neighbour");
    std::fs::create_dir(&neighbour).unwrap();
    std::fs::write(neighbour.join("secret"), "a secret").unwrap();
    let spec = stage.function_with(|_| {});
    let look = async |path: &str| stage.get(&spec, &format!("/look?{path}")).await.unwrap();
    assert_eq!(look("/var").await, "task tmp");
    assert_eq!(look("/var/task").await, "bootstrap");
    assert!(look("/").await.split(' ').all(|name| {
        [
            "bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "tmp", "usr", "var",
            ".ship", ".empty",
        ]
        .contains(&name)
    }));
    for hidden in ["/.ship", "/.ship/functions", "/.ship/functions/neighbour", "/root", "/home", "/sys", "/etc/shadow"]
    {
        let seen = look(hidden).await;
        assert!(["permission denied", "entity not found", ""].contains(&seen.as_str()), "{hidden}: {seen}");
    }
    let outside_path = neighbour.join("secret");
    assert_eq!(look(outside_path.to_str().unwrap()).await, "entity not found");
    assert!(look("/etc/passwd").await.ends_with(" bytes"));
    let processes = look("/proc").await;
    let processes: Vec<&str> = processes.split(' ').filter(|name| name.parse::<u32>().is_ok()).collect();
    assert_eq!(processes, ["1", "2"]);
    assert_eq!(look("/proc/1/environ").await, "permission denied");
    let own = outside(&stage.get(&spec, "/pid").await.unwrap());
    assert_eq!(own, stage.instance().pid);
}

/// A server on the host's own network that answers whatever it is told with its own name.
struct Neighbour {
    address: std::net::SocketAddr,
}

impl Neighbour {
    fn start() -> Self {
        use std::io::{Read as _, Write as _};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut said) = (stream.unwrap(), [0; 5]);
                if stream.read_exact(&mut said).is_ok() {
                    stream.write_all(b"neighbour").unwrap();
                }
            }
        });
        Self { address }
    }
}

/// Of what the kernel tells programs by sockets, a function hears about addresses alone, whichever network it sees.
#[tokio::test]
async fn news_of_the_kernel() {
    for network in [NetworkAccess::Public, NetworkAccess::All] {
        let stage = Stage::new();
        let spec = stage.function_with(|limits| limits.network = network);
        assert_eq!(stage.get(&spec, "/news").await.unwrap(), "0", "{network:?}");
    }
}

/// Memory that counts for nobody is not given to functions.
#[tokio::test]
async fn huge_pages() {
    let stage = Stage::new();
    assert_eq!(stage.get(&stage.function_with(|_| {}), "/huge-pages").await.unwrap(), "refused refused given");
}

/// Functions keep nothing on a disk, and have none write down what others gave it: the kernel is not even asked.
#[tokio::test]
async fn disks() {
    for network in [NetworkAccess::Public, NetworkAccess::All] {
        let stage = Stage::new();
        let spec = stage.function_with(|limits| limits.network = network);
        assert_eq!(stage.get(&spec, "/sync").await.unwrap(), "done, done, done, done", "{network:?}");
    }
}

/// A function without a network hears at once that there is no such name; why is in the log.
#[tokio::test]
async fn names_without_network() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.network = NetworkAccess::None);
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
    // A resolver without an answer waits for five seconds, and then once more.
    let asked = stage.get(&spec, "/connect?db.example:80");
    let answer = tokio::time::timeout(Duration::from_secs(4), asked).await.expect("it is answered at once").unwrap();
    assert_eq!(answer, "uncategorized error / a name");
    let said = "[The function may not ask for the name db.example: its network is `none`.]";
    stage.logs.until_said(said).await;
}

/// A port at which a function listens no more is free at once, and takes no connection: the host keeps nothing of it.
#[tokio::test]
async fn port_that_was_given_up() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    assert_eq!(stage.get(&spec, "/listen-again").await.unwrap(), "0 taken, 0 refused");
}

/// The machine's own services are not reached, unless the operator or the function's owner names them; why not is in the log.
#[tokio::test]
async fn network() {
    let neighbour = Neighbour::start();
    let asked = format!("/connect?{}", neighbour.address);
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    assert_eq!(stage.get(&spec, &asked).await.unwrap(), "connection refused / connection refused");
    for (address, reason) in [("169.254.169.254:80", "permission denied"), ("10.0.0.1:80", "permission denied")] {
        let answer = stage.get(&spec, &format!("/connect?{address}")).await.unwrap();
        assert_eq!(answer, format!("{reason} / {reason}"), "{address}");
        stage.logs.until_said(&format!("[The function may not connect to {address}: its network is `public`.]")).await;
    }
    assert_eq!(stage.get(&spec, "/reach-itself").await.unwrap(), "itself");
    // Whoever knocks everywhere does not fill the log, which says so.
    for last in 2..30 {
        stage.get(&spec, &format!("/connect?10.0.0.{last}:80")).await.unwrap();
    }
    stage.logs.until_said("[Those were 20 refusals. This instance's log tells no more of them.]").await;

    let own = Stage::new();
    let everywhere = own.function_with(|limits| limits.network = NetworkAccess::All);
    assert_eq!(own.get(&everywhere, &asked).await.unwrap(), "neighbour / neighbour");

    let logs = Arc::new(MemoryLog::default());
    let usual = options(stage.folder.path().join("other-run"), Arc::clone(&logs) as _, Duration::ZERO);
    let reach = Reach::Public { allowed: vec![neighbour.address.to_string().parse().unwrap()] };
    let runtime = Runtime::new(RuntimeOptions { reach, ..usual }).unwrap();
    let request = Request::get(&asked).header("host", "site.test").body(Empty::<Bytes>::new()).unwrap();
    let answer = text(runtime.invoke(&spec, fresh_id(), request).await.unwrap()).await.unwrap();
    assert_eq!(answer, "neighbour / neighbour");
    runtime.shutdown().await;
}
