//! A function that does what its query says, most of it forbidden.

use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::exit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use http::{Request, Response};

const MEGABYTE: usize = 1 << 20;
const HOUR: Duration = Duration::from_secs(3600);
const SIGTERM: c_int = 15;
const IGNORED: usize = 1;

static ASKED: AtomicU32 = AtomicU32::new(0);
static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static FILES: Mutex<Vec<File>> = Mutex::new(Vec::new());

unsafe extern "C" {
    fn fork() -> c_int;
    fn setsid() -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn kill(process: c_int, signal: c_int) -> c_int;
}

/// Runs before `main`, where a program that is slow to start takes its time.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = start;

extern "C" fn start() {
    match std::env::var("SHIP_FUNCTION") {
        Ok(name) if name.starts_with("api/slow/") => thread::sleep(Duration::from_secs(9)),
        Ok(name) if name.starts_with("api/deaf/") => {
            println!("waiting for nothing");
            thread::sleep(HOUR);
        }
        _ => {}
    }
}

/// Forks twice, and has the second child do something in a session of its own.
fn fork_twice(act: fn()) {
    // SAFETY: the children use nothing that another thread may hold.
    unsafe {
        if fork() == 0 {
            setsid();
            if fork() == 0 {
                act();
            }
            exit(0);
        }
    }
}

fn speak() {
    loop {
        let _ = io::stdout().write_all(b"still here\n");
        thread::sleep(Duration::from_millis(10));
    }
}

fn never<T>() -> T {
    loop {
        thread::sleep(HOUR);
    }
}

fn read(path: &str) -> io::Result<String> {
    if fs::metadata(path)?.is_dir() {
        let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        return names.collect::<io::Result<Vec<String>>>().map(|names| names.join(" "));
    }
    fs::read(path).map(|content| String::from_utf8_lossy(&content).into_owned())
}

fn connect(path: &str) -> io::Result<UnixStream> {
    match path.strip_prefix('@') {
        Some(name) => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?),
        None => UnixStream::connect(path),
    }
}

fn fill() -> io::Result<String> {
    let mut file = File::create("/tmp/filler")?;
    let mut megabytes = 0;
    while file.write_all(&vec![0; MEGABYTE]).is_ok() {
        megabytes += 1;
    }
    Ok(megabytes.to_string())
}

fn processes() -> io::Result<String> {
    let ids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let lines: io::Result<Vec<String>> = ids.map(|id| read(&format!("/proc/{id}/cmdline"))).collect();
    lines.map(|lines| lines.join("\n").replace('\0', " "))
}

fn misbehave(what: &str, parameter: &str) -> io::Result<String> {
    let behaved = || Ok("behaved".to_owned());
    match what {
        "never" => never(),
        "busy" => loop {
            std::hint::spin_loop();
        },
        "throw" => panic!("thrown"),
        "exit" => exit(3),
        "every-second" if ASKED.fetch_add(1, Ordering::Relaxed) % 2 == 1 => exit(3),
        "segfault" => {
            // SAFETY: it is not, which is the point.
            unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };
            never()
        }
        "daemon" => {
            fork_twice(never);
            behaved()
        }
        "outlive" => {
            fork_twice(speak);
            never()
        }
        "fork" => loop {
            // SAFETY: as above.
            if unsafe { fork() } == 0 {
                never()
            }
        },
        "ignore" => {
            // SAFETY: to ignore a signal is always possible.
            unsafe { signal(SIGTERM, IGNORED) };
            fork_twice(never);
            behaved()
        }
        "flood" => {
            for _ in 0..64 {
                io::stdout().write_all(&vec![b'x'; MEGABYTE])?;
            }
            Ok("flooded".to_owned())
        }
        "descriptors" => {
            let mut files = FILES.lock().expect("nobody panics");
            while let Ok(file) = File::open("/dev/null") {
                files.push(file);
            }
            Ok(files.len().to_string())
        }
        "tmp" => fill(),
        "memory" => loop {
            KEPT.lock().expect("nobody panics").push(vec![1; MEGABYTE]);
        },
        "spin" => {
            for _ in 0..thread::available_parallelism()?.get() {
                thread::spawn(|| loop {
                    std::hint::spin_loop();
                });
            }
            never()
        }
        "read" => read(parameter),
        "connect" => connect(parameter).map(|_| "connected".to_owned()),
        "dial" => {
            let address = parameter.parse().map_err(io::Error::other)?;
            TcpStream::connect_timeout(&address, Duration::from_secs(5)).map(|_| "connected".to_owned())
        }
        "signal" => {
            let process = parameter.parse().map_err(io::Error::other)?;
            // SAFETY: signal 0 asks whether it could be sent.
            if unsafe { kill(process, 0) } == 0 { Ok("there".to_owned()) } else { Err(io::Error::last_os_error()) }
        }
        "processes" => processes(),
        _ => behaved(),
    }
}

pub async fn handler(request: Request<Vec<u8>>) -> Result<Response<String>, http::Error> {
    let query = request.uri().query().unwrap_or_default().trim_start_matches("do=");
    let (what, parameter) = query.split_once('&').unwrap_or((query, ""));
    let parameter = parameter.split_once('=').unwrap_or_default().1;
    match misbehave(what, parameter) {
        Ok(text) => Response::builder().body(text + "\n"),
        Err(error) => Response::builder().status(403).body(format!("{error}\n")),
    }
}
