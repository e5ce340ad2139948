//! How much there is in a journal.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension;

use crate::checkpoint::Checkpoints;
use crate::reader::{self, Reader};
use crate::{Error, SCHEMA_VERSION};

/// A record's place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its place in the journal.
    pub seq: u64,
    /// Microseconds since 1970-01-01 UTC.
    pub at_us: i64,
}

/// What [`stat`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The schema version of the database.
    pub schema_version: i32,
    /// How many records there are.
    pub records: u64,
    /// The first record, `None` in an empty journal.
    pub first: Option<Moment>,
    /// The last record, `None` in an empty journal.
    pub last: Option<Moment>,
    /// Bytes of the database file, without the WAL.
    pub database_bytes: u64,
    /// Bytes of the WAL file; most of it may have been moved into the database already.
    pub wal_bytes: u64,
    /// How many blobs there are.
    pub blobs: u64,
    /// Bytes of all blobs as they were given.
    pub blob_bytes: u64,
    /// Bytes of all blobs as they are stored.
    pub blob_stored_bytes: u64,
    /// The records for which there is a checkpoint, newest first.
    pub checkpoints: Vec<u64>,
    /// Bytes of all checkpoint files.
    pub checkpoint_bytes: u64,
}

/// Says how much there is in the journal of `dir`, which may be in use. Nothing is verified.
///
/// # Errors
/// As [`Reader::open`].
pub fn stat(dir: &Path) -> Result<Stat, Error> {
    let reader = Reader::open(dir)?;
    let path = reader.path().to_owned();
    let context = || Error::sqlite("count what is in the journal", &path);
    let head = reader::head(reader.connection(), &path)?;
    let moment = |seq: u64| {
        reader
            .connection()
            .query_row("SELECT at_us FROM record WHERE seq = ?1", [seq.cast_signed()], |row| {
                Ok(Moment { seq, at_us: row.get(0)? })
            })
            .optional()
            .map_err(context())
    };
    let number = |sql: &str| -> Result<u64, Error> {
        let count: i64 =
            reader.connection().query_row(sql, [], |row| row.get(0)).map_err(context())?;
        Ok(count.cast_unsigned())
    };
    let checkpoints = Checkpoints::open(dir)?;
    let kept = checkpoints.newest_first()?;
    Ok(Stat {
        schema_version: SCHEMA_VERSION,
        records: head.last_seq + 1 - head.first_seq,
        first: moment(head.first_seq)?,
        last: moment(head.last_seq)?,
        database_bytes: size(&path),
        wal_bytes: size(&wal_path(&path)),
        blobs: number("SELECT count(*) FROM blob")?,
        blob_bytes: number("SELECT coalesce(sum(raw_length), 0) FROM blob_pack")?,
        blob_stored_bytes: number("SELECT coalesce(sum(length(body)), 0) FROM blob_pack")?,
        checkpoint_bytes: kept.iter().map(|seq| size(&checkpoints.path_of(*seq))).sum(),
        checkpoints: kept,
    })
}

fn wal_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// A file that is not there, as the WAL of a closed journal, has no bytes.
fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
