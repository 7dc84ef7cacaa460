//! Preludes: what a process in Node or Python does before it is known which function it will run.
//!
//! Most of a cold start is the interpreter's own, and the same for every function. A prelude does all of it ahead, waits, and then
//! becomes what a fresh start of the function would have been. This is the agreement between a prelude and its host.
//!
//! **Start.** `node <FLAGS> node/prelude.mjs` or `python3 <FLAGS> python/prelude.py`, in a folder with the files of a [`Prelude`] that can be
//! read only, already inside the sandbox of a function. Its environment is of no importance, but that names that
//! [`needs_fresh_process`] knows must not be in it.
//!
//! | descriptor | is |
//! |---|---|
//! | 0 | `/dev/null` |
//! | 1, 2 | pipes that the host reads |
//! | 3 | the Unix socket of the instance, which listens already; a zygote accepts its host there, and nobody else |
//! | 4 | the reading end of a pipe, where the assignment arrives |
//! | 6 | Node: a connection on which the host will send the first request, if the assignment says what is launched |
//!
//! **Assignment.** A prelude that has nothing left to do blocks in one `read` of descriptor 4, without a timer and without using the
//! processor. It reads a line with one JSON document, does what needs nothing else, and reads an empty line: from then on the
//! function's folder can be seen and its limits hold. An end before that ends it with code 0. The document:
//!
//! | key | is |
//! |---|---|
//! | `root` | the function's folder, absolute. Becomes the current folder; `launcher.mjs` or `launcher.py` in it is run |
//! | `env` | the whole environment, with `SHIP_LISTEN_FD=3` |
//! | `launch` | optional: what the launcher of the function launches (`true` in Python), if that is the launcher that the prelude has |
//! | `code_cache` | optional: the folder of the function's code cache, absolute |
//! | `make_code_cache` | optional, with `code_cache`: whether the cache is to be written |
//! | `zygote` | optional, Python: whether it is to fork the instances, instead of being one |
//!
//! **Code cache.** What V8 and Python compile a function to, so that its instances need not. It is not a part of the artifact, because it
//! depends on the interpreter's version: a host keeps it beside the unpacked function, keyed by the function's digest, the interpreter's
//! version and the path where the function is mounted. To make it, the host starts a prelude as always, with an empty folder as
//! `code_cache` that this process alone may write to, and `make_code_cache`. The function is loaded until it would serve; then the
//! cache is written and the process ends with code 0. Any other end means that there is no cache, and folders without one are no
//! errors. The code of a function runs before its cache is written, so what a cache holds is as little to be trusted as the function:
//! the host bounds its size and gives it to instances of this function alone, read-only. A cache that does not fit is passed over.
//!
//! **Zygote.** The process accepts one connection, which is the host's, loads the function, freezes what it has, and says
//! `{"ready": PID}` on that connection; or `{"error": REASON}`, and ends, if a fork would break something: threads or connections
//! that were made while the function was loaded. What it says are lines. Each byte to it is a request to fork, with the listener,
//! stdout and stderr of a new instance and the reading end of a pipe as `SCM_RIGHTS`. It answers `{"pid": PID}` with a handle of the
//! process, and `{"pid": PID, "exit": CODE}` when that process has ended (a negative code is a signal). Process ids are those of the
//! zygote's namespace. An instance leads its own process group. It goes on when it reads a byte from the pipe, and ends if the pipe
//! does: until then the host may put it where it is limited. When the connection ends, the zygote does, and its instances go on.
//!
//! **What differs from a fresh start**, and cannot be otherwise: the age of the process (`process.uptime()`, `performance.now()`,
//! `/proc/self/stat`), its command line in `/proc/self/cmdline`, and that more of the standard library is in memory
//! (`sys.modules`, `process.moduleLoadList`), so a folder that a function in Python puts on `sys.path` while it runs comes too late
//! for modules of those names. A known launcher stands in the prelude's folder, as whoever shows its frames sees. Instances of one
//! zygote share the seed of Python's hashes, as one instance does for its requests, and the random generators that the function
//! itself made while it was loaded.

mod launcher;

use std::fs;
use std::io;
use std::path::Path;

use ship_core::FunctionRuntime;

pub use launcher::{KnownLauncher, KnownPackage};

use crate::interpreter::Interpreters;
use crate::linux::nursery::FirstConnection;

/// What a process runs while it waits for its function.
#[derive(Debug)]
pub(crate) struct Prelude<'a> {
    /// The name of its folder.
    pub(crate) folder: &'static str,
    /// The program in it.
    pub(crate) program: &'static str,
    /// What is in the folder: names and texts.
    pub(crate) files: Vec<(String, &'a str)>,
    /// What the interpreter is started with in front of the program.
    pub(crate) flags: &'static [&'static str],
    /// How it comes to the connection with its first request. The descriptor of one that it inherits is its only argument.
    pub(crate) first_connection: FirstConnection,
}

impl Prelude<'_> {
    /// Writes it to a folder, over what is there.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        for (name, text) in &self.files {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap_or(folder))?;
            fs::write(file, text)?;
        }
        Ok(())
    }
}

/// The prelude of a runtime, if it has one here.
pub(crate) fn of(runtime: FunctionRuntime, interpreters: &Interpreters) -> Option<Prelude<'_>> {
    match runtime {
        FunctionRuntime::Node => interpreters.launcher().map(node),
        FunctionRuntime::Python => interpreters.python_launcher().map(python),
        _ => None,
    }
}

/// The prelude of Node, 20 or later. The second flag reaches what Node 20 needs for a code cache; functions do not see it.
fn node(launcher: &KnownLauncher) -> Prelude<'_> {
    let files = vec![
        ("prelude.mjs".to_owned(), include_str!("node/prelude.mjs")),
        ("launcher.mjs".to_owned(), &*launcher.module),
        ("rehearsal/plain.mjs".to_owned(), include_str!("node/plain.mjs")),
        ("rehearsal/web.mjs".to_owned(), include_str!("node/web.mjs")),
    ];
    Prelude {
        folder: "node",
        program: "prelude.mjs",
        files,
        flags: &["--enable-source-maps", "--expose-internals"],
        first_connection: FirstConnection::Inherited,
    }
}

/// The prelude of Python, 3.9 or later, with the flags that a fresh start has.
fn python(launcher: &KnownPackage) -> Prelude<'_> {
    let mut files = vec![("prelude.py".to_owned(), include_str!("python/prelude.py"))];
    files.extend(launcher.modules.iter().map(|&(name, text)| (format!("{}/{name}", launcher.name), text)));
    Prelude {
        folder: "python",
        program: "prelude.py",
        files,
        flags: &["-I", "-u", "-B"],
        first_connection: FirstConnection::Accepted,
    }
}

/// Names, or their beginnings where a `*` follows, that the C library or OpenSSL reads when a process starts.
const READ_BY_ALL: [&str; 13] = [
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "LD_*",
    "LOCPATH",
    "MALLOC_*",
    "NLSPATH",
    "OPENSSL_*",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// The same of Node and what it is made of. `NODE_*` has many names, and more with each version.
const READ_BY_NODE: [&str; 4] = ["ICU_*", "NODE_*", "UV_*", "WATCH_REPORT_DEPENDENCIES"];

/// Names like those that Node reads when it needs them, or not at all.
const NOT_READ_BY_NODE: [&str; 4] = ["NODE_AUTH_TOKEN", "NODE_ENV", "NODE_TLS_REJECT_UNAUTHORIZED", "NODE_VERSION"];

/// What Python's time zones read when they are imported, which the prelude does.
const READ_BY_PYTHON: &str = "PYTHONTZPATH";

/// The first variable of `env` that a process of `runtime` has to be started with, because it is read at the start alone. Functions
/// with such a variable get no prepared process.
///
/// Python is started with `-I`, and so reads none of its own variables before it runs a program.
pub(crate) fn needs_fresh_process(runtime: FunctionRuntime, env: &[(String, String)]) -> Option<&str> {
    let is_read = |name: &str| match runtime {
        FunctionRuntime::Node => {
            is_among(name, &READ_BY_ALL) || is_among(name, &READ_BY_NODE) && !NOT_READ_BY_NODE.contains(&name)
        }
        _ => is_among(name, &READ_BY_ALL) || name == READ_BY_PYTHON,
    };
    env.iter().map(|(name, _)| name.as_str()).find(|name| is_read(name))
}

fn is_among(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(runtime: FunctionRuntime, names: &[&str]) -> Option<String> {
        let env: Vec<_> = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        needs_fresh_process(runtime, &env).map(str::to_owned)
    }

    /// What is read at the start alone needs a fresh process, for the runtime that reads it; what is read later does not.
    #[test]
    fn variables_that_are_read_at_the_start() {
        let both = ["LD_PRELOAD", "LANG", "LC_ALL", "GLIBC_TUNABLES", "OPENSSL_CONF", "SSL_CERT_FILE"];
        for name in both {
            for runtime in [FunctionRuntime::Node, FunctionRuntime::Python] {
                assert_eq!(found(runtime, &["PATH", name]).as_deref(), Some(name));
            }
        }
        for name in ["NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_PATH", "NODE_DEBUG", "UV_THREADPOOL_SIZE"] {
            assert_eq!(found(FunctionRuntime::Node, &["PATH", name]).as_deref(), Some(name));
            assert_eq!(found(FunctionRuntime::Python, &["PATH", name]), None);
        }
        let usual = [
            "PATH",
            "HOME",
            "TMPDIR",
            "TZ",
            "NODE_ENV",
            "NODEJS_HELPERS",
            "PYTHONHASHSEED",
            "LANGUAGES",
            "SHIP_LISTEN_FD",
        ];
        assert_eq!(found(FunctionRuntime::Node, &usual), None);
        assert_eq!(found(FunctionRuntime::Python, &usual), None);
        assert_eq!(found(FunctionRuntime::Python, &["PYTHONTZPATH"]).as_deref(), Some("PYTHONTZPATH"));
    }
}
