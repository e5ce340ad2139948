//! The read models, in a database of their own: `views.sqlite3` in the data directory.
//!
//! They are folded from durable records by one thread of low priority, in large transactions
//! without syncs, and can be made again from the journal at any time: deleting the file while the
//! server is stopped is always safe. They say how far they are ([`Views::last_seq`]); a reader that
//! must see its own write waits for the number it was answered ([`Views::wait_for`]).
//!
//! The tables are part of the public interface, described in `schema.sql`: anybody may open the
//! file read-only beside a running server and ask in SQL.

pub mod accuracy;
mod feed;
mod fold;
mod query;
pub mod rows;
mod sql;
mod thread;

pub(crate) use feed::ViewFeed;
pub use query::{AttemptQuery, JobQuery, Page};
pub use rows::{AttemptRow, AttemptState, Found, JobEvent, JobRow, StateCounts};
pub use thread::VIEWS_FILE;
pub(crate) use thread::ViewThread;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use rusqlite::Connection;

use super::Shared;

/// The description of the tables, as SQL with comments.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Read-only connections that are kept open.
const CONNECTIONS_KEPT: usize = 8;

/// The read models. Reads block on the disk.
pub struct Views {
    dir: PathBuf,
    connections: Mutex<Vec<Connection>>,
    shared: Arc<Shared>,
}

impl Views {
    pub(crate) fn open(shared: Arc<Shared>) -> Result<(Views, ViewThread)> {
        let thread = ViewThread::open(Arc::clone(&shared))?;
        let dir = shared.data_dir.clone();
        Ok((Views { dir, connections: Mutex::default(), shared }, thread))
    }

    /// The last record that reads see.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        *self.shared.view_feed.seen.borrow()
    }

    /// Waits until reads see record `seq`; false if they do not within `timeout`.
    pub async fn wait_for(&self, seq: u64, timeout: Duration) -> bool {
        if self.last_seq() >= seq {
            return true;
        }
        self.shared.view_feed.want(seq);
        let mut seen = self.shared.view_feed.seen.subscribe();
        let waited = tokio::time::timeout(timeout, seen.wait_for(|seen| *seen >= seq)).await;
        matches!(waited, Ok(Ok(_)))
    }

    /// Runs `read` with a read-only connection.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let kept = self.connections().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => thread::connect_reader(&self.dir)?,
        };
        let value = read(&connection)?;
        let mut connections = self.connections();
        if connections.len() < CONNECTIONS_KEPT {
            connections.push(connection);
        }
        Ok(value)
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().expect("no thread panics while it holds the lock")
    }
}
