//! The waiter: the smallest program that can become another.
//!
//! A function that needs no interpreter is executed when it is known. Whoever executes it waits in its cell until then, with all privileges given away.
//! Executing a program begins with taking back the memory of the one before it. A process of ship has pages of a large program, which cost
//! a quarter of a millisecond of a visitor's time; this one has a handful.
//!
//! It is built by `build.rs`, without the standard library and without a C library, and lies in ship's own program. It reads a block (see
//! `src/linux/nursery/waiter.rs`) from descriptor 4, executes what that says, and says on descriptor 5 why it could not. Without a block it ends.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

/// Where the block arrives.
const BLOCK_FD: usize = 4;

/// Where it is said why nothing could be executed.
const WORDS_FD: usize = 5;

/// More than the longest message between processes of ship, from which a block is made.
const MOST_BYTES: usize = 512 * 1024;

/// How many of its first numbers say where things are: the folder, the program, its arguments and its environment.
const HEADER: usize = 4;

/// The block. What is not written to costs no memory.
#[repr(C, align(8))]
struct Block([u8; MOST_BYTES]);

static mut BLOCK: Block = Block([0; MOST_BYTES]);

#[cfg(target_arch = "x86_64")]
mod call {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const EXECVE: usize = 59;
    pub const FCNTL: usize = 72;
    pub const CHDIR: usize = 80;
    pub const PRCTL: usize = 157;
    pub const EXIT_GROUP: usize = 231;
}

#[cfg(target_arch = "aarch64")]
mod call {
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const FCNTL: usize = 25;
    pub const EXECVE: usize = 221;
    pub const CHDIR: usize = 49;
    pub const PRCTL: usize = 167;
    pub const EXIT_GROUP: usize = 94;
}

// The kernel starts a program without a return address, on a stack whose end functions do not expect.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {wait}", "ud2", wait = sym wait);

#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "bl {wait}", "brk #1", wait = sym wait);

/// Reads the block, and becomes the function.
extern "C" fn wait() -> ! {
    prepare();
    // SAFETY: only its address is taken.
    let block = unsafe { &raw mut BLOCK.0 } as usize;
    match read_block(block) {
        0 => exit(0),
        _ => {
            // SAFETY: it was just read.
            say_why_not(unsafe { become_function(block) });
            exit(127)
        }
    }
}

/// Has a name for people, and the function not inherit what is this program's.
fn prepare() {
    const PR_SET_NAME: usize = 15;
    const F_SETFD: usize = 2;
    const FD_CLOEXEC: usize = 1;
    // SAFETY: the calls take a text that ends with a zero, and numbers.
    unsafe {
        kernel(call::PRCTL, [PR_SET_NAME, c"ship-cell".as_ptr() as usize, 0]);
        kernel(call::FCNTL, [BLOCK_FD, F_SETFD, FD_CLOEXEC]);
        kernel(call::FCNTL, [WORDS_FD, F_SETFD, FD_CLOEXEC]);
    }
}

/// Reads until nobody writes any more. How much there was; nothing if it is not to be had.
fn read_block(block: usize) -> usize {
    let mut length = 0;
    loop {
        // SAFETY: the block has so much room left.
        match unsafe { kernel(call::READ, [BLOCK_FD, block + length, MOST_BYTES - length]) } {
            0 => return length,
            read if read > 0 => length += read.unsigned_abs(),
            _ => return 0,
        }
    }
}

/// Executes what a block says. Returns only the number of the error.
///
/// # Safety
///
/// `block` is the address of a whole block.
unsafe fn become_function(block: usize) -> usize {
    // SAFETY: a block begins with four places; two of them are lists of places that end with a zero.
    unsafe {
        let [folder, program, arguments, environment] = *(block as *const [usize; HEADER]);
        let failed = kernel(call::CHDIR, [block + folder, 0, 0]);
        if failed < 0 {
            return failed.unsigned_abs();
        }
        for list in [arguments, environment] {
            let mut place = (block + list) as *mut usize;
            while *place != 0 {
                *place += block;
                place = place.add(1);
            }
        }
        kernel(call::EXECVE, [block + program, block + arguments, block + environment]).unsigned_abs()
    }
}

/// Writes `Report::NotExecuted`, as JSON.
fn say_why_not(errno: usize) {
    const BEFORE: &[u8; 24] = b"{\"NotExecuted\":{\"errno\":";
    let mut text = [b' '; 32];
    for (to, from) in text.iter_mut().zip(BEFORE) {
        *to = *from;
    }
    let mut rest = errno;
    for digit in text[24..28].iter_mut().rev() {
        *digit = if rest == 0 && errno != 0 { b' ' } else { b'0' + (rest % 10) as u8 };
        rest /= 10;
    }
    text[28] = b'}';
    text[29] = b'}';
    // SAFETY: the text outlives the call, which reads as much of it as there is.
    unsafe { kernel(call::WRITE, [WORDS_FD, text.as_ptr() as usize, text.len()]) };
}

fn exit(code: usize) -> ! {
    loop {
        // SAFETY: the call takes a number and does not return.
        unsafe { kernel(call::EXIT_GROUP, [code, 0, 0]) };
    }
}

/// A system call: what it gives, or the negative number of an error.
///
/// # Safety
///
/// As the call says.
unsafe fn kernel(number: usize, [first, second, third]: [usize; 3]) -> isize {
    let given: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel changes the registers that are named, and what the caller gave it.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => given, in("rdi") first, in("rsi") second, in("rdx") third,
             out("rcx") _, out("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel changes the register that is named, and what the caller gave it.
    unsafe {
        asm!("svc #0", in("x8") number, inlateout("x0") first as isize => given, in("x1") second, in("x2") third,
             options(nostack));
    }
    given
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(127)
}
