//! The waiter as the nursery has it: a program of its own (`waiter/main.rs`), and what it is told.
//!
//! A *block* is all that `execve` takes, in one piece that can be used where it lies. It begins with four places in it, counted in bytes from its start and
//! each as long as an address: the function's folder, its program, its arguments and its environment. The first two are texts, the others lists of
//! places of texts that end with a zero.
#![expect(unsafe_code, reason = "no library executes a program that has no path")]

use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::ptr;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::process::WaitOptions;

use super::birth::{fork, leave};
use super::confine::DOCUMENT_FD;
use super::order::Document;

/// The program.
const PROGRAM: &[u8] = include_bytes!(env!("SHIP_WAITER"));

/// The length of a place in a block.
const PLACE: usize = size_of::<usize>();

/// The waiter, in a file that is in memory.
#[derive(Debug)]
pub(super) struct Waiter(OwnedFd);

impl Waiter {
    /// Has it ready to be executed. An error where the machine executes nothing that is in memory alone (`vm.memfd_noexec`).
    pub(super) fn prepare() -> io::Result<Self> {
        let memfd = rustix::fs::memfd_create("ship-waiter", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        // Low numbers are given away.
        let mut file = File::from(rustix::io::fcntl_dupfd_cloexec(&memfd, 64)?);
        file.write_all(PROGRAM)?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals)?;
        let waiter = Self(file.into());
        waiter.is_executable().then_some(waiter).ok_or_else(|| io::ErrorKind::PermissionDenied.into())
    }

    /// Whether it runs: it ends well when nobody tells it anything.
    fn is_executable(&self) -> bool {
        let Ok(nothing) = File::open("/dev/null") else { return false };
        match fork() {
            Ok(Some(child)) => rustix::process::waitpid(Some(child), WaitOptions::empty())
                .is_ok_and(|ended| ended.is_some_and(|(_, status)| status.exit_status() == Some(0))),
            Ok(None) => {
                // SAFETY: in this process nobody uses what stood there before.
                unsafe { libc::dup2(nothing.as_raw_fd(), DOCUMENT_FD) };
                let _ = execute(self.as_fd());
                leave(1)
            }
            Err(_) => false,
        }
    }
}

impl AsFd for Waiter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Becomes the waiter, behind this descriptor. Returns only what went wrong.
pub(super) fn execute(waiter: BorrowedFd<'_>) -> io::Error {
    let arguments: [*const c_char; 2] = [c"ship-cell".as_ptr(), ptr::null()];
    let environment: [*const c_char; 1] = [ptr::null()];
    // SAFETY: both lists end with a null pointer and outlive the call, which returns only if it fails.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            waiter.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

/// What a waiter executes for this document. An error if a text of it has an end before its end.
pub(super) fn block(document: &Document) -> io::Result<Vec<u8>> {
    let path = |path: &std::path::Path| CString::new(path.as_os_str().as_bytes());
    let (folder, program) = (path(&document.root)?, path(&document.program)?);
    let arguments = document.arguments.iter().map(|argument| CString::new(argument.as_str()));
    let arguments: Vec<CString> = [Ok(program.clone())].into_iter().chain(arguments).collect::<Result<_, _>>()?;
    let variables = document.env.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
    let variables: Vec<CString> = variables.collect::<Result<_, _>>()?;
    // The header, two lists and their ends, and then all texts.
    let lists = 4 * PLACE;
    let texts = lists + (arguments.len() + variables.len() + 2) * PLACE;
    let mut block = Block { places: Vec::with_capacity(texts), texts: Vec::new(), first_text: texts };
    block.text(&folder);
    block.text(&program);
    block.place(lists);
    block.place(lists + (arguments.len() + 1) * PLACE);
    for list in [&arguments, &variables] {
        for text in list {
            block.text(text);
        }
        block.place(0);
    }
    Ok([block.places, block.texts].concat())
}

/// A block that is being written.
struct Block {
    places: Vec<u8>,
    texts: Vec<u8>,
    /// Where the texts will begin.
    first_text: usize,
}

impl Block {
    fn place(&mut self, place: usize) {
        self.places.extend_from_slice(&place.to_ne_bytes());
    }

    fn text(&mut self, text: &CString) {
        self.place(self.first_text + self.texts.len());
        self.texts.extend_from_slice(text.as_bytes_with_nul());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn document(program: &str) -> Document {
        Document {
            root: "/usr".into(),
            env: BTreeMap::from([("A".into(), "1".into()), ("B".into(), String::new())]),
            program: program.into(),
            arguments: vec![
                "-c".into(),
                "pwd; echo \"$0 $A ${B-none} $1\"; env | wc -l".into(),
                "zero".into(),
                "one".into(),
            ],
            launch: None,
            readable: Vec::new(),
            code_cache: None,
            make_code_cache: false,
            zygote: false,
        }
    }

    /// What a waiter prints, and what it says on the descriptor for words, when it is told this.
    fn told(document: &Document) -> (String, String) {
        let waiter = Waiter::prepare().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (words, own_words) = rustix::pipe::pipe().unwrap();
        File::from(writer).write_all(&block(document).unwrap()).unwrap();
        let mut command = Command::new(format!("/proc/self/fd/{}", waiter.0.as_raw_fd()));
        let [reader, own_words] =
            [reader, own_words].map(|descriptor| rustix::io::fcntl_dupfd_cloexec(descriptor, 64).unwrap());
        // SAFETY: the calls take numbers of descriptors that are open.
        unsafe {
            command.pre_exec(move || {
                libc::dup2(reader.as_raw_fd(), 4);
                libc::dup2(own_words.as_raw_fd(), 5);
                Ok(())
            });
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        drop(command);
        (String::from_utf8(output.stdout).unwrap(), io::read_to_string(File::from(words)).unwrap())
    }

    /// The function gets its folder, its arguments and its environment, and nothing else.
    #[test]
    fn becomes_the_function() {
        // The third variable is the shell's own: PWD.
        let (printed, words) = told(&document("/bin/sh"));
        assert_eq!((printed.as_str(), words.as_str()), ("/usr\nzero 1  one\n3\n", ""));
    }

    /// What cannot be executed is told as the cell tells it.
    #[test]
    fn says_why_not() {
        let (printed, words) = told(&document("/dev/null/none"));
        assert_eq!((printed.as_str(), words.trim_end()), ("", r#"{"NotExecuted":{"errno":  20}}"#));
        let report: super::super::Report = serde_json::from_str(&words).unwrap();
        assert!(matches!(report, super::super::Report::NotExecuted { errno: libc::ENOTDIR }));
    }

    /// A text that would end in its middle is refused.
    #[test]
    fn no_text_ends_early() {
        let mut document = document("/bin/sh");
        document.arguments.push("a\0b".to_owned());
        assert_eq!(block(&document).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
