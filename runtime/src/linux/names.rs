//! How a program that holds its own C library resolves host names.

/// From now on names are looked up in `/etc/hosts` and by the name servers of `/etc/resolv.conf`, whatever else `/etc/nsswitch.conf` says. To
/// be called before there are threads.
///
/// A program that is linked statically would load the other services' libraries, and with them a second C library of the machine's own
/// version: at best that fails. What is linked dynamically looks names up as the machine does, and this does nothing.
pub fn resolve_names_alone() {
    #[cfg(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static"))]
    of_static_library::configure();
}

#[cfg(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static"))]
#[expect(unsafe_code, reason = "only the C library knows how it looks names up")]
mod of_static_library {
    use std::ffi::{c_char, c_int};

    unsafe extern "C" {
        /// Declared in `nss.h`. It takes a database and the services that it has, in the words of nsswitch.conf(5).
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }

    pub(super) fn configure() {
        // SAFETY: both are constant strings with a zero at their end, and nobody looks a name up meanwhile.
        unsafe {
            __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr());
        }
    }
}
