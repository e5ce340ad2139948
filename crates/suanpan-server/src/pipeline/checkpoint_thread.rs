//! The thread that saves the state from time to time, so that a restart folds only what is newer.
//!
//! It makes its own state from the disk by [`super::recovery`]: the sequencer is not disturbed, and
//! what is saved is what a restart would find. The checks of the whole state run here too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use anyhow::Result;
use suanpan_engine::state::State;
use suanpan_journal::Checkpoints;

use super::mode::Mode;
use super::recovery::{self, CHECKPOINT_FORMAT};
use super::{Background, Shared, lower_priority};

/// Says when a checkpoint is due.
pub(crate) struct Checkpointer {
    /// Records, and bytes of records.
    every: (u64, u64),
    inner: Mutex<Inner>,
    due: Condvar,
}

#[derive(Default)]
struct Inner {
    durable: u64,
    /// Bytes of records since the last one was begun.
    bytes: u64,
    saved: u64,
    stopped: bool,
}

impl Checkpointer {
    pub(crate) fn new(every: (u64, u64), saved: u64, durable: u64) -> Checkpointer {
        let inner = Inner { durable, saved, bytes: 0, stopped: false };
        Checkpointer { every, inner: Mutex::new(inner), due: Condvar::new() }
    }

    /// Records up to `seq` are durable, `bytes` more than before.
    pub(crate) fn durable(&self, seq: u64, bytes: u64) {
        let mut inner = self.lock();
        inner.durable = seq;
        inner.bytes += bytes;
        if inner.is_due(self.every) {
            self.due.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.due.notify_one();
    }

    /// The record of the newest checkpoint.
    pub(crate) fn saved(&self) -> u64 {
        self.lock().saved
    }

    /// Waits until a checkpoint is due; false once a stop was asked.
    fn wait(&self) -> bool {
        let inner = self.lock();
        let mut inner = self
            .due
            .wait_while(inner, |inner| !inner.stopped && !inner.is_due(self.every))
            .expect("no thread panics while it holds the lock");
        inner.bytes = 0;
        !inner.stopped
    }

    fn tried(&self, saved: u64) {
        self.lock().saved = saved;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the lock")
    }
}

impl Inner {
    fn is_due(&self, every: (u64, u64)) -> bool {
        let records = self.durable.saturating_sub(self.saved);
        records > 0 && (records >= every.0 || self.bytes >= every.1)
    }
}

/// Saves checkpoints until a stop is asked.
pub(crate) fn run(shared: &Arc<Shared>) {
    let _guard = shared.mode.guard("checkpoint");
    lower_priority(Background::Patient);
    while shared.checkpointer.wait() {
        let began = Instant::now();
        match make(shared) {
            Ok(Some(seq)) => {
                shared.checkpointer.tried(seq);
                shared.metrics.checkpoints.inc();
                shared.metrics.checkpoint_seconds.set(began.elapsed().as_secs_f64());
                tracing::info!(seq, seconds = began.elapsed().as_secs_f64(), "saved a checkpoint");
            }
            Ok(None) => return,
            Err(error) => {
                // The older checkpoint and more records give the same state: try again later.
                tracing::warn!(error = format!("{error:#}"), "could not save a checkpoint");
                let durable = shared.checkpointer.lock().durable;
                shared.checkpointer.tried(durable);
            }
        }
    }
}

/// Saves one; `None` where the state was found broken.
fn make(shared: &Shared) -> Result<Option<u64>> {
    let recovered = recovery::recover(&shared.data_dir)?;
    if let Err(why) = check(&recovered.state) {
        alarm(shared, &why);
        return Ok(None);
    }
    save(&shared.data_dir, recovered.last_seq, &recovered.state)?;
    Ok(Some(recovered.last_seq))
}

/// Saves `state`, the fold of all records up to `seq`.
pub(crate) fn save(dir: &Path, seq: u64, state: &State) -> Result<()> {
    let body = state.encode_checkpoint();
    Checkpoints::open(dir)?.put(seq, CHECKPOINT_FORMAT, &body)?;
    Ok(())
}

/// Recomputes everything that can be recomputed; the broken invariant in words otherwise.
pub(crate) fn check(state: &State) -> Result<(), String> {
    in_words(|| state.check())
}

/// Runs what may find a broken invariant, and so panic, but changes nothing.
pub(crate) fn in_words<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "an invariant without words".to_owned())
    })
}

/// Turns the server read-only: whoever looks after it decides what happens next. Agents go on.
pub(crate) fn alarm(shared: &Shared, why: &str) {
    tracing::error!(invariant = why, "an invariant is broken: the server is read-only from now");
    shared.metrics.broken_invariant.set(1);
    shared.mode.worsen(Mode::ReadOnly(format!("an invariant is broken: {why}")));
}
