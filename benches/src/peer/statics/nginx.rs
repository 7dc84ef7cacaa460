//! nginx: sendfile, a cache of open files, no access log, precompressed files.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Served, in_own_session, workers};

/// Debian's module for precompressed files in brotli; gzip is built in.
const BROTLI_MODULE: &str = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";

/// The command that serves files at `address`.
pub(super) fn command(program: &Path, served: Served<'_>, address: SocketAddr) -> io::Result<Command> {
    let configuration = served.folder.join("nginx.conf");
    fs::write(&configuration, configured(served, address))?;
    let mut command = in_own_session(program);
    command.arg("-p").arg(served.folder).arg("-c").arg(&configuration);
    Ok(command)
}

fn configured(served: Served<'_>, address: SocketAddr) -> String {
    let (folder, root, workers) = (served.folder.display(), served.root.display(), workers());
    let (module, brotli) = if Path::new(BROTLI_MODULE).is_file() {
        (format!("load_module {BROTLI_MODULE};"), "brotli_static on;")
    } else {
        (String::new(), "")
    };
    let (function, location) = served.upstream.map_or_else(Default::default, |socket| {
        (
            format!("upstream function {{ server unix:{}; keepalive 512; }}", socket.display()),
            "location /api/ { proxy_pass http://function; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
             proxy_set_header Host $host; }",
        )
    });
    format!(
        "{module}
         daemon off; user root; worker_processes {workers}; pid {folder}/pid; error_log {folder}/error.log crit;
         events {{ worker_connections 4096; }}
         http {{
             access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; gzip_static on; {brotli}
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
