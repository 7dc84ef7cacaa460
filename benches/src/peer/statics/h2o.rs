//! h2o: no log, a cache of open files, precompressed files.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Served, in_own_session, workers};

/// The command that serves files at `address`.
pub(super) fn command(program: &Path, served: Served<'_>, address: SocketAddr) -> io::Result<Command> {
    let configuration = served.folder.join("h2o.conf");
    let function = served.upstream.map_or_else(String::new, |socket| {
        format!("      /api:\n        proxy.reverse.url: \"http://[unix:{}]/api\"\n        proxy.timeout.keepalive: 600000\n", socket.display())
    });
    let text = format!(
        "user: root\nnum-threads: {}\nhttp1-request-timeout: 600\nlisten:\n  host: 127.0.0.1\n  port: {}\nfile.send-compressed: ON\nhosts:\n  default:\n    paths:\n{function}      /:\n        file.dir: {}\n",
        workers(),
        address.port(),
        served.root.display()
    );
    fs::write(&configuration, text)?;
    let mut command = in_own_session(program);
    command.args(["--mode", "worker", "--conf"]).arg(configuration);
    Ok(command)
}
