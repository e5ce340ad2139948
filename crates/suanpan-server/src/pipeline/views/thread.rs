//! The views' database and the one thread that writes it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags, params};
use suanpan_engine::sequencer::Record;
use suanpan_journal::Reader;
use suanpan_model::time::Timestamp;

use super::feed::{Time, Work};
use super::fold::Folder;
use crate::pipeline::{Background, Shared, lower_priority};

/// The database's name in the data directory.
pub const VIEWS_FILE: &str = "views.sqlite3";

const APPLICATION_ID: i32 = 0x5355_5657;
const SCHEMA_VERSION: i32 = 4;

/// Rows written in one transaction: enough that a job's row is written once for many events, and
/// few enough that they fit in some megabytes.
const ROWS_AT_ONCE: usize = 10_000;

/// Records, and bytes of records, that are read from the journal at once.
const READ_AT_ONCE: (usize, usize) = (2_000, 4 << 20);

/// After a failed write, a full disk say, the views wait so long; readers see them stand still.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How far the views are, and of which journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    seq: u64,
    at: Timestamp,
    epoch: u64,
}

/// The thread that writes the views.
pub(crate) struct ViewThread {
    shared: Arc<Shared>,
    connection: Connection,
    path: PathBuf,
    mark: Mark,
}

impl ViewThread {
    /// Opens the database, beginning anew where it is missing, was left in doubt by a crash of the
    /// machine, or is not of this journal.
    pub(crate) fn open(shared: Arc<Shared>) -> Result<ViewThread> {
        let path = shared.data_dir.join(VIEWS_FILE);
        let (connection, mark) = match reopen(&path, &shared) {
            Ok(Some(found)) => found,
            Ok(None) => (create(&path)?, Mark::default()),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "making the views anew");
                (create(&path)?, Mark::default())
            }
        };
        shared.view_feed.seen.send_replace(mark.seq);
        Ok(ViewThread { shared, connection, path, mark })
    }

    pub(crate) fn run(mut self) {
        let _guard = self.shared.mode.guard("views");
        lower_priority(Background::Patient);
        loop {
            let worked = match self.shared.view_feed.work(self.mark.seq) {
                Work::Fold(records) => self.fold(&mut records.iter().map(|record| &**record)),
                Work::Read(last) => self.read(last),
                Work::Close => break,
            };
            if let Err(error) = worked {
                tracing::warn!(error = format!("{error:#}"), "the views stand still for a moment");
                // What was taken from memory is read from the journal after this.
                if self.shared.view_feed.pause(RETRY_AFTER) {
                    break;
                }
            }
            let lag = self.shared.view_feed.durable().saturating_sub(self.mark.seq);
            self.shared.metrics.view_lag_records.set(lag.cast_signed());
        }
        if let Err(error) = self.close() {
            tracing::debug!(error = format!("{error:#}"), "the views were not closed in order");
        }
    }

    /// Folds records from the journal, up to and including `last`.
    fn read(&mut self, last: u64) -> Result<()> {
        let reader = Reader::open(&self.shared.data_dir)?;
        while self.mark.seq < last && self.shared.view_feed.time() == Time::Left {
            let records = read_some(&reader, self.mark.seq, last)?;
            if records.is_empty() {
                bail!("the journal ends before record {last}");
            }
            self.fold(&mut records.iter())?;
        }
        Ok(())
    }

    /// Folds records in as many transactions as it takes.
    fn fold(&mut self, records: &mut dyn Iterator<Item = &Record>) -> Result<()> {
        let mut records = records.peekable();
        while records.peek().is_some() && self.shared.view_feed.time() == Time::Left {
            self.fold_some(&mut records)?;
        }
        Ok(())
    }

    fn fold_some(&mut self, records: &mut dyn Iterator<Item = &Record>) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut folder = Folder::new(&transaction);
        let mut mark = self.mark;
        for record in records {
            folder.fold(record)?;
            mark = Mark { seq: record.seq, at: record.at, epoch: record.epoch };
            if folder.rows() >= ROWS_AT_ONCE {
                break;
            }
        }
        folder.flush()?;
        transaction
            .prepare_cached("UPDATE meta SET last_seq = ?1, last_at_us = ?2, last_epoch = ?3")?
            .execute(params![mark.seq.cast_signed(), mark.at.0, mark.epoch.cast_signed()])?;
        transaction.commit().with_context(|| format!("could not write {}", self.path.display()))?;
        self.mark = mark;
        self.shared.view_feed.seen.send_replace(mark.seq);
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.connection.execute("UPDATE meta SET writer = 'closed'", [])?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        // Moves everything into the one file and syncs it.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

fn read_some(reader: &Reader, after: u64, last: u64) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut fault = None;
    let mut bytes = 0;
    reader.read_from(after, |stored| {
        if stored.seq > last {
            return ControlFlow::Break(());
        }
        match Record::decode(stored.seq, &stored.body) {
            Ok(record) => records.push(record),
            Err(error) => fault = Some(error),
        }
        bytes += stored.body.len();
        let is_enough = records.len() >= READ_AT_ONCE.0 || bytes >= READ_AT_ONCE.1;
        match !is_enough && fault.is_none() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    match fault {
        Some(error) => Err(error.into()),
        None => Ok(records),
    }
}

fn create(path: &Path) -> Result<Connection> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("could not remove the old {}", path.display()));
            }
            _ => {}
        }
    }
    let connection = connect(path)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.execute_batch("BEGIN")?;
    connection.execute_batch(include_str!("schema.sql"))?;
    connection.execute(
        "INSERT INTO meta (one, last_seq, last_at_us, last_epoch, boot, writer)
         VALUES (1, 0, 0, 0, ?1, 'open')",
        [boot()],
    )?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)
        .with_context(|| format!("could not open the views {}", path.display()))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A crash of the process loses nothing by this; after one of the machine they are made anew.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

/// Opens views that are there and can be gone on with; `None` where there are none.
fn reopen(path: &Path, shared: &Shared) -> Result<Option<(Connection, Mark)>> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = connect(path)?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        bail!("the views have schema version {version}, this program writes {SCHEMA_VERSION}");
    }
    let (mark, boot_then, writer) = connection.query_row(
        "SELECT last_seq, last_at_us, last_epoch, boot, writer FROM meta",
        [],
        |row| {
            let mark = Mark {
                seq: row.get::<_, i64>(0)?.cast_unsigned(),
                at: Timestamp(row.get(1)?),
                epoch: row.get::<_, i64>(2)?.cast_unsigned(),
            };
            Ok((mark, row.get::<_, String>(3)?, row.get::<_, String>(4)?))
        },
    )?;
    if writer == "open" && boot_then != boot() {
        bail!("the machine went down while the views were written");
    }
    if mark.seq > 0 && mark_of(shared, mark.seq)? != Some(mark) {
        bail!("the views are of another journal");
    }
    connection.execute("UPDATE meta SET boot = ?1, writer = 'open'", [boot()])?;
    Ok(Some((connection, mark)))
}

fn mark_of(shared: &Shared, seq: u64) -> Result<Option<Mark>> {
    let reader = Reader::open(&shared.data_dir)?;
    if reader.last_seq()? < seq {
        return Ok(None);
    }
    let mut found = read_some(&reader, seq - 1, seq)?;
    let record = found.pop();
    Ok(record.map(|record| Mark { seq: record.seq, at: record.at, epoch: record.epoch }))
}

/// Which start of the machine this is; the same for all where that cannot be told.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// A connection that can only read.
pub(crate) fn connect_reader(dir: &Path) -> Result<Connection> {
    let path = dir.join(VIEWS_FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)
        .with_context(|| format!("could not open the views {}", path.display()))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}
