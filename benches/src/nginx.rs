//! nginx as somebody who knows it well would configure it: what ship's serving is held against.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

/// A running nginx. It ends when it is dropped.
pub(crate) struct Nginx {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
}

/// The program, if it is installed.
pub(crate) fn program() -> Option<PathBuf> {
    ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.is_file())
}

impl Nginx {
    /// Starts nginx with as many workers as there are cores, serving the files below `root`, and what listens at the Unix
    /// socket `upstream` below `/api/`. Everything it writes stands in `folder`.
    pub(crate) fn start(program: &Path, folder: &Path, root: &Path, upstream: Option<&Path>) -> std::io::Result<Self> {
        // It inherits its listening socket: the first connection waits for it, so nobody has to ask whether it is ready.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        fcntl_setfd(&listener, FdFlags::empty())?;
        let address = listener.local_addr()?;
        fs::create_dir_all(folder)?;
        let configuration = folder.join("nginx.conf");
        fs::write(&configuration, configured(folder, root, upstream, address))?;
        // In a session of its own, as hosts are: where the kernel shares processors out by session, both have as much.
        let child = Command::new("setsid")
            .arg(program)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&configuration)
            .env("NGINX", format!("{};", listener.as_raw_fd()))
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { address, child })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers when it is asked to end; killed, it would leave them behind.
        ship_tests::Process::with_id(self.child.id()).signal(rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn configured(folder: &Path, root: &Path, upstream: Option<&Path>, address: SocketAddr) -> String {
    let (folder, root) = (folder.display(), root.display());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (function, location) = upstream.map_or_else(Default::default, |socket| {
        (
            format!("upstream function {{ server unix:{}; keepalive 512; }}", socket.display()),
            "location /api/ { proxy_pass http://function; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
             proxy_set_header Host $host; }",
        )
    });
    format!(
        "daemon off; user root; worker_processes {workers}; pid {folder}/pid; error_log {folder}/error.log crit;
         events {{ worker_connections 4096; }}
         http {{
             access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
             keepalive_requests 1000000000; keepalive_timeout 600s;
             open_file_cache max=20000 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
             types {{ text/html html; text/plain txt; application/octet-stream bin; }}
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
             uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
             {function}
             server {{ listen {address}; root {root}; {location} }}
         }}
"
    )
}
