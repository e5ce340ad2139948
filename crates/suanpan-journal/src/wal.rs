//! Moving the WAL into the database file without holding up commits.
//!
//! SQLite would do this inside a commit, every thousand pages: the batch that happens to cross the
//! line pays for writing and syncing megabytes, and at the rates this journal is made for some
//! batch crosses it many times a second. Instead a thread with its own connection runs
//! `wal_checkpoint(PASSIVE)`, which never blocks the writer.
//!
//! A passive pass beside a busy writer is always a little behind, so the WAL would never be reused
//! from its start, only grow. Once it has grown beyond `reset_frames`, the writer itself runs one
//! pass between two commits. The thread has done nearly all of that work by then, so the pause is
//! short, and the next commit starts the WAL file again from its beginning.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::Error;
use crate::schema::{self, Durability};

/// When there is something to do.
#[derive(Clone, Copy)]
struct Limits {
    /// About how many bytes of new rows make one background pass worth while: it costs two syncs.
    pass_bytes: u64,
    /// Frames (pages of 4 KiB) in the WAL beyond which the writer makes it start again.
    reset_frames: u64,
}

/// A pass for each 8 MiB, and a WAL of about 64 MiB.
const LIMITS: Limits = Limits { pass_bytes: 8 << 20, reset_frames: 16 << 10 };

/// What one batch costs besides the bytes in it: the pages that its rows share with other batches.
const BATCH_OVERHEAD_BYTES: u64 = 16 << 10;

/// Runs the passes. Dropping it ends its thread.
pub(crate) struct WalKeeper {
    limits: Limits,
    written_bytes: u64,
    frames: Arc<AtomicU64>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

fn limits() -> Limits {
    // So that a short test sees many passes and many new beginnings.
    fail::fail_point!("journal-wal-eager", |_| Limits { pass_bytes: 64 << 10, reset_frames: 24 });
    LIMITS
}

impl WalKeeper {
    pub(crate) fn start(dir: &Path, durability: Durability) -> Result<WalKeeper, Error> {
        let connection = schema::open_checkpointer(dir, durability)?;
        let frames = Arc::new(AtomicU64::new(0));
        let (wake, woken) = sync_channel(1);
        let thread = {
            let frames = Arc::clone(&frames);
            std::thread::Builder::new()
                .name("journal-wal".to_owned())
                .spawn(move || keep(&connection, &woken, &frames))
                .map_err(Error::io("start the WAL thread for", dir))?
        };
        let (wake, thread) = (Some(wake), Some(thread));
        Ok(WalKeeper { limits: limits(), written_bytes: 0, frames, wake, thread })
    }

    /// Notes that a batch with so many bytes was committed, and wakes the thread if it is time.
    pub(crate) fn committed(&mut self, bytes: u64) {
        self.written_bytes += bytes + BATCH_OVERHEAD_BYTES;
        if self.written_bytes < self.limits.pass_bytes {
            return;
        }
        let wake = self.wake.as_ref().expect("the channel is there until drop");
        match wake.try_send(()) {
            Ok(()) => self.written_bytes = 0,
            // A pass is waiting to run already; ask again after the next batch.
            Err(TrySendError::Full(())) => {}
            Err(TrySendError::Disconnected(())) => {
                tracing::error!("the WAL thread of the journal has ended; the WAL will grow");
                self.written_bytes = 0;
            }
        }
    }

    /// Between two commits, on the writer's own connection: lets an overgrown WAL start again.
    pub(crate) fn before_commit(&mut self, connection: &Connection) {
        if self.frames.load(Ordering::Relaxed) <= self.limits.reset_frames {
            return;
        }
        // Cleared whatever comes of it: the thread sets it again after its next pass, so a reader
        // that pins the WAL costs one attempt per pass and not one per commit.
        self.frames.store(0, Ordering::Relaxed);
        if let Err(error) = passive_pass(connection) {
            tracing::warn!(%error, "could not reset the journal's WAL; trying again later");
        }
    }
}

impl Drop for WalKeeper {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the WAL thread of the journal panicked");
        }
    }
}

fn keep(connection: &Connection, woken: &Receiver<()>, frames: &AtomicU64) {
    while woken.recv().is_ok() {
        match passive_pass(connection) {
            Ok(in_wal) => frames.store(in_wal, Ordering::Relaxed),
            // Nothing is lost: the frames stay in the WAL, and the next pass takes them.
            Err(error) => tracing::warn!(%error, "could not move the journal's WAL; trying later"),
        }
    }
}

/// Moves what can be moved without waiting for anyone; answers the frames now in the WAL.
fn passive_pass(connection: &Connection) -> rusqlite::Result<u64> {
    let frames: i64 =
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
    Ok(u64::try_from(frames).unwrap_or(0))
}
