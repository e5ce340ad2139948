//! The control plane as the rest of the server sees it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use suanpan_engine::command::{Caller, Command};
use suanpan_engine::sequencer::Record;
use suanpan_engine::state::State;
use suanpan_journal::{Blob, Hash, Reader};
use suanpan_model::id::{BlobHash, JobId};
use suanpan_model::job::Shape;
use suanpan_model::time::Timestamp;
use suanpan_sched::policy::Policy;
use suanpan_sched::reason::Explanation;
use suanpan_sched::snapshot::{Change, ClassKey, Limits, Snapshot};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, oneshot};

use super::links::LinkDesk;
use super::logs::LogBroker;
use super::metrics::Metrics;
use super::mode::Mode;
use super::orders::OrderHub;
use super::scheduler_thread::Waits;
use super::sequencer_thread::Request;
use super::views::Views;
use super::{Committed, Failure, Shared, checkpoint_thread};

/// Readers of blobs that are kept open.
const READERS_KEPT: usize = 4;

/// The control plane: commands go in, what is durable comes out. Cheap to clone.
#[derive(Clone)]
pub struct ControlPlane {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    logs: LogBroker,
    views: Views,
    readers: Mutex<Vec<Reader>>,
}

/// How the control plane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it takes commands, and if not, why.
    pub mode: Mode,
    /// The last durable record.
    pub durable_seq: u64,
    /// Records the views have not taken over yet.
    pub view_lag: u64,
    /// Requests that wait for the sequencer.
    pub queue_depth: u64,
    /// Record of the newest checkpoint.
    pub checkpoint_seq: u64,
}

impl ControlPlane {
    pub(crate) fn new(shared: Arc<Shared>, logs: LogBroker, views: Views) -> ControlPlane {
        let inner = Inner { shared, logs, views, readers: Mutex::default() };
        ControlPlane { inner: Arc::new(inner) }
    }

    /// Sends a command through the one door. Resolves once its outcome is durable, a rejection
    /// too. `blobs` are kept with the record if the command changes something; their hashes are
    /// trusted, so make them with [`Blob::new`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn command(
        &self,
        caller: Caller,
        command: Command,
        blobs: Vec<Blob>,
    ) -> Result<Committed, Failure> {
        if let Some(refusal) = self.shared().mode.refusal() {
            return Err(refusal);
        }
        let (reply, outcome) = oneshot::channel();
        self.send(Request::Command { caller, command, blobs, reply })?;
        outcome.await.unwrap_or(Err(Failure::Stopping))
    }

    /// Asks about the state: `question` runs on the sequencer's thread, between commands, and is
    /// answered once everything it saw is durable. It should be short.
    ///
    /// # Errors
    /// [`Failure::Overloaded`] and [`Failure::Stopping`]; [`Failure::DiskFull`] where what it saw
    /// could not be kept, and then asking again succeeds.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&State, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Ask(Box::new(move |state, now| {
            let value = question(state, now);
            Box::new(move |durable| {
                // The asker may have gone away.
                let _ = reply.send(durable.map(|()| value));
            })
        })))?;
        answer.await.unwrap_or(Err(Failure::Stopping))
    }

    /// Recomputes every derived count and balance of the live state on the sequencer's thread; a
    /// broken invariant turns the server read-only. Takes time in proportion to live jobs.
    ///
    /// # Errors
    /// [`Failure::ReadOnly`] with the broken invariant in words, or as [`ControlPlane::ask`].
    pub async fn check(&self) -> Result<(), Failure> {
        match self.ask(|state, _| checkpoint_thread::check(state)).await? {
            Ok(()) => Ok(()),
            Err(why) => {
                checkpoint_thread::alarm(self.shared(), &why);
                Err(self.shared().mode.refusal().unwrap_or(Failure::ReadOnly(why)))
            }
        }
    }

    /// Orders of every cluster, for polls.
    #[must_use]
    pub fn orders(&self) -> &OrderHub {
        &self.shared().hub
    }

    /// Samples of the links between sites.
    #[must_use]
    pub fn links(&self) -> &LinkDesk {
        &self.shared().links
    }

    /// Parts of output files, from the agents that have them.
    #[must_use]
    pub fn logs(&self) -> &LogBroker {
        &self.inner.logs
    }

    /// The read models. Their reads block: call them where that is allowed.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.inner.views
    }

    /// The bytes of a blob; `None` where no record ever named it. Blocks on the disk.
    ///
    /// # Errors
    /// Where the journal cannot be read or the bytes are not what was written.
    pub fn blob(&self, hash: BlobHash) -> Result<Option<Vec<u8>>, suanpan_journal::Error> {
        let reader = self.inner.readers().pop();
        let reader = match reader {
            Some(reader) => reader,
            None => Reader::open(&self.shared().data_dir)?,
        };
        let body = reader.blob(&Hash(hash.0))?;
        let mut readers = self.inner.readers();
        if readers.len() < READERS_KEPT {
            readers.push(reader);
        }
        Ok(body)
    }

    /// Tells the scheduler how much links may carry now, by (from, to).
    pub fn limit_links(&self, limits: Limits) {
        self.shared().scheduler.changed(vec![Change::Limits(limits)]);
    }

    /// What the scheduler's last cycle found of a waiting job; `None` where it knows no reason.
    #[must_use]
    pub fn waiting(&self, job: JobId, class: &ClassKey) -> Option<Waits> {
        self.shared().scheduler.waits(job, class)
    }

    /// What the scheduler would do with a shape of a project now: candidates, best first, at most
    /// `candidates_max`, and why the other clusters are ruled out.
    ///
    /// # Errors
    /// [`Failure::Stopping`] where the scheduler has stopped.
    pub async fn candidates(
        &self,
        project: String,
        shape: Arc<Shape>,
        candidates_max: usize,
    ) -> Result<Explanation, Failure> {
        self.ask_scheduler(move |snapshot, now, policy| {
            let mut found =
                suanpan_sched::explain::candidates(snapshot, now, policy, &project, &shape);
            found.candidates.truncate(candidates_max);
            found
        })
        .await
    }

    /// Asks the scheduler's own snapshot, with its own predicates and policy: `question` runs on
    /// its thread between two cycles, so it sees durable state only.
    ///
    /// # Errors
    /// [`Failure::Stopping`] where the scheduler has stopped.
    pub async fn ask_scheduler<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Snapshot, Timestamp, &Policy) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.shared().scheduler.ask(question).await.ok_or(Failure::Stopping)
    }

    /// Durable records from now on, in order. A receiver that is too slow is told how many it
    /// missed and finds them in the views.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Record>> {
        self.shared().stream.subscribe()
    }

    /// The last durable record.
    #[must_use]
    pub fn durable_seq(&self) -> u64 {
        self.shared().durable_seq.load(Ordering::Acquire)
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        let shared = self.shared();
        let durable_seq = self.durable_seq();
        Health {
            mode: shared.mode.get(),
            durable_seq,
            view_lag: durable_seq.saturating_sub(self.views().last_seq()),
            queue_depth: shared.queue_depth().unsigned_abs(),
            checkpoint_seq: shared.checkpointer.saved(),
        }
    }

    /// What is measured.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared().metrics
    }

    /// As if an invariant had been found broken.
    #[cfg(test)]
    pub(crate) fn alarm_for_test(&self, why: &str) {
        checkpoint_thread::alarm(self.shared(), why);
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    fn send(&self, request: Request) -> Result<(), Failure> {
        self.shared().inbox.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => Failure::Overloaded,
            TrySendError::Closed(_) => Failure::Stopping,
        })
    }
}

impl Inner {
    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.readers.lock().expect("no thread panics while it holds the lock")
    }
}
