//! Fetching a toolchain: who is asked, and what is refused.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// An environment that knows no Go, with this `GOPROXY`.
fn environment(folder: &Path, proxy: &str) -> BuildEnvironment {
    let variables = [("GOPROXY", proxy), ("HOME", "/nonexistent")].map(|(name, value)| (name.into(), value.into()));
    BuildEnvironment::new(
        folder.join("cache"),
        folder.join("toolchains"),
        BTreeMap::<OsString, OsString>::from(variables),
    )
}

/// A proxy that is a folder, with these entries in the pinned toolchain's archive.
fn folder_proxy(folder: &Path, entries: &[(&str, &str)]) -> String {
    let place = folder.join("proxy/golang.org/toolchain/@v");
    std::fs::create_dir_all(&place).unwrap();
    let file = File::create(place.join(format!("v0.0.1-{PINNED_VERSION}.{}.zip", platform()))).unwrap();
    let mut zip = ZipWriter::new(file);
    for (name, text) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    format!("file://{}", folder.join("proxy").display())
}

fn refusal(folder: &Path, proxy: &str) -> String {
    fetch_pinned(&environment(folder, proxy), &|_| {}).unwrap_err().to_string()
}

/// `GOPROXY` is a list with two kinds of separators, as Go reads it.
#[test]
fn proxies() {
    let (absent, next) = (OnError::StopUnlessAbsent, OnError::TryNext);
    let list = Proxy::list("https://a.test/x/, b.test|direct,off");
    let named: Vec<_> = list.iter().map(|proxy| (proxy.name, proxy.on_error)).collect();
    assert_eq!(named, [("https://a.test/x/", absent), ("b.test", next), ("direct", absent), ("off", absent)]);
    let bases: Vec<_> = list.iter().map(Proxy::base).collect();
    let expected = [Some("https://a.test/x"), Some("https://b.test"), Some("https://go.dev/dl/mod"), None];
    assert_eq!(bases, expected.map(|base| base.map(str::to_owned)));
}

/// Where nothing may be fetched, or nothing can be, the message says how to get on.
#[test]
fn nothing_to_fetch_from() {
    let folder = tempfile::tempdir().unwrap();
    let off = refusal(folder.path(), "off");
    assert_eq!(
        off,
        "there is no Go on the search path, and GOPROXY=off lets none be fetched: install Go from https://go.dev/dl, or set \
         GOPROXY to a proxy"
    );
    let absent = refusal(folder.path(), &format!("file://{}/none,off", folder.path().display()));
    assert!(absent.contains("could not be fetched from file://"), "{absent}");
    // A port that was free a moment ago refuses connections.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = refusal(folder.path(), &format!("http://{closed}"));
    assert!(unreachable.contains("install Go from https://go.dev/dl"), "{unreachable}");
}

/// An archive with other contents than the pinned ones is not used, and nothing of it stays.
#[test]
fn tampered_archive() {
    let folder = tempfile::tempdir().unwrap();
    let module = format!("golang.org/toolchain@v0.0.1-{PINNED_VERSION}.{}/", platform());
    let proxy = folder_proxy(folder.path(), &[(&format!("{module}bin/go"), "#!/bin/false")]);
    let message = refusal(folder.path(), &proxy);
    assert!(message.contains("is not that toolchain: its digest is h1:"), "{message}");
    let left = std::fs::read_dir(folder.path().join("toolchains")).unwrap();
    assert_eq!(left.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), ["lock"]);
}

/// No entry leaves the folder that it is unpacked into.
#[test]
fn entries_outside() {
    let module = format!("golang.org/toolchain@v0.0.1-{PINNED_VERSION}.{}/", platform());
    for name in [
        format!("{module}../../../escaped"),
        "/escaped".to_owned(),
        format!("{module}bin\\..\\escaped"),
        "other/x".to_owned(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let proxy = folder_proxy(folder.path(), &[(&name, "x")]);
        let message = refusal(folder.path(), &proxy);
        assert!(message.contains("has no place in a toolchain"), "{name}: {message}");
        assert!(!folder.path().join("escaped").exists());
    }
}

/// A proxy of one connection that answers with these bytes.
fn http_proxy(body: &'static [u8]) -> String {
    use std::io::Read as _;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
        stream.write_all(body).unwrap();
    });
    format!("http://{address}")
}

/// That something is fetched is told before the first of it is there: without a terminal that is the only word of it.
#[test]
fn told_at_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let told = std::cell::RefCell::new(Vec::new());
    let environment = environment(folder.path(), &http_proxy(b"no archive"));
    let _ = fetch_pinned(&environment, &|event| told.borrow_mut().push(event)).unwrap_err();
    let (version, needed) = (PINNED_VERSION, "Go".to_owned());
    let fetching = BuildEvent::ToolchainFetching { version, needed, received_bytes: 0, total_bytes: Some(10) };
    assert_eq!(told.into_inner(), [fetching, BuildEvent::ToolchainUnpacking { version }]);
}
