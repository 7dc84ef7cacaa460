//! A request's place in an instance.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ship_core::{LogLevel, RequestId};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Pool;
use super::roster::InstanceNumber;
use crate::connection::Connection;
use crate::instance::Instance;
use crate::limits::TRUNK_AFTER;
use crate::request::Outgoing;
use crate::trunk::{Call, Trunk};
use crate::wire::WireError;

/// A request's place in an instance, and the connection it uses. Dropping it gives both back, whatever became of the
/// request; the connection only if its last response was read to the end.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    number: InstanceNumber,
    instance: Arc<Instance>,
    id: Option<RequestId>,
    connection: Option<Connection>,
    trunk: Option<Trunk>,
    /// Until it is known whether an instance that starts has read the request.
    witness: Option<TaskTrackerToken>,
}

impl Lease {
    pub(super) fn new(
        pool: Arc<Pool>,
        number: InstanceNumber,
        instance: Arc<Instance>,
        id: Option<RequestId>,
        connection: Option<Connection>,
        trunk: Option<Trunk>,
    ) -> Self {
        let witness = instance.witness();
        Self { pool, number, instance, id, connection, trunk, witness }
    }

    /// The instance.
    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// How long the request may take until its response begins, and until each next piece.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.pool.request_timeout()
    }

    /// The tasks of the runtime.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        self.pool.tasks()
    }

    /// The connection in use.
    pub(crate) const fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// Takes the connection out; it is not given back then.
    pub(crate) const fn take_connection(&mut self) -> Option<Connection> {
        self.connection.take()
    }

    /// Sends a request on the instance's trunk, if it has one and the request is one for it.
    pub(crate) fn call(&self, outgoing: &Outgoing) -> Option<Call> {
        self.trunk.as_ref()?.call(outgoing.as_call()?)
    }

    /// The same with a head that is written where it is sent from.
    pub(crate) fn call_with(&self, write_head: impl FnOnce(&mut Vec<u8>)) -> Option<Call> {
        self.trunk.as_ref()?.call_with(write_head)
    }

    /// The instance offers a trunk, which is opened when there are calls enough to carry.
    pub(crate) fn note_trunk_offer(&self) {
        let is_worth_it = self.connection.as_ref().is_some_and(|connection| connection.answered() >= TRUNK_AFTER);
        if is_worth_it && self.trunk.is_none() {
            self.pool.open_trunk(self.number, &self.instance);
        }
    }

    /// Connects to the instance, unless there is a connection that was kept.
    pub(crate) fn connect(&mut self) -> io::Result<()> {
        if self.connection.is_none() {
            self.connection = Some(Connection::new(self.instance.address.connect()?));
        }
        Ok(())
    }

    /// How many bytes of the response's body are still to come, if that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        self.connection.as_ref().map_or(Some(0), Connection::left)
    }

    /// The instance has answered, or has at least read the request.
    pub(crate) fn note_ready(&self) {
        if self.instance.ready_since().is_none() {
            self.pool.note_ready(self.number, &self.instance);
        }
    }

    /// The request has got no answer, and whether it was read is noted if it was.
    pub(crate) fn note_no_answer(&mut self) {
        self.witness = None;
    }

    /// What the function has answered is not HTTP: its log says why.
    pub(crate) fn remark_garbage(&self, error: &WireError) {
        let message = format!("The function's answer is not valid HTTP: {error}.");
        self.pool.journal.remark(LogLevel::Error, self.id.into_iter().collect(), message);
    }

    /// The instance refuses connections: it gets no more requests.
    pub(crate) fn note_unreachable(&self) {
        self.pool.note_unreachable(self.number);
    }

    /// The request ran into its timeout. The connection is closed, which cancels the request in a function that listens for
    /// it. If it was the instance's only request, the whole process group is killed; otherwise the instance gets no more
    /// requests and ends when the others are over, so that one slow request does not end its neighbours.
    pub(crate) fn time_out(mut self) {
        self.connection = None;
        let requests = self.id.into_iter().collect();
        let seconds = self.pool.spec.function.limits.timeout_secs;
        self.pool.journal.remark(LogLevel::Error, requests, format!("The function did not answer in {seconds} s."));
        self.pool.note_overtime(self.number);
    }
}

impl Lease {
    /// Looks after an instance whose visitor has left while it was working: until it says that it is done, it is as busy as it was,
    /// and it has as long for that as for an answer.
    async fn outlive(self, connection: Connection) {
        let instance = Arc::clone(&self.instance);
        tokio::select! {
            _ = instance.became_ready() => {}
            _ = instance.ended() => {}
        }
        let is_done = async {
            tokio::select! {
                () = connection.call_off() => {}
                _ = instance.ended() => {}
            }
        };
        if tokio::time::timeout(self.request_timeout(), is_done).await.is_err() {
            self.time_out();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut connection = self.connection.take();
        let is_left = connection.as_ref().is_some_and(Connection::is_unanswered) && !self.instance.has_ended();
        // Elsewhere than in a request nobody can leave.
        if let (true, Ok(runtime)) = (is_left, Handle::try_current())
            && let Some(connection) = connection.take()
        {
            let mut rest =
                Self::new(Arc::clone(&self.pool), self.number, Arc::clone(&self.instance), self.id, None, None);
            // It waits for the end of the instance, and what is told of that does not wait for it.
            rest.witness = None;
            self.pool.tasks().spawn_on(rest.outlive(connection), &runtime);
            return;
        }
        if let Some(id) = self.id {
            self.instance.output.end(id);
        }
        self.pool.release(self.number, connection.filter(Connection::is_idle));
    }
}
