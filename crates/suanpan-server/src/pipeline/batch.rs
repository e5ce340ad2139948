//! What is on its way from the sequencer to the disk.
//!
//! The sequencer adds to the pending batch while the journal's thread makes the one before it
//! durable: one batch is in flight, the next accumulates, and it grows exactly as much as the disk
//! is slow. Nothing in a batch has left the process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use suanpan_engine::rejection::Rejection;
use suanpan_engine::sequencer::{Record, Reply};
use suanpan_journal::{Append, Blob};
use suanpan_model::id::{AllocationId, ClusterId};
use suanpan_sched::snapshot::Change;
use suanpan_site::order::Order;
use tokio::sync::oneshot;

use super::{Committed, Failure};

/// Answers a question once what it saw is durable, or says why it never will be.
pub(crate) type Deliver = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// What is told to whoever asked, once the batch is durable.
pub(crate) enum Answer {
    /// A command's outcome. A rejection waits too: it was judged against state that may not be
    /// durable yet.
    Command {
        /// Where to.
        reply: oneshot::Sender<Result<Committed, Failure>>,
        /// Number of the last record when it was judged.
        seq: u64,
        /// What was decided.
        outcome: Result<Reply, Rejection>,
    },
    /// A question's answer.
    Ask(Deliver),
}

impl Answer {
    pub(crate) fn deliver(self) {
        match self {
            Answer::Command { reply, seq, outcome } => {
                let outcome = outcome
                    .map(|reply| Committed { seq, reply })
                    .map_err(|rejection| Failure::Rejected(Box::new(rejection)));
                // A caller that went away is no concern of the journal's.
                let _ = reply.send(outcome);
            }
            Answer::Ask(deliver) => deliver(Ok(())),
        }
    }

    pub(crate) fn fail(self, failure: &Failure) {
        match self {
            Answer::Command { reply, .. } => {
                let _ = reply.send(Err(failure.clone()));
            }
            Answer::Ask(deliver) => deliver(Err(failure.clone())),
        }
    }
}

/// An order as it is after the batch; `None` where the allocation has none any more.
pub(crate) type OrderChange = (ClusterId, AllocationId, Option<Order>);

/// Commands that were decided and applied, and everything that waits for them to be durable.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) appends: Vec<Append>,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) records: Vec<Arc<Record>>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) changes: Vec<Change>,
    pub(crate) orders: Vec<OrderChange>,
    pub(crate) bytes: usize,
}

impl Batch {
    /// Takes all of `later` behind what is here.
    fn absorb(&mut self, later: Batch) {
        if self.answers.is_empty() {
            *self = later;
            return;
        }
        let Batch { appends, blobs, records, answers, changes, orders, bytes } = later;
        self.appends.extend(appends);
        self.blobs.extend(blobs);
        self.records.extend(records);
        self.answers.extend(answers);
        self.changes.extend(changes);
        self.orders.extend(orders);
        self.bytes += bytes;
    }

    pub(crate) fn fail(self, failure: &Failure) {
        for answer in self.answers {
            answer.fail(failure);
        }
    }
}

/// How much may accumulate before the sequencer waits for the disk.
#[derive(Clone, Copy, Debug)]
pub struct BatchBounds {
    /// Most commands and questions.
    pub commands: usize,
    /// Most bytes of records and blobs.
    pub bytes: usize,
}

impl Default for BatchBounds {
    fn default() -> Self {
        BatchBounds { commands: 4096, bytes: 16 << 20 }
    }
}

/// The place where the pending batch accumulates.
pub(crate) struct Handover {
    inner: Mutex<Inner>,
    /// The journal's thread waits here for a batch.
    filled: Condvar,
    /// The sequencer waits here for room.
    emptied: Condvar,
    bounds: BatchBounds,
}

#[derive(Default)]
struct Inner {
    pending: Batch,
    state: Path,
}

/// Whether batches may pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Path {
    /// They may.
    #[default]
    Open,
    /// A batch could not be kept: memory is ahead of the disk and has to be made anew first.
    Broken,
    /// No more will come.
    Closed,
}

impl Handover {
    pub(crate) fn new(bounds: BatchBounds) -> Handover {
        Handover {
            inner: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            bounds,
        }
    }

    /// Adds to the pending batch, waiting while it is full.
    ///
    /// # Errors
    /// Gives the batch back where the path is broken or closed.
    pub(crate) fn push(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let mut inner = self.lock();
        while inner.state == Path::Open
            && (inner.pending.answers.len() >= self.bounds.commands
                || inner.pending.bytes >= self.bounds.bytes)
        {
            inner = self.emptied.wait(inner).expect("no thread panics while it holds the lock");
        }
        if inner.state != Path::Open {
            return Err(Box::new(batch));
        }
        let was_empty = inner.pending.answers.is_empty();
        inner.pending.absorb(batch);
        drop(inner);
        if was_empty {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes the whole pending batch, waiting while there is none; `None` once no more will come.
    pub(crate) fn take(&self) -> Option<Batch> {
        let mut inner = self.lock();
        while inner.pending.answers.is_empty() {
            if inner.state == Path::Closed {
                return None;
            }
            inner = self.filled.wait(inner).expect("no thread panics while it holds the lock");
        }
        let batch = std::mem::take(&mut inner.pending);
        drop(inner);
        self.emptied.notify_one();
        Some(batch)
    }

    /// Lets nothing more pass and answers what is pending with `failure`.
    pub(crate) fn stop(&self, path: Path, failure: &Failure) {
        let mut inner = self.lock();
        inner.state = path;
        let pending = std::mem::take(&mut inner.pending);
        drop(inner);
        self.emptied.notify_one();
        pending.fail(failure);
    }

    /// Lets batches pass again: memory is what the disk says.
    pub(crate) fn mend(&self) {
        let mut inner = self.lock();
        if inner.state == Path::Broken {
            inner.state = Path::Open;
        }
    }

    /// Says that no more will come; what is pending is still taken.
    pub(crate) fn close(&self) {
        self.lock().state = Path::Closed;
        self.filled.notify_one();
        self.emptied.notify_one();
    }

    pub(crate) fn path(&self) -> Path {
        self.lock().state
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the lock")
    }
}
