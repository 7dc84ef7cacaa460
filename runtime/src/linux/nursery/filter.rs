//! The filter of system calls: a program for the kernel that looks at each call of a function's process.
//!
//! It refuses what no function needs and much harm was done with: making namespaces and mounts, looking into other processes,
//! loading code into the kernel, and the kernel's rarely used corners. It is a list of what is refused rather than of what is
//! allowed, because functions are programs of any kind. Huge pages are refused, too: an operator reserves them for one program, and
//! the kernel counts them for no function's memory. What makes a connection is not refused but asked about.
#![expect(unsafe_code, reason = "the filter is handed to the kernel by a plain system call")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

use super::order::{Doorkeeper, Isolation};
use crate::linux::dial::LOCAL_PORTS;

/// The architecture whose calls are understood, as the kernel's audit names it.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Calls of the 32-bit variant of x86-64 have this bit.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

/// Where the number, the architecture and the arguments stand in what the program looks at (`struct seccomp_data`).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What is refused outright.
const REFUSED: [libc::c_long; 50] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    // Nobody makes their turns on a processor longer than those of the others.
    libc::SYS_sched_setattr,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// What is said to be unknown to the kernel, so that programs do without it: calls whose arguments no filter can see, rings
/// through which calls are made that no filter sees, and the places for asynchronous input and output, of which the machine has so many for all.
const UNKNOWN: [libc::c_long; 5] = [
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_setup,
];

/// What is said not to be possible with these descriptors, so that programs copy: calls that hold a pipe's lock while they wait for
/// something else. Whoever reads from that pipe, as the host does what functions print, waits as long, and cannot even be killed.
const WAITING_WITH_A_LOCK: [libc::c_long; 4] =
    [libc::SYS_sendfile, libc::SYS_splice, libc::SYS_tee, libc::SYS_vmsplice];

/// What is said to be done where all that can be written to is memory: calls that have a disk write down what it was given. They may be made with any file that can be read,
/// the system's programs included, and each would have the disk empty its cache, for which the host and everybody else waits who keeps something.
const DONE: [libc::c_long; 5] =
    [libc::SYS_fdatasync, libc::SYS_fsync, libc::SYS_sync, libc::SYS_sync_file_range, libc::SYS_syncfs];

/// The kinds of sockets that there are: local ones, the internet's, and the kernel's own news about addresses.
const SOCKET_DOMAINS: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Flags of `clone` that make namespaces.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// A filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Filter {
    /// Connections are made by the kernel.
    Plain,
    /// Whoever holds the filter's listener is asked to make connections and to name sockets, and to have them take connections where
    /// nobody else keeps others out.
    AskingForConnections(Doorkeeper),
}

impl Filter {
    /// Puts this process and all that it starts behind the filter, for good. Its listener, if it has one.
    pub(super) fn install(self, isolation: Isolation) -> io::Result<Option<OwnedFd>> {
        let mut program = self.program(isolation);
        let length = u16::try_from(program.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
        let flags = match self {
            Self::Plain => 0,
            Self::AskingForConnections(_) => libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
        };
        // SAFETY: the program outlives the call, which copies it, and has the length that is given.
        let code =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
        if code < 0 {
            return Err(io::Error::last_os_error());
        }
        match self {
            Self::Plain => Ok(None),
            Self::AskingForConnections(_) => {
                let descriptor = RawFd::try_from(code).map_err(io::Error::other)?;
                // SAFETY: with this flag the call gives a new descriptor, which nobody else holds.
                Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }))
            }
        }
    }

    fn program(self, isolation: Isolation) -> Vec<sock_filter> {
        let mut program = Program::default();
        program.load(ARCH);
        program.unless_equal(ARCHITECTURE, libc::SECCOMP_RET_KILL_PROCESS);
        program.load(NUMBER);
        #[cfg(target_arch = "x86_64")]
        program.if_at_least(X32_BIT, errno(libc::ENOSYS));
        // First, because memory is asked for more often than anything else that is looked at here.
        program.decide_by(libc::SYS_mmap, 3, libc::MAP_HUGETLB, errno(libc::EINVAL));
        for call in REFUSED.into_iter().chain(only_here()) {
            program.if_equal(number(call), errno(libc::EPERM));
        }
        for call in UNKNOWN {
            program.if_equal(number(call), errno(libc::ENOSYS));
        }
        for call in WAITING_WITH_A_LOCK {
            program.if_equal(number(call), errno(libc::EINVAL));
        }
        if isolation == Isolation::Sandbox {
            for call in DONE {
                program.if_equal(number(call), errno(0));
            }
            program.if_call_has(libc::SYS_msync, 2, libc::MS_SYNC, errno(0));
            // Nor may the machine be made to read anew what all use.
            program.if_call_has_one_of(libc::SYS_fadvise64, 3, &[libc::POSIX_FADV_DONTNEED], errno(0));
        }
        if let Self::AskingForConnections(doorkeeper) = self {
            program.if_equal(number(libc::SYS_connect), libc::SECCOMP_RET_USER_NOTIF);
            // A socket that was connected for the process is of the machine's network, and so would its name be.
            program.if_equal(number(libc::SYS_bind), libc::SECCOMP_RET_USER_NOTIF);
            // The same of whoever connects to it. A socket that has no port left to listen at cannot be given others.
            program.if_call_has_both(
                libc::SYS_setsockopt,
                [(1, libc::IPPROTO_IP), (2, LOCAL_PORTS)],
                errno(libc::EPERM),
            );
            if doorkeeper == Doorkeeper::Host {
                program.if_equal(number(libc::SYS_listen), libc::SECCOMP_RET_USER_NOTIF);
            }
            // These connect as well, where they are asked to.
            for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                program.if_call_has(call, flags, libc::MSG_FASTOPEN, errno(libc::EOPNOTSUPP));
            }
        }
        program.if_call_has(libc::SYS_memfd_create, 1, libc::MFD_HUGETLB.cast_signed(), errno(libc::EINVAL));
        program.if_call_has(libc::SYS_clone, 0, NAMESPACES, errno(libc::EPERM));
        program.unless_call_has_one_of(libc::SYS_socket, 0, &SOCKET_DOMAINS, errno(libc::EAFNOSUPPORT));
        // Programs ask it for their addresses. Behind its other protocols are firewalls, encryption, devices and the list of all sockets.
        program.unless_socket_has(libc::AF_NETLINK, libc::NETLINK_ROUTE, errno(libc::EPROTONOSUPPORT));
        // Pushing input into a terminal.
        program.if_call_has_one_of(libc::SYS_ioctl, 1, &[0x5412, 0x541C], errno(libc::EPERM));
        program.end(libc::SECCOMP_RET_ALLOW)
    }
}

/// Calls that only this architecture has.
fn only_here() -> Vec<libc::c_long> {
    #[cfg(target_arch = "x86_64")]
    return vec![
        libc::SYS_iopl,
        libc::SYS_ioperm,
        libc::SYS_modify_ldt,
        libc::SYS_kexec_file_load,
        libc::SYS_uselib,
        libc::SYS_ustat,
        libc::SYS_sysfs,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).expect("the numbers of system calls are small")
}

fn errno(code: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | code.unsigned_abs()
}

/// A program in the making. Between two of its rules the call's number is loaded.
#[derive(Default)]
struct Program {
    steps: Vec<sock_filter>,
}

impl Program {
    fn step(&mut self, code: u32, jump: (u8, u8), k: u32) {
        let code = u16::try_from(code).expect("codes of steps are short");
        self.steps.push(sock_filter { code, jt: jump.0, jf: jump.1, k });
    }

    fn load(&mut self, offset: u32) {
        self.step(BPF_LD | BPF_W | BPF_ABS, (0, 0), offset);
    }

    fn give(&mut self, verdict: u32) {
        self.step(BPF_RET | BPF_K, (0, 0), verdict);
    }

    fn unless_equal(&mut self, value: u32, verdict: u32) {
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (1, 0), value);
        self.give(verdict);
    }

    fn if_equal(&mut self, value: u32, verdict: u32) {
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, 1), value);
        self.give(verdict);
    }

    #[cfg(target_arch = "x86_64")]
    fn if_at_least(&mut self, value: u32, verdict: u32) {
        self.step(BPF_JMP | BPF_JGE | BPF_K, (0, 1), value);
        self.give(verdict);
    }

    /// A call with one of these bits in an argument. Flags stand in the lower half of an argument.
    fn if_call_has(&mut self, call: libc::c_long, argument: u32, bits: libc::c_int, verdict: u32) {
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, 4), number(call));
        self.load(ARGUMENTS + 8 * argument);
        self.step(BPF_JMP | BPF_JSET | BPF_K, (0, 1), bits.cast_unsigned());
        self.give(verdict);
        self.load(NUMBER);
    }

    /// A call for which nothing else counts than whether one of these bits is in an argument.
    fn decide_by(&mut self, call: libc::c_long, argument: u32, bits: libc::c_int, verdict: u32) {
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, 4), number(call));
        self.load(ARGUMENTS + 8 * argument);
        self.step(BPF_JMP | BPF_JSET | BPF_K, (0, 1), bits.cast_unsigned());
        self.give(verdict);
        self.give(libc::SECCOMP_RET_ALLOW);
    }

    /// A call whose argument is one of these values.
    fn if_call_has_one_of(&mut self, call: libc::c_long, argument: u32, values: &[libc::c_int], verdict: u32) {
        let count = u8::try_from(values.len()).expect("few values");
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, count + 3), number(call));
        self.load(ARGUMENTS + 8 * argument);
        for (value, left) in values.iter().zip((0..count).rev()) {
            // To the verdict, or to the next value, and behind the verdict from the last.
            self.step(BPF_JMP | BPF_JEQ | BPF_K, (left, u8::from(left == 0)), value.cast_unsigned());
        }
        self.give(verdict);
        self.load(NUMBER);
    }

    /// A call whose argument is none of these values.
    fn unless_call_has_one_of(&mut self, call: libc::c_long, argument: u32, values: &[libc::c_int], verdict: u32) {
        let count = u8::try_from(values.len()).expect("few values");
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, count + 3), number(call));
        self.load(ARGUMENTS + 8 * argument);
        for (value, left) in values.iter().zip((0..count).rev()) {
            // Behind the verdict, or to the next value, and to the verdict from the last.
            self.step(BPF_JMP | BPF_JEQ | BPF_K, (left + 1, 0), value.cast_unsigned());
        }
        self.give(verdict);
        self.load(NUMBER);
    }

    /// A call for a socket of this domain whose protocol is another one.
    fn unless_socket_has(&mut self, domain: libc::c_int, protocol: libc::c_int, verdict: u32) {
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, 6), number(libc::SYS_socket));
        self.load(ARGUMENTS);
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, 3), domain.cast_unsigned());
        self.load(ARGUMENTS + 8 * 2);
        self.unless_equal(protocol.cast_unsigned(), verdict);
        self.load(NUMBER);
    }

    /// A call with these values in two of its arguments.
    fn if_call_has_both(&mut self, call: libc::c_long, wanted: [(u32, libc::c_int); 2], verdict: u32) {
        let [(first, first_value), (second, second_value)] = wanted;
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, 6), number(call));
        self.load(ARGUMENTS + 8 * first);
        self.step(BPF_JMP | BPF_JEQ | BPF_K, (0, 3), first_value.cast_unsigned());
        self.load(ARGUMENTS + 8 * second);
        self.if_equal(second_value.cast_unsigned(), verdict);
        self.load(NUMBER);
    }

    fn end(mut self, verdict: u32) -> Vec<sock_filter> {
        self.give(verdict);
        self.steps
    }
}
