//! One single-threaded runtime per processor, for visitors: what the control API does never stands between two of them.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::ServerConfig;
use ship_edge::{Answer, Closing, ConnectionLimits, Crew, QuicDoor, ShareRules, Shares};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::blocking::blocking;
use crate::error::HostError;

/// How many files the visitors of one thread may be read at once, each by a thread that waits for the disk. More of them would
/// make the disk no faster.
const READING_THREADS: usize = 32;

/// The threads that answer visitors. They end when this is dropped.
pub(crate) struct Cores {
    runtimes: Vec<Handle>,
    shares: Shares,
    threads: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Cores {
    /// Starts a thread per processor that this process may use. Their work is shared out by these rules among all who come to a listener.
    pub(crate) fn start(rules: ShareRules) -> io::Result<Self> {
        let stopping = CancellationToken::new();
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let (shares, stop) = (Shares::new(rules), stopping.clone().drop_guard());
        let mut cores = Self { runtimes: Vec::new(), shares, threads: Vec::new(), stop };
        for number in 0..count {
            let mut runtime = Builder::new_current_thread();
            let runtime = runtime.enable_all().max_blocking_threads(READING_THREADS).build()?;
            cores.runtimes.push(runtime.handle().clone());
            let stopping = stopping.clone();
            let thread = thread::Builder::new().name(format!("visitors-{number}"));
            cores.threads.push(thread.spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        () = stopping.cancelled() => {}
                        () = ship_runtime::keep_vigil() => {}
                    }
                });
            })?);
        }
        Ok(cores)
    }

    /// Serves a listener on these threads until it is closed. Visitors are let in on the first of them: one that stays there is
    /// answered without any other thread.
    pub(crate) async fn serve<A: Answer>(
        &self,
        listener: TcpListener,
        answer: Arc<A>,
        limits: ConnectionLimits,
        closing: Closing,
    ) -> Result<(), HostError> {
        self.admit(listener, move |listener, crew| ship_edge::serve(listener, crew, answer, limits, closing)).await
    }

    /// The same through TLS.
    pub(crate) async fn serve_tls<A: Answer>(
        &self,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        answer: Arc<A>,
        limits: ConnectionLimits,
        closing: Closing,
    ) -> Result<(), HostError> {
        self.admit(listener, move |listener, crew| ship_edge::serve_tls(listener, tls, crew, answer, limits, closing))
            .await
    }

    /// The same over QUIC.
    pub(crate) async fn serve_http3<A: Answer>(
        &self,
        door: QuicDoor,
        tls: Arc<ServerConfig>,
        answer: Arc<A>,
        limits: ConnectionLimits,
        closing: Closing,
    ) -> io::Result<()> {
        let Some((first, crew)) = self.crew() else { return Ok(()) };
        match first.spawn(ship_edge::serve_http3(door, tls, crew, answer, limits, closing)).await {
            Ok(served) => served,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// Who answers, and where visitors are let in.
    fn crew(&self) -> Option<(&Handle, Crew)> {
        let first = self.runtimes.first()?;
        Some((first, Crew::of(self.runtimes.iter().cloned()).shared_out(self.shares.clone())))
    }

    async fn admit<F>(
        &self,
        listener: TcpListener,
        serve: impl FnOnce(TcpListener, Crew) -> F + Send + 'static,
    ) -> Result<(), HostError>
    where
        F: Future<Output = ()> + Send,
    {
        let Some((first, crew)) = self.crew() else { return Ok(()) };
        let listener = listener.into_std().map_err(HostError::Cores)?;
        let serving = first.spawn(async move {
            let listener = TcpListener::from_std(listener).map_err(HostError::Cores)?;
            serve(listener, crew).await;
            Ok(())
        });
        match serving.await {
            Ok(served) => served,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// Ends the threads, and with them whatever still runs on them.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        let ended = blocking(move || self.threads.into_iter().all(|thread| thread.join().is_ok())).await;
        if !ended {
            tracing::error!("a thread that answers visitors panicked");
        }
    }
}
