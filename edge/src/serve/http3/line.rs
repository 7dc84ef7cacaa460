//! A line between two processes, for datagrams that belong to the other.

use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use quinn::udp::RecvMeta;
use tokio::net::UnixDatagram;

use super::passed_on::{self, MOST_BYTES};

/// A line between two processes.
pub(super) struct Line {
    /// It keeps messages apart and has an end, but is otherwise like one of datagrams.
    socket: UnixDatagram,
    is_gone: AtomicBool,
}

impl Line {
    /// One end of a line.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = StdDatagram::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket)?, is_gone: AtomicBool::new(false) })
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Relaxed)
    }

    /// Passes a datagram on. One for which there is no room is lost, as in any network.
    pub(super) fn pass_on(&self, meta: &RecvMeta, datagram: &[u8]) {
        let sent = self.socket.try_send(&passed_on::write(meta, datagram));
        if sent.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            self.is_gone.store(true, Relaxed);
        }
    }

    /// What was passed on, into as many places as there are. None, if nothing will ever come any more.
    pub(super) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<usize> {
        let mut received = 0;
        while received == 0 && !self.is_gone() {
            if ready!(self.socket.poll_recv_ready(context)).is_err() {
                self.is_gone.store(true, Relaxed);
            }
            while let (Some(buffer), Some(meta)) = (buffers.get_mut(received), metas.get_mut(received)) {
                match self.receive(buffer, meta) {
                    Ok(Some(())) => received += 1,
                    Ok(None) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        self.is_gone.store(true, Relaxed);
                        break;
                    }
                }
            }
        }
        Poll::Ready(received)
    }

    /// One message. `None` if it is none that can be read: another version of this program wrote it.
    fn receive(&self, buffer: &mut [u8], meta: &mut RecvMeta) -> io::Result<Option<()>> {
        let mut message = [0; MOST_BYTES];
        let bytes = self.socket.try_recv(&mut message)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((read, datagram)) = passed_on::read(&message[..bytes]) else { return Ok(None) };
        let Some(place) = buffer.get_mut(..datagram.len()) else { return Ok(None) };
        place.copy_from_slice(datagram);
        *meta = read;
        Ok(Some(()))
    }
}
