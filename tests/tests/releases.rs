//! `ship upgrade`: a release takes the place of the program that runs, or nothing happens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ship_tests::{CommandOutput, ReleaseServer, Releases, ShipCommand, TestEnv, TestHost, http, ship_binary};

/// What a release's program is in these stories: it says which one it is.
fn program(version: &str) -> String {
    format!("#!/bin/sh\necho ship {version}\n")
}

/// A ship of this environment's own, in a folder where nothing else is.
struct Installed<'e> {
    environment: &'e TestEnv,
    program: PathBuf,
}

impl<'e> Installed<'e> {
    fn new(environment: &'e TestEnv) -> Self {
        let folder = environment.folder().join("opt");
        fs::create_dir(&folder).expect("the folder is writable");
        let program = folder.join("ship");
        // A name of its own is enough: an upgrade replaces names.
        if fs::hard_link(ship_binary(), &program).is_err() {
            fs::copy(ship_binary(), &program).expect("the folder is writable");
        }
        Self { environment, program }
    }

    /// The wrapper of [`ShipCommand::started_by`] that starts this one instead.
    fn wrapper(&self) -> [&str; 4] {
        ["sh", "-c", "shift; exec \"$0\" \"$@\"", self.program.to_str().expect("the path is text")]
    }

    fn ship(&self, arguments: &[&str]) -> ShipCommand<'e> {
        self.environment.ship(arguments).started_by(self.wrapper())
    }

    /// `ship upgrade`, with releases from `from` that are signed with `key`.
    fn upgrade(&self, from: &str, key: &str, options: &[&str]) -> ShipCommand<'e> {
        self.ship(&["upgrade", "--from", from, "--public-key", key]).and(options)
    }

    /// Whether it is the program that it was, with nothing left beside it.
    #[track_caller]
    fn is_untouched(&self) {
        assert_eq!(self.names(), ["ship"]);
        assert!(same(&self.program, ship_binary()), "the program was replaced");
    }

    /// What is in its folder.
    fn names(&self) -> Vec<String> {
        let folder = self.program.parent().expect("it is in a folder");
        let entries = fs::read_dir(folder).expect("the folder is readable").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn same(one: &Path, other: &Path) -> bool {
    fs::read(one).expect("it is readable") == fs::read(other).expect("it is readable")
}

fn releases(environment: &TestEnv) -> Releases {
    Releases::new(&environment.folder().join("releases"), 1)
}

/// The newest release is named, then installed with the permissions of the one before; then there is nothing to do.
#[test]
fn newer() {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    releases.publish("9.9.9", program("9.9.9").as_bytes());
    let server = ReleaseServer::start(&releases);
    let key = releases.public_key();
    let check = installed.upgrade(&server.url(), &key, &["--check"]).run();
    insta::assert_snapshot!(check.snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ship 9.9.9 can be installed, this is 0.1.0: `ship upgrade`
    ");
    installed.is_untouched();
    let upgrade = installed.upgrade(&server.url(), &key, &["--json"]).start();
    server.half().send_rest();
    insta::assert_snapshot!(upgrade.finish().snapshot(), @r#"
    exit code: 0
    ----- stdout -----
    {"program":"[ENV]/opt/ship","from":"0.1.0","to":"9.9.9","hosts":[]}
    ----- stderr -----
    ship 9.9.9 is at [ENV]/opt/ship now, in place of 0.1.0
    "#);
    assert_eq!(fs::read_to_string(&installed.program).expect("it is text"), program("9.9.9"));
    let mode = fs::metadata(&installed.program).expect("it is there").permissions().mode();
    assert_eq!(mode, fs::metadata(ship_binary()).expect("it is there").permissions().mode());
    assert_eq!(installed.names(), ["ship"]);
}

/// Who asks for the release that is there hears that it is, and not that none is newer.
#[test]
fn the_one_that_is_there() {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    releases.publish("0.1.0", program("0.1.0").as_bytes());
    releases.publish("9.9.9", program("9.9.9").as_bytes());
    let command = installed.ship(&["upgrade", "--public-key", &releases.public_key(), "--version", "0.1.0"]);
    let said = command.with("SHIP_RELEASES", releases.folder()).run().success();
    assert_eq!(said.stderr(), "ship 0.1.0 is the one that is installed\n");
    installed.is_untouched();
}

/// What is not newer is installed only by its own name, also from a folder that `SHIP_RELEASES` names.
#[test]
fn older() {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    releases.publish("0.0.7", program("0.0.7").as_bytes());
    let upgrade = |options: &[&str]| {
        let command = installed.ship(&["upgrade", "--public-key", &releases.public_key()]).and(options);
        command.with("SHIP_RELEASES", releases.folder()).run()
    };
    let said = [upgrade(&[]), upgrade(&["--check", "--json"])].map(|output| output.success().snapshot().to_owned());
    installed.is_untouched();
    let back = upgrade(&["--version", "0.0.7"]);
    insta::assert_snapshot!([said.as_slice(), &[back.snapshot().to_owned()]].concat().join("\n"), @r#"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    this is ship 0.1.0, and the release is 0.0.7: `ship upgrade --version 0.0.7` goes back
    exit code: 0
    ----- stdout -----
    {"installed":"0.1.0","available":"0.0.7","is_newer":false}
    ----- stderr -----
    this is ship 0.1.0, and the release is 0.0.7: `ship upgrade --version 0.0.7` goes back
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ship 0.0.7 is at [ENV]/opt/ship now, in place of 0.1.0
    "#);
    assert_eq!(fs::read_to_string(&installed.program).expect("it is text"), program("0.0.7"));
}

/// What an upgrade says of a release that was spoiled; everything stays as it was.
#[track_caller]
fn refusal(what: &str, options: &[&str], spoil: impl FnOnce(&Releases)) -> String {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    releases.publish("9.9.9", program("9.9.9").as_bytes());
    spoil(&releases);
    let from = releases.folder().to_str().expect("the path is text").to_owned();
    let output = installed.upgrade(&from, &releases.public_key(), options).run().exits_with(1);
    installed.is_untouched();
    format!("{what}\n{}", output.snapshot())
}

/// What is not signed, or is not what was signed, is not believed.
#[test]
fn refused() {
    let write = |path: PathBuf, content: &[u8]| fs::write(path, content).expect("the folder is writable");
    let said = [
        refusal("another archive", &[], |releases| write(releases.archive("9.9.9"), b"something else")),
        refusal("half an archive", &[], |releases| {
            let whole = fs::read(releases.archive("9.9.9")).expect("it is there");
            write(releases.archive("9.9.9"), &whole[..whole.len() / 2]);
        }),
        refusal("no signature", &[], |releases| {
            fs::remove_file(releases.release("9.9.9").join("SHA256SUMS.minisig")).expect("it is there");
        }),
        refusal("another key", &[], |releases| {
            Releases::new(releases.folder(), 2).publish("9.9.9", program("9.9.9").as_bytes());
        }),
        refusal("another list", &[], |releases| {
            let list = releases.release("9.9.9").join("SHA256SUMS");
            let changed = fs::read_to_string(&list).expect("it is there").replace("9.9.9", "9.9.8");
            write(list, changed.as_bytes());
        }),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    another archive
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: download/v9.9.9/ship-9.9.9-x86_64-unknown-linux-gnu.tar.gz has the SHA-256 [HEX], and the release lists [HEX]
    hint: nothing was replaced; whoever publishes the releases should hear of this
    half an archive
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: download/v9.9.9/ship-9.9.9-x86_64-unknown-linux-gnu.tar.gz has the SHA-256 [HEX], and the release lists [HEX]
    hint: nothing was replaced; whoever publishes the releases should hear of this
    no signature
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no latest/download/SHA256SUMS.minisig in the releases at [ENV]/releases
    hint: `--version` and `--from` name another release
    another key
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the release is not signed with the key that this ship trusts
    caused by: The signature verification failed
    hint: nothing was replaced; whoever publishes the releases should hear of this
    another list
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the release is not signed with the key that this ship trusts
    caused by: The signature verification failed
    hint: nothing was replaced; whoever publishes the releases should hear of this
    "#);
}

/// What is signed and no program for this machine, or not the one that was asked for, does not take its place.
#[test]
fn useless() {
    let said = [
        refusal("another machine", &[], |releases| releases.list("9.9.9", "00  ship-9.9.9-vax.tar.gz\n")),
        refusal("another version", &["--version", "9.9.8"], |releases| {
            fs::rename(releases.release("9.9.9"), releases.release("9.9.8")).expect("it is there");
        }),
        refusal("an absent version", &["--version", "1.0.0"], |_| {}),
        refusal("no program", &[], |releases| releases.publish("9.9.9", b"\x7fELF of another machine")),
        refusal("another program", &[], |releases| releases.publish("9.9.9", program("0.0.1").as_bytes())),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    another machine
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the release has no program for this machine (x86_64-unknown-linux-gnu)
    another version
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the release of version 9.9.8 says that it is version 9.9.9
    an absent version
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no download/v1.0.0/SHA256SUMS.minisig in the releases at [ENV]/releases
    hint: `--version` and `--from` name another release
    no program
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the new program does not run here: it says "Exec format error (os error 8)" where `ship 9.9.9` was expected
    another program
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the new program does not run here: it says "ship 0.0.1" where `ship 9.9.9` was expected
    "#);
}

/// Without a key nothing is believed, and what is no source is said to be none. A line that breaks leaves everything as it was.
#[test]
fn unreachable() {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    releases.publish("9.9.9", program("9.9.9").as_bytes());
    let server = ReleaseServer::start(&releases);
    let (from, key) = (server.url(), releases.public_key());
    let without_key = installed.ship(&["upgrade", "--from", &from]).run().exits_with(1);
    let no_key = installed.upgrade(&from, "RWQ", &[]).run().exits_with(1);
    let no_source = installed.upgrade("ftp://127.0.0.1/releases", &key, &[]).run().exits_with(1);
    let nobody = installed.upgrade("http://127.0.0.1:1/releases", &key, &[]).run().exits_with(3);
    let broken = installed.upgrade(&from, &key, &[]).start();
    server.half().cut();
    let all = [without_key, no_key, no_source, nobody, broken.finish().exits_with(3)];
    installed.is_untouched();
    insta::assert_snapshot!(all.each_ref().map(CommandOutput::snapshot).join("\n"), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: this ship was built without the key that releases are signed with
    hint: `--public-key KEY` names the key of the releases, which `minisign -G` printed
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `RWQ` is no public key of minisign's
    hint: `--public-key KEY` names the key of the releases, which `minisign -G` printed
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `ftp://127.0.0.1/releases` is neither a folder nor an http or https address
    hint: `--from` or `SHIP_RELEASES` name where releases are
    exit code: 3
    ----- stdout -----
    ----- stderr -----
    error: latest/download/SHA256SUMS.minisig cannot be had from the releases at http://127.0.0.1:[PORT]/releases: Connection refused (os error 111)
    exit code: 3
    ----- stdout -----
    ----- stderr -----
    error: download/v9.9.9/ship-9.9.9-x86_64-unknown-linux-gnu.tar.gz cannot be had from the releases at http://127.0.0.1:[PORT]: end of file before message length reached
    ");
}

/// Of two upgrades at once one is told of the other.
#[test]
fn two_at_once() {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    releases.publish("9.9.9", program("9.9.9").as_bytes());
    let server = ReleaseServer::start(&releases);
    let upgrade = || installed.upgrade(&server.url(), &releases.public_key(), &[]);
    let first = upgrade().start();
    let half = server.half();
    let second = upgrade().run();
    insta::assert_snapshot!(second.exits_with(1).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: another `ship upgrade` is replacing `[ENV]/opt/ship` at this moment
    hint: `ship --version` says when it is done
    ");
    half.send_rest();
    let _ = first.finish().success();
    assert_eq!(fs::read_to_string(&installed.program).expect("it is text"), program("9.9.9"));
}

/// An upgrade that is killed while it fetches leaves nothing; one that is killed just before the end leaves the old program, and what it left
/// beside that goes with the next.
#[test]
fn killed() {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    releases.publish("9.9.8", b"#!/bin/sh\nkill -9 $PPID\n");
    let server = ReleaseServer::start(&releases);
    let upgrade = || installed.upgrade(&server.url(), &releases.public_key(), &[]);
    let fetching = upgrade().start();
    let half = server.half();
    let _ = fetching.kill();
    half.cut();
    installed.is_untouched();
    // The program that arrived is asked for its version before it takes its place: this one ends whoever asks.
    let asking = upgrade().start();
    server.half().send_rest();
    assert_eq!(asking.finish().code(), None);
    assert!(same(&installed.program, ship_binary()));
    assert_eq!(installed.names().len(), 2);
    releases.publish("9.9.9", program("9.9.9").as_bytes());
    let third = upgrade().start();
    server.half().send_rest();
    let _ = third.finish().success();
    assert_eq!(installed.names(), ["ship"]);
}

/// A disk on which a release finds no room keeps the program that is there.
#[test]
fn full_disk() {
    let environment = TestEnv::new();
    let releases = releases(&environment);
    // Nothing that can be compressed.
    let filling: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    releases.publish("9.9.9", &[program("9.9.9").as_bytes(), b"exit\n", &filling].concat());
    let disk = environment.folder().join("opt");
    fs::create_dir(&disk).expect("the folder is writable");
    let bytes = fs::metadata(ship_binary()).expect("it is there").len() + 1024 * 1024;
    let script = format!(
        "mount -t tmpfs -o size={bytes} small-disk \"$0\" && cp \"$1\" \"$0/ship\" && shift && \"$0/ship\" \"$@\"; code=$?; \
         ls \"$0\"; exit $code"
    );
    let words =
        ["unshare", "--map-root-user", "--mount", "sh", "-c", &script, disk.to_str().expect("the path is text")];
    let from = releases.folder().to_str().expect("the path is text").to_owned();
    let command = environment.ship(["upgrade", "--from", &from, "--public-key", &releases.public_key()]);
    insta::assert_snapshot!(command.started_by(words).run().exits_with(1).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ship
    ----- stderr -----
    error: `[ENV]/opt/ship` cannot be replaced
    caused by: No space left on device (os error 28)
    hint: make room on that disk, and run the command again
    ");
}

/// A host that runs from the program is taken over by the new one, and serves on at the same address.
#[test]
fn with_a_host() {
    let environment = TestEnv::new();
    let installed = Installed::new(&environment);
    let releases = releases(&environment);
    let ship = ship_binary().display();
    let newer = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo ship 9.9.9 && exit\nexec '{ship}' \"$@\"\n");
    releases.publish("9.9.9", newer.as_bytes());
    let wrapper = installed.wrapper().map(AsRef::as_ref);
    let host = TestHost::start_by(&environment, &environment.folder().join("data"), &wrapper);
    let project = environment.project("site").file("public/index.html", "here");
    let deployed = host.ship(["deploy"]).within(project.folder()).run().success();
    let from = releases.folder().to_str().expect("the path is text").to_owned();
    let upgrade = installed.upgrade(&from, &releases.public_key(), &[]).run();
    insta::assert_snapshot!(upgrade.snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ship 9.9.9 is at [ENV]/opt/ship now, in place of 0.1.0
    ship 0.1.0 (pid [PID]) serves [ENV]/data now; the host before finishes what it has
    ");
    assert_eq!(http::get(&deployed.url()).text(), "here");
}
