//! The real compiler, on what people write.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::testing::{TestProject, environment, handler};
use crate::{BuildError, BuildOutput};

/// Which functions were compiled, in a cache that other tests do not share.
fn build(project: &TestProject) -> (BuildOutput, Vec<String>) {
    let compiled = RefCell::new(Vec::new());
    let output = project.build_in(&project.environment(), &|event| {
        if let BuildEvent::Compiling { functions } = event {
            compiled.borrow_mut().extend(functions.iter().map(ToString::to_string));
        }
    });
    (output.unwrap(), compiled.into_inner())
}

fn digests(output: &BuildOutput) -> BTreeMap<String, Digest> {
    output.functions().iter().map(|built| (built.function.name.to_string(), built.function.digest)).collect()
}

fn refusal(project: &TestProject) -> String {
    match project.build() {
        Err(BuildError::Compile(CompileError::Refused { message })) => message,
        other => panic!("expected the compiler to refuse, got {other:?}"),
    }
}

/// The first build compiles everything, the next nothing, and after a changed line only the function that has it. The same
/// project in another folder gives the same artifacts.
#[test]
fn only_what_changed() {
    let files = [("api/date.go", handler("Date", "one")), ("api/weather.go", handler("Weather", "sun"))];
    let project = TestProject::new(files.iter().map(|(path, text)| (*path, text.as_str())));
    let (first, compiled) = build(&project);
    assert_eq!(compiled, ["api/date", "api/weather"]);
    assert!(first.functions().iter().all(|built| !built.cached));

    let (again, compiled) = build(&project);
    assert_eq!(compiled, Vec::<String>::new());
    assert!(again.functions().iter().all(|built| built.cached));
    assert_eq!(digests(&again), digests(&first));

    project.write("api/date.go", &handler("Date", "two"));
    let (changed, compiled) = build(&project);
    assert_eq!(compiled, ["api/date"]);
    assert_eq!(digests(&changed)["api/weather"], digests(&first)["api/weather"]);
    assert_ne!(digests(&changed)["api/date"], digests(&first)["api/date"]);

    let elsewhere = TestProject::new(files.iter().map(|(path, text)| (*path, text.as_str())));
    let (other, compiled) = build(&elsewhere);
    assert_eq!(compiled, ["api/date", "api/weather"], "its cache knows nothing");
    assert_eq!(digests(&other), digests(&first));
}

/// A mistake is shown with the user's path, line and column, and no trace of the build folder.
#[test]
fn mistakes() {
    let broken = "package handler\n\nimport \"net/http\"\n\nfunc Date(w http.ResponseWriter, r *http.Request) {\n\tw.Write(undefinedThing)\n}\n";
    let project = TestProject::new([("api/date.go", broken)]);
    let excerpt = " 6 | \tw.Write(undefinedThing)\n   | \t        ^";
    assert_eq!(refusal(&project), format!("api/date.go:6:10: undefined: undefinedThing\n{excerpt}"));

    project.write("api/date.go", &broken.replace("undefinedThing)", "nil"));
    assert!(refusal(&project).starts_with("api/date.go:6:13: syntax error: "), "{}", refusal(&project));

    project.write(
        "api/date.go",
        &broken.replace("undefinedThing", "nil").replace("import ", "import _ \"nosuchstd\"\nimport "),
    );
    assert!(refusal(&project).starts_with("api/date.go:3:8: package nosuchstd is not in std"), "{}", refusal(&project));
}

/// A file that would be a function if it were right is not passed over: the compiler says what is wrong with it, alone or
/// beside a function, of its package or of another.
#[test]
fn mistyped_handlers() {
    let http = "package handler\n\nimport \"net/http\"\n\n";
    for (text, expected) in [
        (format!("{http}func H(w http.ResponseWriter r *http.Request) {{}}\n"), "5:30: syntax error: "),
        (format!("{http}func H(w http.ResponseWriter {{\n"), "5:30: syntax error: "),
        (format!("{http}func H(w http.ResponsWriter, r *http.Request) {{}}\n"), "5:15: undefined: http.ResponsWriter"),
        (
            format!("{http}func a() {{\n\nfunc H(w http.ResponseWriter, r *http.Request) {{}}\n"),
            "7:6: syntax error: unexpected name H, expected (",
        ),
        (format!("{http}fucn H(w http.ResponseWriter, r *http.Request) {{}}\n"), "5:1: syntax error: "),
        (format!("{http}garbage !!!\n"), "5:1: syntax error: "),
        ("package handler\n\nfunc H(w http.ResponseWriter, r *http.Request) {}\n".into(), "3:10: undefined: http"),
        (String::new(), "1:1: expected 'package', found 'EOF'"),
        ("garbage\n".into(), "1:1: expected 'package', found garbage"),
        ("package other\n\nvar X int = \"\"\n".into(), "3:13: cannot use \"\""),
        ("package main\n\nfunc main() { x }\n".into(), "3:15: undefined: x"),
    ] {
        let alone = TestProject::new([("api/wrong.go", text.as_str())]);
        let said = refusal(&alone);
        assert!(said.starts_with(&format!("api/wrong.go:{expected}")), "{text}\n{said}");
        let page = handler("Page", "page");
        let beside =
            TestProject::new([("api/wrong.go", text.as_str()), ("api/page.go", &page), ("public/index.html", "")]);
        assert_eq!(refusal(&beside), said, "{text}");
    }
}

/// Helpers that no function uses are fine as they are: packages with parts for other systems, programs, embedded files and
/// assembly. What the compiler had nothing to say against is not asked about again.
#[test]
fn helpers_of_nobody() {
    let project = TestProject::new([
        ("api/date.go", handler("Date", "now").as_str()),
        ("api/gen.go", "//go:build ignore\n\npackage main\n\nimport _ \"example.com/not/there\"\n\nfunc main() {}\n"),
        ("api/tools/one.go", "package main\n\nfunc main() {}\n"),
        ("api/tools/two.go", "package main\n\nfunc main() {}\n"),
        ("api/lib/lib.go", "package lib\n\nimport _ \"embed\"\n\n//go:embed a.txt\nvar Text string\n\nfunc F() int\n"),
        ("api/lib/a.txt", "a"),
        ("api/lib/f.s", "TEXT ·F(SB), 4, $0-8\n\tRET\n"),
        ("api/lib/lib_windows.go", "package lib\n\nvar Text string\n"),
    ]);
    let (first, compiled) = build(&project);
    assert_eq!((digests(&first).len(), compiled), (1, vec!["api/date".to_owned()]));
    let (again, compiled) = build(&project);
    assert_eq!((digests(&again), compiled), (digests(&first), vec![]));
    let builds = project.environment().cache_dir.join("builds");
    std::fs::remove_dir(&builds).unwrap();
    build(&project);
    assert!(!builds.exists(), "the compiler did not run");
}

/// Where there are only helpers, there is nothing to deploy.
#[test]
fn only_helpers() {
    let project = TestProject::new([("api/lib.go", "package lib\n")]);
    let Err(BuildError::Plan(error)) = project.build() else { panic!("nothing can be deployed") };
    assert_eq!(error.code(), Some("nothing_to_deploy"));
}

/// With a module: packages of it, internal ones too, embedded files, helpers, and files whose names no package could have.
#[test]
fn a_module_with_everything() {
    let source = "package handler\n\nimport (\n\t_ \"embed\"\n\t\"net/http\"\n\n\t\"example.com/site/api/internal/deep\"\n\t\"example.com/site/lib\"\n)\n\n\
                  //go:embed texts/*.txt\nvar files embedFS\n\nfunc Show(w http.ResponseWriter, r *http.Request) {\n\tw.Write([]byte(lib.Name + deep.Name + helper()))\n}\n\n\
                  func main() {}\n";
    let source = source.replace("_ \"embed\"", "\"embed\"").replace("embedFS", "embed.FS");
    let project = TestProject::new([
        ("go.mod", "module example.com/site\n\ngo 1.21\n"),
        ("api/users/[id].go", source.as_str()),
        ("api/users/texts/a.txt", "a"),
        ("api/users/help.go", "package handler\n\nfunc helper() string { return \"h\" }\n"),
        ("api/internal/deep/deep.go", "package deep\n\nconst Name = \"deep\"\n"),
        ("lib/lib.go", "package lib\n\nconst Name = \"lib\"\n"),
    ]);
    let (output, compiled) = build(&project);
    assert_eq!(compiled, ["api/users/[id]"]);
    assert_eq!(output.functions()[0].route, "/api/users/[id]");
    let left = std::fs::read_dir(project.environment().cache_dir.join("builds")).unwrap().count();
    assert_eq!(left, 0, "the build folder is gone");
    assert!(!project.root().join("go.sum").exists() && !project.root().join("ship-launcher").exists());
}

/// A file may have any name that a route can have, also one that Go refuses or that this crate gives to a file of its own.
#[test]
fn names_of_files() {
    let names =
        ["ü", "日本", "[ü]", "+", "@", "~", "-a", "ship-main", "a b", "c./d", "-e/-f", "aux/nul", "fn-b-", "[b]"];
    let files = names.map(|name| (format!("api/{name}.go"), handler("Handler", name)));
    let project = TestProject::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    project.write("api/fn--.go", "package handler\n");
    project.write("api/Fn--.go", "package handler\n");
    let (output, _) = build(&project);
    let mut expected = names.map(|name| format!("api/{name}"));
    expected.sort_unstable();
    assert_eq!(digests(&output).into_keys().collect::<Vec<_>>(), expected);
}

/// A module below `api/`, beside a function of another module and one of none.
#[test]
fn several_modules() {
    let project = TestProject::new([
        ("api/a/go.mod", "module example.com/a\n\ngo 1.21\n"),
        ("api/a/a.go", &handler("A", "a")),
        ("api/b/go.mod", "module example.com/b\n\ngo 1.21\n"),
        ("api/b/b.go", &handler("B", "b")),
        ("api/c.go", &handler("C", "c").replace("package handler", "package main")),
    ]);
    let (output, _) = build(&project);
    assert_eq!(digests(&output).keys().collect::<Vec<_>>(), ["api/a/a", "api/b/b", "api/c"]);
}

/// Two builds of one project at once, into one cache: both succeed with the same result.
#[test]
fn builds_at_once() {
    let project = TestProject::new([("api/date.go", handler("Date", "one").as_str()), ("public/a.txt", "a")]);
    let environment = environment(&project.environment().cache_dir);
    let results: Vec<_> = std::thread::scope(|scope| {
        let builds: Vec<_> = (0..3).map(|_| scope.spawn(|| project.build_in(&environment, &|_| {}).unwrap())).collect();
        builds.into_iter().map(|build| digests(&build.join().unwrap())).collect()
    });
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(digests(&project.build().unwrap()), results[0]);
}

/// Files that change while the compiler runs are in no build that is remembered: the next one compiles again, from what is there.
#[test]
fn changes_meanwhile() {
    let text = |name: &str| format!("package lib\n\nconst Name = \"{name}\"\n");
    let function = handler("Show", "x").replace("\"net/http\"", "(\n\t\"net/http\"\n\t\"example.com/site/lib\"\n)");
    let function = function.replace("\"x\"", "lib.Name");
    let project = TestProject::new([
        ("go.mod", "module example.com/site\n\ngo 1.21\n"),
        ("api/show.go", function.as_str()),
        ("lib/lib.go", &text("one")),
    ]);
    let changed = project.build_in(&project.environment(), &|event| {
        if matches!(event, BuildEvent::Compiling { .. }) {
            project.write("lib/lib.go", &text("two"));
        }
    });
    project.write("lib/lib.go", &text("one"));
    let (output, compiled) = build(&project);
    assert_eq!(compiled, ["api/show"]);
    assert_ne!(digests(&output), digests(&changed.unwrap()));
}

/// A compiler that cannot be started is named.
#[test]
fn no_compiler() {
    let project = TestProject::new([("api/date.go", handler("Date", "one").as_str())]);
    let variables = [("PATH".into(), "".into()), ("GOPROXY".into(), "off".into())];
    let empty = tempfile::tempdir().unwrap();
    let environment = BuildEnvironment::new(empty.path().join("cache"), empty.path().join("toolchains"), variables);
    let error = project.build_in(&environment, &|_| {}).unwrap_err();
    assert!(matches!(error, BuildError::Compile(CompileError::Toolchain(ToolchainError::Forbidden { .. }))), "{error}");
}

/// A full disk is called that, and not a mistake in the functions.
#[test]
fn full_disk() {
    let project = TestProject::new([("api/date.go", handler("Date", "one").as_str())]);
    let said = "api/date.go:1:1: write /tmp/go-build1/b001/_pkg_.a: no space left on device";
    let programs = project.root().parent().unwrap().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let go = programs.join("go");
    let script = format!("#!/bin/sh\n[ \"$1\" = env ] && echo go1.26.0 && exit\necho '{said}' >&2\nexit 1\n");
    std::fs::write(&go, script).unwrap();
    std::fs::set_permissions(&go, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let environment =
        BuildEnvironment::new(programs.join("cache"), programs.clone(), [("PATH".into(), programs.clone().into())]);
    let error = project.build_in(&environment, &|_| {}).unwrap_err();
    let expected =
        format!("the disk is full, so the functions cannot be compiled: make room and run the command again\n{said}");
    assert_eq!(error.to_string(), expected);
}

/// The launcher, run as a host runs it: on an inherited socket.
#[cfg(target_os = "linux")]
mod launcher {
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::{Child, Command, Stdio};

    use crate::testing::TestProject;

    const STREAMING: &str = r#"package handler

import (
	"io"
	"net/http"
)

func Echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/panic" {
		panic("on purpose")
	}
	w.Header().Set("X-Saw-Check", r.Header.Get("X-Ship-Check"))
	io.WriteString(w, "begun ")
	w.(http.Flusher).Flush()
	io.Copy(w, r.Body)
}
"#;

    struct Instance {
        program: Child,
        socket: std::path::PathBuf,
        _folder: tempfile::TempDir,
    }

    fn start() -> Instance {
        let project = TestProject::new([("api/echo.go", STREAMING)]);
        let output = project.build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        crate::write_output(&output, &folder.path().join("out/output")).unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let program = Command::new(folder.path().join("out/output/functions/api/echo.func/bootstrap"))
            .env_clear()
            .env("SHIP_LISTEN_FD", "0")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Instance { program, socket, _folder: folder }
    }

    impl Instance {
        fn ask(&self, request: &str) -> String {
            let mut stream = UnixStream::connect(&self.socket).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        }
    }

    /// It answers checks by itself, hides them from the handler, streams, survives a panic and says so to the host, and on SIGTERM
    /// finishes the request in flight before it exits.
    #[test]
    fn life_of_an_instance() {
        let mut instance = start();
        let close = "Host: a\r\nConnection: close\r\n";
        let checked = instance.ask(&format!("GET / HTTP/1.1\r\n{close}X-Ship-Check: 1\r\n\r\n"));
        assert!(checked.starts_with("HTTP/1.1 204 "), "{checked}");
        let hidden = instance.ask(&format!("POST / HTTP/1.1\r\n{close}X-Ship-Check: 2\r\nContent-Length: 2\r\n\r\nhi"));
        assert!(hidden.starts_with("HTTP/1.1 200 ") && hidden.contains("X-Saw-Check: \r\n"), "{hidden}");
        let panicked = instance.ask(&format!("GET /panic HTTP/1.1\r\n{close}\r\n"));
        assert!(panicked.starts_with("HTTP/1.1 500 ") && panicked.contains("X-Ship-Failed: 1\r\n"), "{panicked}");

        let mut stream = UnixStream::connect(&instance.socket).unwrap();
        write!(stream, "POST / HTTP/1.1\r\n{close}Content-Length: 3\r\n\r\n").unwrap();
        let mut begun = Vec::new();
        while !begun.ends_with(b"begun \r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            begun.push(byte[0]);
        }
        let pid = instance.program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        stream.write_all(b"end").unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "3\r\nend\r\n0\r\n\r\n");
        assert_eq!(instance.program.wait().unwrap().code(), Some(0));
        let mut log = String::new();
        instance.program.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("on purpose") && log.contains("ship.site/api/echo"), "{log}");
    }
}
