//! Releases as a project publishes them: lists that are signed with a key, in a folder or on a server.

use std::fs;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use blake2::{Blake2b512, Digest as _};
use data_encoding::{BASE64, HEXLOWER};
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::PATIENCE;
use crate::http::read_request_head;

/// The number of the key, which minisign puts beside it.
const KEY_NUMBER: [u8; 8] = *b"releases";

/// What signatures say of themselves. It is signed, too.
const COMMENT: &str = "a release of ship";

/// A project's releases, in a folder that is laid out as servers serve them.
#[derive(Debug)]
pub struct Releases {
    folder: PathBuf,
    key: Ed25519KeyPair,
}

impl Releases {
    /// No release yet, in a new folder. Who has the same `seed` has the same key.
    pub fn new(folder: &Path, seed: u8) -> Self {
        fs::create_dir_all(folder.join("latest")).expect("the folder is writable");
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("any 32 bytes are a seed");
        Self { folder: folder.to_owned(), key }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The public key, as minisign prints it.
    pub fn public_key(&self) -> String {
        BASE64.encode(&[b"Ed".as_slice(), &KEY_NUMBER, self.key.public_key().as_ref()].concat())
    }

    /// Publishes a release as the newest: `program` for this machine.
    pub fn publish(&self, version: &str, program: &[u8]) {
        let name = format!("ship-{version}-{}-unknown-linux-gnu", std::env::consts::ARCH);
        let archive = archive(&format!("{name}/ship"), program);
        let list = format!("{}  {name}.tar.gz\n", HEXLOWER.encode(digest(&SHA256, &archive).as_ref()));
        self.write(version, &format!("{name}.tar.gz"), &archive);
        self.list(version, &list);
        let newest = self.folder.join("latest/download");
        let _ = fs::remove_file(&newest);
        symlink(format!("../download/v{version}"), newest).expect("the folder is writable");
    }

    /// Publishes what a release lists, signed.
    pub fn list(&self, version: &str, list: &str) {
        self.write(version, "SHA256SUMS", list.as_bytes());
        self.write(version, "SHA256SUMS.minisig", self.sign(list.as_bytes()).as_bytes());
    }

    /// Puts a file of a release there, whatever is listed.
    pub fn write(&self, version: &str, name: &str, content: &[u8]) {
        let folder = self.release(version);
        fs::create_dir_all(&folder).expect("the folder is writable");
        fs::write(folder.join(name), content).expect("the folder is writable");
    }

    /// The folder of a release.
    pub fn release(&self, version: &str) -> PathBuf {
        self.folder.join(format!("download/v{version}"))
    }

    /// The archive of a release.
    pub fn archive(&self, version: &str) -> PathBuf {
        self.release(version).join(format!("ship-{version}-{}-unknown-linux-gnu.tar.gz", std::env::consts::ARCH))
    }

    /// A signature in the form of minisign's: of a digest of the bytes, and of that signature with its comment.
    fn sign(&self, bytes: &[u8]) -> String {
        let signature = self.key.sign(&Blake2b512::digest(bytes));
        let both = self.key.sign(&[signature.as_ref(), COMMENT.as_bytes()].concat());
        let signature = BASE64.encode(&[b"ED".as_slice(), &KEY_NUMBER, signature.as_ref()].concat());
        let both = BASE64.encode(both.as_ref());
        format!("untrusted comment: signature\n{signature}\ntrusted comment: {COMMENT}\n{both}\n")
    }
}

fn archive(path: &str, program: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, path, program).expect("memory takes an archive");
    archive.into_inner().and_then(GzEncoder::finish).expect("memory takes an archive")
}

/// A server of releases, which stops in the middle of each archive. It lives as long as the story's process.
#[derive(Debug)]
pub struct ReleaseServer {
    address: String,
    halves: Receiver<Half>,
}

/// An archive of which the first half was sent.
#[derive(Debug)]
pub struct Half {
    connection: TcpStream,
    rest: Vec<u8>,
}

impl ReleaseServer {
    /// A server of the releases in a folder.
    pub fn start(releases: &Releases) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address").to_string();
        let (sender, halves) = channel();
        let folder = releases.folder.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (folder, sender) = (folder.clone(), sender.clone());
                thread::spawn(move || serve(connection, &folder, &sender));
            }
        });
        Self { address, halves }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until somebody has half of an archive.
    #[track_caller]
    pub fn half(&self) -> Half {
        self.halves.recv_timeout(PATIENCE).expect("somebody fetches an archive")
    }
}

impl Half {
    /// Sends the rest.
    pub fn send_rest(mut self) {
        self.connection.write_all(&self.rest).expect("somebody fetches it");
    }

    /// Ends the connection there.
    pub fn cut(self) {
        drop(self);
    }
}

fn serve(connection: TcpStream, folder: &Path, halves: &Sender<Half>) {
    let mut reader = BufReader::new(connection.try_clone().expect("a socket can be shared"));
    let mut connection = connection;
    while let Some(head) = read_request_head(&mut reader) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let Ok(content) = fs::read(folder.join(path.trim_start_matches('/'))) else {
            let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            continue;
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len());
        let sent = if path.ends_with(".tar.gz") { content.len() / 2 } else { content.len() };
        let begun = [head.as_bytes(), &content[..sent]].concat();
        if connection.write_all(&begun).is_err() {
            return;
        }
        if sent < content.len() {
            // Whoever takes it sends the rest, or does not.
            let _ = halves.send(Half { connection, rest: content[sent..].to_vec() });
            return;
        }
    }
}
