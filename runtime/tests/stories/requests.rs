//! A request and its answer, and what a function finds around it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::Empty;
use ship_core::{FunctionRuntime, PlatformError};
use ship_runtime::{FailureReason, InstanceState, Interpreters, InvokeError, Runtime, RuntimeOptions, SpawnError};

use crate::support::{Stage, fresh_id, identity, options, put_program, text};

/// A sleeping function answers the first request, and the next ones on the same connection.
#[tokio::test]
async fn first_and_next() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    assert_eq!(stage.runtime.instances(), []);
    for _ in 0..3 {
        assert_eq!(stage.get(&spec, "/connection").await.unwrap(), "0");
    }
    let instance = stage.instance();
    assert_eq!((instance.state, instance.in_flight), (InstanceState::Ready, 0));
    assert_eq!(stage.get(&spec, "/pid").await.unwrap(), identity(instance.pid));
}

/// An interpreter is called by its path. By a bare name, Python would look for its library beside whatever Python the search
/// path of functions has.
#[tokio::test]
async fn interpreters_by_path() {
    let stage = Stage::new();
    let folder = stage.folder.path().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    put_program(&folder.join("python3"));
    let usual = options(stage.folder.path().join("other-run"), Arc::clone(&stage.logs) as _, Duration::ZERO);
    let runtime = Runtime::new(RuntimeOptions { interpreters: Interpreters::new([folder.clone()]), ..usual }).unwrap();
    let mut spec = stage.function();
    spec.function.runtime = FunctionRuntime::Python;
    // A process that was prepared was called with its prelude; what has this variable is started afresh.
    spec.env = vec![("LANG".to_owned(), "C".to_owned())].into();
    let request = Request::get("/about").header("host", "site.test").body(Empty::<Bytes>::new()).unwrap();
    let about = text(runtime.invoke(&Arc::new(spec), fresh_id(), request).await.unwrap()).await.unwrap();
    let expected = format!(r#"argv ["{}/python3", "-I", "-u", "-B", "launcher.py"]"#, folder.display());
    assert_eq!(about.lines().find(|line| line.starts_with("argv")), Some(expected.as_str()));
    runtime.shutdown().await;
}

/// A process finds its arguments, its folder, four descriptors, default signal handling, a group of its own, and exactly
/// the environment that it was promised. Nothing of the host leaks into it.
#[tokio::test]
async fn what_a_function_finds() {
    // A descriptor that is not closed on execution, as a host may have inherited from whatever started it.
    let inherited = rustix::io::dup(std::fs::File::open("/dev/zero").unwrap()).unwrap();
    ignore_a_signal();
    let stage = Stage::new();
    let mut spec = stage.function();
    spec.env =
        [("GREETING", "hello"), ("SHIP_PROJECT", "forged")].map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec().into();
    let about = stage.get(&Arc::new(spec.clone()), "/about").await.unwrap();
    let lines = |kind: &str| -> Vec<String> {
        about.lines().filter_map(|line| Some(line.strip_prefix(kind)?.trim().to_owned())).collect()
    };
    assert_eq!(lines("argv"), [r#"["./bootstrap"]"#]);
    assert_eq!(lines("cwd"), ["/var/task"]);
    assert_eq!(lines("group"), ["2"]);
    assert_eq!(
        lines("env"),
        [
            "GOMEMLIMIT=460MiB".to_owned(),
            "GREETING=hello".to_owned(),
            "HOME=/tmp".to_owned(),
            "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
            format!("SHIP_DEPLOYMENT={}", spec.deployment),
            "SHIP_FUNCTION=api/story".to_owned(),
            "SHIP_LISTEN_FD=3".to_owned(),
            "SHIP_PROJECT=story".to_owned(),
            "TMPDIR=/tmp".to_owned(),
            "TZ=UTC".to_owned(),
        ]
    );
    // Apart from its own: the accepted connections and the folder that it is listing.
    let mut kinds: Vec<String> = lines("fd").iter().map(|line| kind_of(line)).collect();
    kinds.sort_by_key(|kind| kind.split(' ').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(&kinds[..4], ["0 /dev/null", "1 pipe", "2 pipe", "3 socket"]);
    assert!(kinds[4..].iter().all(|kind| kind.ends_with("socket") || kind.ends_with("/fd")), "{kinds:?}");
    drop(inherited);
    assert_eq!(lines("SigBlk:"), ["0000000000000000"]);
    // The test's own program ignores SIGPIPE, as every Rust program does on its own account; nothing else is ignored.
    // (Two signals above 31 belong to the C library, which treats them as it likes.)
    let ignored = u64::from_str_radix(&lines("SigIgn:")[0], 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 1 << (13 - 1));
}

/// An ignored signal would stay ignored in what the host starts.
#[expect(unsafe_code, reason = "the standard library has no name for this")]
fn ignore_a_signal() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
}

fn kind_of(line: &str) -> String {
    line.split(":[").next().unwrap().to_owned()
}

/// The function sees the request's id and the path, not the visitor's protocol version.
#[tokio::test]
async fn request_head() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let id = fresh_id();
    let request = Request::get("/head?a=b").version(Version::HTTP_10).header("host", "site.test");
    let request = request.header("x-ship-id", "forged").body(Empty::<Bytes>::new()).unwrap();
    let response = stage.runtime.invoke(&spec, id, request).await.unwrap();
    let expected = format!("GET /head?a=b HTTP/1.1\r\nhost: site.test\r\nx-ship-id: {id}\r\n\r\n");
    assert_eq!(text(response).await.unwrap(), expected);
}

/// A check starts the function and leaves it warm; the function's own code is not asked.
#[tokio::test]
async fn check() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    stage.runtime.check(&spec).await.unwrap();
    assert_eq!(stage.instance().state, InstanceState::Ready);
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}

/// A function whose program is missing says which.
#[tokio::test]
async fn no_program() {
    let stage = Stage::new();
    let mut spec = stage.function();
    spec.root = stage.folder.path().join("elsewhere");
    let error = stage.get(&Arc::new(spec.clone()), "/ok").await.unwrap_err();
    assert_eq!(error.platform_error(), PlatformError::FunctionInvocationFailed);
    let InvokeError::Failed(failure) = error else { panic!("{error:?}") };
    let FailureReason::Spawn(SpawnError::Program { program, .. }) = &failure.reason else { panic!("{failure:?}") };
    assert_eq!(*program, spec.root.join("bootstrap"));
}

/// A variable that cannot stand in an environment is refused by name.
#[tokio::test]
async fn impossible_variable() {
    let stage = Stage::new();
    let mut spec = stage.function();
    spec.env = vec![("A=B".to_owned(), "c".to_owned())].into();
    let error = stage.runtime.check(&Arc::new(spec)).await.unwrap_err();
    let InvokeError::Failed(failure) = &error.source else { panic!("{error:?}") };
    assert_eq!(failure.to_string(), "its process could not be started");
    let source = std::error::Error::source(failure.as_ref()).unwrap();
    assert_eq!(
        source.to_string(),
        r#"the environment variable "A=B" is empty, or has a `=` in its name or a NUL byte"#
    );
}
