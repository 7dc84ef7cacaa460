//! The HTTP server around a handler.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::os::fd::FromRawFd;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;

use crate::body::{FromRequest, IntoBody, Outcome, Sent};

/// A client that sends no complete header for this long is cut off. Whoever hands a socket over stands before it; a port is open
/// to anybody.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The header in which the host asks whether the program is up, without calling the handler.
const CHECK_HEADER: &str = "x-ship-check";

/// Answers requests with `handler` until the process is asked to stop, and returns when those in flight are answered.
pub fn serve<H, R, F, O>(handler: H) -> ExitCode
where
    H: Fn(R) -> F + Clone + Send + Sync + 'static,
    R: FromRequest + 'static,
    F: Future<Output = O> + Send + 'static,
    O: Outcome + Send + 'static,
{
    match crate::block_on(listen(handler)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::fail(&error),
    }
}

enum Listener {
    Inherited(UnixListener),
    Port(TcpListener),
}

async fn open() -> io::Result<Listener> {
    if let Some(descriptor) = crate::inherited() {
        // SAFETY: the host handed the descriptor over, and `inherited` gives it once.
        let listener = unsafe { std::os::unix::net::UnixListener::from_raw_fd(descriptor) };
        listener.set_nonblocking(true)?;
        return Ok(Listener::Inherited(UnixListener::from_std(listener)?));
    }
    match std::env::var("PORT") {
        Ok(port) => Ok(Listener::Port(TcpListener::bind(format!("0.0.0.0:{port}")).await?)),
        Err(_) => Err(io::Error::new(io::ErrorKind::NotFound, "neither SHIP_LISTEN_FD nor PORT is set")),
    }
}

async fn listen<H, R, F, O>(handler: H) -> io::Result<()>
where
    H: Fn(R) -> F + Clone + Send + Sync + 'static,
    R: FromRequest + 'static,
    F: Future<Output = O> + Send + 'static,
    O: Outcome + Send + 'static,
{
    let listener = open().await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopped) = watch::channel(());
    loop {
        tokio::select! {
            accepted = accept(&listener, &handler, &stopped) => accepted?,
            _ = terminate.recv() => break,
        }
    }
    drop(listener);
    // Connections hold receivers: they see the change, finish what is in flight, and are gone when nobody listens any more.
    drop(stopped);
    let _ = stop.send(());
    stop.closed().await;
    Ok(())
}

async fn accept<H, R, F, O>(listener: &Listener, handler: &H, stopped: &watch::Receiver<()>) -> io::Result<()>
where
    H: Fn(R) -> F + Clone + Send + Sync + 'static,
    R: FromRequest + 'static,
    F: Future<Output = O> + Send + 'static,
    O: Outcome + Send + 'static,
{
    match listener {
        Listener::Inherited(listener) => {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(stream, None, handler.clone(), stopped.clone()));
        }
        Listener::Port(listener) => {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(stream, Some(HEADER_TIMEOUT), handler.clone(), stopped.clone()));
        }
    }
    Ok(())
}

async fn connection<S, H, R, F, O>(stream: S, timeout: Option<Duration>, handler: H, mut stopped: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(R) -> F + Clone + Send + Sync + 'static,
    R: FromRequest + 'static,
    F: Future<Output = O> + Send + 'static,
    O: Outcome + Send + 'static,
{
    let service = service_fn(move |request| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(answer(request, handler).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(timeout).half_close(true);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        // How a client ends its connection is its own affair.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer<H, R, F, O>(mut request: http::Request<Incoming>, handler: H) -> http::Response<Sent>
where
    H: Fn(R) -> F,
    R: FromRequest,
    F: Future<Output = O>,
    O: Outcome,
{
    if let Some(check) = request.headers_mut().remove(CHECK_HEADER) {
        if check == "1" {
            return status(http::StatusCode::NO_CONTENT, "");
        }
    }
    let request = match R::from_request(request).await {
        Ok(request) => request,
        Err(error) => {
            eprintln!("the body of a request cannot be read: {error}");
            return status(http::StatusCode::BAD_REQUEST, "the body cannot be read\n");
        }
    };
    match handler(request).await.into_result() {
        Ok(response) => response,
        Err(error) => {
            eprintln!("the handler returned an error: {error}");
            status(http::StatusCode::INTERNAL_SERVER_ERROR, "the function failed\n")
        }
    }
}

fn status(status: http::StatusCode, text: &'static str) -> http::Response<Sent> {
    let mut response = http::Response::new(text.into_body());
    *response.status_mut() = status;
    response
}
