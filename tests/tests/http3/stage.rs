//! A host that speaks HTTP/3, and a site to ask for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ship_tests::http3::Connection;
use ship_tests::{TestAuthority, TestEnv, TestHost};

/// A function that does what its query says.
const FUNCTION: &str = r"
import net from 'node:net';

export const config = { api: { bodyParser: false } };

export default async function (request, response) {
  const query = new URL(request.url, 'http://here').searchParams;
  if (query.has('echo')) {
    let length = 0;
    for await (const piece of request) length += piece.length;
    response.setHeader('trailer', 'x-sum');
    response.write(JSON.stringify({
      method: request.method, length, host: request.headers.host, cookie: request.headers.cookie,
      proto: request.headers['x-forwarded-proto'], framing: request.headers['transfer-encoding'],
      declared: request.headers['content-length'], trailer: request.trailers['x-of-visitor'],
    }));
    response.addTrailers({ 'x-sum': '42' });
    return response.end();
  }
  const [host, port] = query.get('gate').split(':');
  const gate = net.connect(Number(port), host, () => gate.write('arrived\n'));
  gate.on('error', () => {});
  response.on('close', () => gate.destroy());
  if (query.has('silent')) return new Promise((resolve) => response.on('close', resolve));
  response.setHeader('content-type', 'text/event-stream');
  response.write('data: begun\n\n');
  await new Promise((resolve) => gate.once('data', resolve));
  response.end('data: finished\n\n');
}
";

/// How large the large file is, in bytes.
pub(crate) const LARGE_BYTES: usize = 64 * 1024 * 1024;

/// A host with TLS and a site.
pub(crate) struct Stage<'e> {
    pub(crate) host: TestHost<'e>,
    pub(crate) authority: TestAuthority,
    /// The site's name, and the port at which it is served.
    pub(crate) name: String,
}

impl<'e> Stage<'e> {
    pub(crate) fn start(environment: &'e TestEnv) -> Self {
        Self::start_with(environment, &[])
    }

    pub(crate) fn start_with(environment: &'e TestEnv, further: &[&str]) -> Self {
        let authority = TestAuthority::new();
        let (certificate, key) = authority.write(&environment.folder().join("pair"), &["*.ship.test"]);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the key is the story's");
        let files = [certificate, key].map(|path| path.display().to_string());
        let [certificate, key] = &files;
        let tls = ["--domain", "ship.test", "--tls-listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        let host = TestHost::start_with(environment, &[&tls, further].concat());
        let project = environment
            .project("site")
            .file("ship.toml", "[functions.\"**\"]\nnetwork = \"all\"\ntimeout_secs = 600\n")
            .file("public/index.html", "<p>here</p>")
            .file("public/404.html", "<p>nowhere</p>")
            .file("public/style.css", "p { color: teal }".repeat(500))
            .file("public/large.bin", large())
            .file("api/function.js", FUNCTION);
        let _ = host.ship(["deploy", "--prod"]).within(project.folder()).run().success();
        let name = host.secure_url("site.ship.test").replace("https://", "");
        Self { host, authority, name }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.authority, &self.name).expect("the host speaks HTTP/3")
    }

    /// A URL of the site.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.name)
    }

    /// The port at which it is served, over TCP and over UDP.
    pub(crate) fn port(&self) -> u16 {
        self.name.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the name ends in a port")
    }
}

/// Bytes that no compression makes smaller, and that are somewhere else everywhere.
pub(crate) fn large() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..LARGE_BYTES / 8).flat_map(|_| next()).collect()
}
