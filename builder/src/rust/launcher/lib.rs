//! What ship adds to functions in Rust: an HTTP server around a handler, and for programs that open a port themselves, the
//! socket that the host hands over in its place.

mod adopt;
#[cfg(feature = "serve")]
mod body;
#[cfg(feature = "serve")]
mod serve;

pub use adopt::adopt;
#[cfg(feature = "serve")]
pub use body::{Answer, FromBody, FromRequest, IntoBody, Outcome};
#[cfg(feature = "serve")]
pub use serve::serve;

/// Runs a future to its end.
#[cfg(feature = "block")]
pub fn block_on<F: std::future::Future>(future: F) -> F::Output {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ! {
    eprintln!("{error}");
    std::process::exit(1)
}

/// The socket whose descriptor is in `SHIP_LISTEN_FD`, once: whoever asks first gets it.
fn inherited() -> Option<std::os::fd::RawFd> {
    let text = std::env::var_os("SHIP_LISTEN_FD")?;
    std::env::remove_var("SHIP_LISTEN_FD");
    match text.to_str().and_then(|text| text.parse().ok()) {
        Some(descriptor) => Some(descriptor),
        None => fail(&format!("SHIP_LISTEN_FD is {text:?}, not a file descriptor")),
    }
}
