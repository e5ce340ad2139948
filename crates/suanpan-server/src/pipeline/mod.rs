//! From a command to durable, visible effects. This module assembles the parts and decides nothing.
//!
//! ```text
//! HTTP, scheduler, clock ─ channel ─▶ sequencer: decide, apply ─ batch ─▶ journal: one sync
//!                                                                             │ durable
//!                  orders, scheduler changes, replies, views, stream ◀────────┘
//! ```
//!
//! - [`ControlPlane`] is what the rest of the server holds.
//! - Memory may run ahead of the disk by the batch in flight and the one that accumulates; nothing
//!   leaves the process before its record is durable, rejections and answers to questions included.
//! - **A full disk**: the journal kept nothing of the batch, so its commands are answered with
//!   [`Failure::DiskFull`] and *did not happen*: the sequencer folds its state from the journal
//!   again. Nobody saw the dropped state. Until there is room writes are refused, while reads,
//!   questions, polls and views go on; the clock's thread looks whether there is room and lets
//!   writes be tried again, at most every second, less often if it stays full.
//! - **Any other journal error** ends the process: what reached the disk is unknown until the
//!   journal is opened again.
//! - **A broken invariant** turns the server read-only until an operator looks; it never loops
//!   through crashes, and agents go on with what they run.
//!
//! # Threads
//!
//! | thread | owns | waits for |
//! | --- | --- | --- |
//! | sequencer | the state | commands and questions |
//! | journal | the journal's writer | batches; makes each durable and shows it |
//! | scheduler | its snapshot | changes, and its period |
//! | views | `views.sqlite3` | durable records, in memory or from the journal |
//! | checkpoint | nothing; folds a state from the disk when it is time | enough new records |
//! | clock | nothing | seconds |
//!
//! # Failpoints
//!
//! With the feature `failpoints`, an action `return` on each of these kills the process with
//! SIGKILL: `server-before-decide`, `server-after-apply`, `server-before-orders` (durable, nothing
//! shown yet), `server-before-reply` (orders shown) and `server-after-reply`, beside those of
//! `suanpan_journal`.

pub(crate) mod batch;
mod checkpoint_thread;
pub mod clock;
mod control;
mod journal_thread;
pub mod links;
pub mod logs;
pub mod metrics;
pub mod mode;
pub mod orders;
mod publish;
pub mod recovery;
pub mod scheduler_thread;
mod sequencer_thread;
mod start;
pub mod views;

#[cfg(test)]
mod tests;

pub use batch::BatchBounds;
pub use control::{ControlPlane, Health};
pub use metrics::Metrics;
pub use mode::Mode;
pub use scheduler_thread::{SchedulerOptions, Waits};
pub use start::{Options, Stopper};
pub use suanpan_journal::Blob;
pub use views::Views;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use suanpan_engine::command::{Caller, Command};
use suanpan_engine::rejection::Rejection;
use suanpan_engine::sequencer::{Record, Reply};
use tokio::sync::{broadcast, mpsc, oneshot};

use batch::Handover;
use checkpoint_thread::Checkpointer;
use links::LinkDesk;
use mode::ModeCell;
use orders::OrderHub;
use scheduler_thread::SchedulerDesk;
use sequencer_thread::Request;
use views::ViewFeed;

/// A command's durable outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of the last record it needs: views that have reached it show its effects.
    pub seq: u64,
    /// The engine's answer.
    pub reply: Reply,
}

/// Why a command or question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The engine refused it; nothing was changed.
    #[error("{0}")]
    Rejected(Box<Rejection>),
    /// Too much waits already; it was not looked at and may be tried again in a second.
    #[error("the server has more to do than it can take; try again in a second")]
    Overloaded,
    /// There is no room for the record; it did not happen.
    #[error("the disk of the control plane is full; nothing was changed, try again later")]
    DiskFull,
    /// Writes are refused until an operator looks.
    #[error("the server is read-only: {0}")]
    ReadOnly(String),
    /// The server is stopping. The command may have happened if the journal failed at this moment:
    /// repeat it with the same idempotency key.
    #[error("the server is stopping")]
    Stopping,
}

/// What the threads share.
pub(crate) struct Shared {
    pub(crate) data_dir: PathBuf,
    pub(crate) mode: Arc<ModeCell>,
    pub(crate) metrics: Metrics,
    pub(crate) inbox: mpsc::Sender<Request>,
    pub(crate) handover: Handover,
    pub(crate) hub: Arc<OrderHub>,
    pub(crate) links: LinkDesk,
    pub(crate) scheduler: SchedulerDesk,
    pub(crate) view_feed: ViewFeed,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) stream: broadcast::Sender<Arc<Record>>,
    pub(crate) durable_seq: AtomicU64,
}

impl Shared {
    pub(crate) fn queue_depth(&self) -> i64 {
        let taken = self.inbox.max_capacity() - self.inbox.capacity();
        i64::try_from(taken).unwrap_or(i64::MAX)
    }

    /// A command of the control plane itself, from a thread that may wait for room.
    pub(crate) fn command_blocking(
        &self,
        caller: Caller,
        command: Command,
    ) -> Result<Committed, Failure> {
        if let Some(refusal) = self.mode.refusal() {
            return Err(refusal);
        }
        let (reply, outcome) = oneshot::channel();
        let request = Request::Command { caller, command, blobs: Vec::new(), reply };
        self.inbox.blocking_send(request).map_err(|_| Failure::Stopping)?;
        outcome.blocking_recv().unwrap_or(Err(Failure::Stopping))
    }
}

/// Work that commits come before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Background {
    /// Somebody waits for it: plans.
    Awaited,
    /// It may take its time: views and checkpoints.
    Patient,
}

/// Lets this thread stand back behind those that make commits durable.
pub(crate) fn lower_priority(to: Background) {
    let nice = match to {
        Background::Awaited => 4,
        Background::Patient => 15,
    };
    // On Linux a nice value belongs to one thread. Without it the thread works all the same.
    if let Err(error) = rustix::process::nice(nice) {
        tracing::debug!(%error, "could not lower a thread's priority");
    }
}
