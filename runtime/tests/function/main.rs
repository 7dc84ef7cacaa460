//! A function that behaves as the tests ask it to: well, badly, or not at all. The path of a request chooses; the
//! environment chooses how it boots. It speaks HTTP/1.1 by hand, so that it can break every rule of it.
#![expect(clippy::print_stdout, clippy::print_stderr, clippy::exit, reason = "a function prints and exits")]
#![expect(unsafe_code, reason = "an inherited descriptor can only be taken on trust")]

mod http;

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use http::{Exchange, Request};

/// Whether every new connection is closed at once, as Node does that has no descriptor for it.
static REFUSES: AtomicBool = AtomicBool::new(false);

fn main() -> io::Result<()> {
    if env::args().next().as_deref() == Some(ship_runtime::NURSERY_NAME) {
        ship_runtime::nursery();
        return Ok(());
    }
    if env::var_os("LINGER").is_some() {
        park();
    }
    if env::var_os("IGNORE_SIGTERM").is_some() {
        // SAFETY: ignoring a signal installs no code.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    }
    if let Some(gate) = env::var_os("BOOT_GATE") {
        // Opening a named pipe waits until the test opens its other end.
        fs::read(gate)?;
    }
    if let Ok(code) = env::var("BOOT_EXIT") {
        eprintln!("cannot read the configuration");
        process::exit(code.parse().unwrap_or(1));
    }
    println!("booted");
    // SAFETY: the runtime promises a listening socket on this descriptor, and nothing else here uses it.
    let listener = unsafe { UnixListener::from_raw_fd(3) };
    for (number, stream) in listener.incoming().enumerate() {
        let stream = stream?;
        if REFUSES.load(Ordering::SeqCst) {
            continue;
        }
        // Where no more threads may be, whoever connects is not answered; those before go on.
        let _ = thread::Builder::new().spawn(move || serve(Exchange::new(number, stream)));
    }
    Ok(())
}

/// Answers the requests of one connection.
fn serve(mut exchange: Exchange) {
    while let Ok(Some(request)) = exchange.next_request() {
        if answer(&request, &mut exchange).is_err() || request.wants_close() {
            return;
        }
    }
}

fn answer(request: &Request, exchange: &mut Exchange) -> io::Result<()> {
    if request.header("x-ship-check").is_some() {
        return exchange.raw("HTTP/1.1 204 No Content\r\n\r\n");
    }
    match request.path() {
        "/ok" => exchange.text("ok"),
        "/connection" => exchange.text(&exchange.number.to_string()),
        "/pid" => exchange.text(&identity(process::id())),
        "/about" => exchange.text(&about()),
        "/head" => exchange.text(&request.head),
        "/echo" => exchange.echo(request),
        "/swallow" => exchange.swallow(),
        "/ignore-body" => exchange.text("not interested"),
        "/log" => {
            for line in request.query().split('+') {
                println!("{line}");
            }
            exchange.text("logged")
        }
        "/print-raw" => {
            io::stdout().write_all(b"half \xe2\x82\nbinary \x00\xff\nwithout end")?;
            io::stdout().flush()?;
            exchange.text("printed")
        }
        "/flood-logs" => flood(request.query().parse().unwrap_or(0)).and_then(|()| exchange.text("flooded")),
        "/child" => exchange.text(&identity(start_child()?)),
        "/leak" => leak(),
        "/connect" => exchange.text(&connect(request.query())),
        "/multiply" => exchange.text(&multiply()),
        "/listen-again" => exchange.text(&listen_again()),
        "/reach-itself" => exchange.text(reach_itself()?),
        "/fill" => exchange.text(&fill(request.query())),
        "/fill-with-files" => exchange.text(&fill_with_files()),
        "/sync" => exchange.text(&sync()),
        "/huge-pages" => exchange.text(&huge_pages()),
        "/news" => exchange.text(&news()),
        "/hoard" => exchange.text(&hoard()),
        "/look" => exchange.text(&look(request.query())),
        "/upgrade" => exchange.upgrade(),
        "/refuse" => {
            REFUSES.store(true, Ordering::SeqCst);
            exchange.raw("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 7\r\n\r\nrefuses")
        }
        path if path.starts_with("/hang") => hang(path, exchange),
        path if path.starts_with("/exit") => exit(path, exchange),
        path => exchange.break_rules(path),
    }
}

/// Names a process for those outside as well, who have other numbers: by its namespace and its number there.
fn identity(pid: u32) -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {pid}", namespace.display())
}

/// Arguments, working directory, environment, descriptors, and process group, one per line.
fn about() -> String {
    let mut lines = vec![
        format!("argv {:?}", env::args().collect::<Vec<_>>()),
        format!("cwd {}", env::current_dir().unwrap_or_default().display()),
    ];
    lines.extend(env::vars().map(|(name, value)| format!("env {name}={value}")));
    for entry in fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        if let Ok(target) = fs::read_link(entry.path()) {
            lines.push(format!("fd {} {}", entry.file_name().display(), target.display()));
        }
    }
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    lines.extend(status.lines().filter(|line| line.starts_with("Sig")).map(str::to_owned));
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    lines.push(format!("group {}", stat.split(' ').nth(4).unwrap_or_default()));
    lines.sort();
    lines.join("\n")
}

fn flood(bytes: usize) -> io::Result<()> {
    let piece = vec![b'x'; 64 * 1024];
    let mut stdout = io::stdout();
    for _ in 0..bytes / piece.len() {
        stdout.write_all(&piece)?;
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}

/// A child process in the same group that never ends by itself.
fn start_child() -> io::Result<u32> {
    Command::new("/proc/self/exe").env("LINGER", "1").spawn().map(|child| child.id())
}

/// Connects to an address, waiting and not waiting, and says something. What comes back, or why nothing does.
fn connect(address: &str) -> String {
    let exchange = |stream: io::Result<TcpStream>| -> io::Result<String> {
        let mut stream = stream?;
        stream.write_all(b"hello")?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    let told = |stream| exchange(stream).unwrap_or_else(|error| error.kind().to_string());
    let waiting = told(TcpStream::connect(address));
    let not_waiting = match address.parse() {
        Ok(address) => told(TcpStream::connect_timeout(&address, Duration::from_secs(5))),
        Err(_) => "a name".to_owned(),
    };
    format!("{waiting} / {not_waiting}")
}

/// Whether a process reaches itself: over the loopback, and by a local socket.
fn reach_itself() -> io::Result<&'static str> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    drop((client, server));
    let path = "/tmp/own.sock";
    let listener = UnixListener::bind(path)?;
    let client = UnixStream::connect(path)?;
    let (server, _) = listener.accept()?;
    drop((client, server));
    fs::remove_file(path)?;
    Ok("itself")
}

/// Listens on a port and ends that, many times. How often somebody was there all the same who took a connection, and how often the port could
/// not be had again.
fn listen_again() -> String {
    let (mut taken, mut refused) = (0, 0);
    // None of those that the kernel gives to who connects: it could connect to itself.
    for port in 20_000..20_200 {
        let address = ("127.0.0.1", port);
        drop(TcpListener::bind(address).expect("it is free"));
        taken += usize::from(TcpStream::connect(address).is_ok());
        refused += usize::from(TcpListener::bind(address).is_err());
    }
    format!("{taken} taken, {refused} refused")
}

/// Takes memory for ever.
fn leak() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1024 * 1024]);
    }
}

/// Starts children that never end until no more can be started. How many, and why no more.
fn multiply() -> String {
    for count in 0.. {
        if let Err(error) = start_child() {
            return format!("{count} {}", error.kind());
        }
    }
    unreachable!("there is an end to everything")
}

/// What is said when the disk is to write down a file that is not there, or memory is to forget it: a kernel that is asked finds that out.
fn sync() -> String {
    let no_file = -1;
    // SAFETY: the calls take integers.
    let answers = unsafe {
        let forget = libc::posix_fadvise(no_file, 0, 0, libc::POSIX_FADV_DONTNEED);
        [libc::fsync(no_file), libc::fdatasync(no_file), libc::syncfs(no_file), forget]
    };
    answers.map(|answer| if answer == 0 { "done" } else { "no such file" }.to_owned()).join(", ")
}

/// What becomes of who asks for huge pages, as memory and as a file in memory, and for usual ones.
fn huge_pages() -> String {
    let (protection, usual) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: new memory is asked for, and nobody uses it; the name ends with NUL.
    let asked = unsafe {
        [
            libc::mmap(std::ptr::null_mut(), 2 << 20, protection, usual | libc::MAP_HUGETLB, -1, 0) as isize,
            libc::memfd_create(c"huge".as_ptr(), libc::MFD_HUGETLB) as isize,
            libc::mmap(std::ptr::null_mut(), 2 << 20, protection, usual, -1, 0) as isize,
        ]
    };
    asked.map(|given| if given == -1 { "refused" } else { "given" }.to_owned()).join(" ")
}

/// The kernel's protocols of news that there are sockets for.
fn news() -> String {
    // SAFETY: the call takes integers.
    let is_there = |protocol| unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_DGRAM, protocol) } >= 0;
    let there: Vec<String> =
        (0..32).filter(|protocol| is_there(*protocol)).map(|protocol| protocol.to_string()).collect();
    there.join(" ")
}

/// Takes what the kernel counts for a user and not for a process, and keeps it: watchers of files, and signals that wait.
fn hoard() -> String {
    let (mut watchers, mut signals) = (0, 0);
    // SAFETY: the calls take integers and values of plain numbers, which outlive them; the signal is blocked where it is sent to.
    unsafe {
        while libc::inotify_init1(0) >= 0 {
            watchers += 1;
        }
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        let mut about: libc::siginfo_t = std::mem::zeroed();
        about.si_code = libc::SI_QUEUE;
        let send = libc::SYS_rt_tgsigqueueinfo;
        while libc::syscall(send, libc::getpid(), libc::gettid(), libc::SIGRTMIN(), &raw const about) == 0 {
            signals += 1;
        }
    }
    format!("{watchers} watchers, {signals} signals")
}

/// Makes files in `/tmp` until there is no room. How many, and why no more.
fn fill_with_files() -> String {
    for count in 0.. {
        if let Err(error) = fs::File::create(format!("/tmp/{count}")) {
            return format!("{count} {}", error.kind());
        }
    }
    unreachable!("there is an end to everything")
}

/// Writes to a folder until there is no room. How many MiB, and why no more.
fn fill(folder: &str) -> String {
    let piece = vec![b'x'; 1024 * 1024];
    let mut file = fs::File::create(format!("{folder}/full")).expect("it is writable");
    for count in 0.. {
        if let Err(error) = file.write_all(&piece) {
            return format!("{count} {}", error.kind());
        }
    }
    unreachable!("there is an end to everything")
}

/// What there is at a path: a folder's names, the size of a file, or why it cannot be read.
fn look(path: &str) -> String {
    if let Ok(entries) = fs::read_dir(path) {
        let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().display().to_string()).collect();
        names.sort();
        return names.join(" ");
    }
    fs::read(path).map_or_else(|error| error.kind().to_string(), |bytes| format!("{} bytes", bytes.len()))
}

/// Ways of not answering. Each says that it has begun, and says so when the other side has closed the connection.
fn hang(path: &str, exchange: &mut Exchange) -> io::Result<()> {
    match path {
        "/hang/mid-body" => exchange.raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")?,
        "/hang/unread" => {
            println!("hanging");
            park();
        }
        _ => {}
    }
    println!("hanging");
    let mut rest = Vec::new();
    exchange.stream.read_to_end(&mut rest)?;
    println!("cancelled");
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// Ways of dying.
fn exit(path: &str, exchange: &mut Exchange) -> io::Result<()> {
    match path {
        "/exit/abort" => process::abort(),
        "/exit/after" => exchange.text("goodbye")?,
        "/exit/mid-chunked" => exchange.raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")?,
        "/exit/mid-length" => exchange.raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst")?,
        "/exit/mid-close" => exchange.raw("HTTP/1.1 200 OK\r\n\r\nfirst")?,
        "/exit/end-of-close" => {
            exchange.raw("HTTP/1.1 200 OK\r\n\r\nall of it")?;
            process::exit(0);
        }
        _ => eprintln!("something is wrong"),
    }
    process::exit(3);
}

fn park() -> ! {
    loop {
        thread::park();
    }
}
