//! The program's own pages: what is in memory of the file that this process runs.
//!
//! The kernel brings a program in as it is run, sixteen pages at a time, and leaves all of it there. What a start alone needs, or a
//! build, would count as the host's for as long as it runs: two thirds of what an idle host holds.
#![expect(unsafe_code, reason = "the C library says where the program lies, and the kernel takes its pages by address")]

use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::slice;

use rustix::mm::{Advice, madvise};

/// Takes this process's hold off the program's pages. Those that it goes on using come back by themselves from the page cache, a
/// microsecond for sixteen of them, so that this is for a process at rest.
pub(super) fn let_go() {
    // SAFETY: the callback is called before this returns, with the object that it is documented for, see dl_iterate_phdr(3).
    unsafe {
        libc::dl_iterate_phdr(Some(first_object), std::ptr::null_mut());
    }
}

/// Called for the program first, and for no library: those are shared with every other process, and small.
unsafe extern "C" fn first_object(object: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the C library gives one object with as many program headers as it says.
    let (base, headers) = unsafe {
        let object = &*object;
        (object.dlpi_addr, slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)))
    };
    let _ = headers.iter().filter(|header| is_never_written(header)).try_for_each(|header| let_go_of(base, header));
    1
}

/// What holds code and constants, and what the dynamic linker has not written addresses into: that is only in this process, and
/// would be as in the file again.
fn is_never_written(header: &libc::Elf64_Phdr) -> bool {
    header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0
}

fn let_go_of(base: u64, header: &libc::Elf64_Phdr) -> ControlFlow<()> {
    let page = rustix::param::page_size();
    let (Ok(start), Ok(length)) = (usize::try_from(base + header.p_vaddr), usize::try_from(header.p_memsz)) else {
        return ControlFlow::Break(());
    };
    // Only whole pages of this segment: the next one may begin on its last.
    let first = start.next_multiple_of(page);
    let Some(whole) = (start + length).checked_sub(first).map(|length| length / page * page) else {
        return ControlFlow::Continue(());
    };
    // SAFETY: the pages are mapped from a file and were never written, so that the kernel brings the same ones back.
    match unsafe { madvise(first as *mut c_void, whole, Advice::LinuxDontNeed) } {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
