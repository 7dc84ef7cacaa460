//! Caddy: no log, no admin interface, precompressed files.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Served, in_own_session};

/// The command that serves files at `address`.
pub(super) fn command(program: &Path, served: Served<'_>, address: SocketAddr) -> io::Result<Command> {
    let configuration = served.folder.join("Caddyfile");
    let function = served.upstream.map_or_else(String::new, |socket| {
        format!("handle /api/* {{\n reverse_proxy unix/{} {{\n transport http {{\n keepalive_idle_conns_per_host 512\n }}\n }}\n }}\n", socket.display())
    });
    let root = served.root.display();
    let text = format!(
        "{{\n admin off\n auto_https off\n}}\nhttp://:{} {{\n bind 127.0.0.1\n {function} handle {{\n root * {root}\n file_server {{\n precompressed br gzip\n }}\n }}\n}}\n",
        address.port()
    );
    fs::write(&configuration, text)?;
    let mut command = in_own_session(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(configuration);
    command.env("HOME", served.folder).env("XDG_DATA_HOME", served.folder).env("XDG_CONFIG_HOME", served.folder);
    Ok(command)
}
