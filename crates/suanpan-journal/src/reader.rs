//! Reading records and blobs, with every checksum and chain link checked on the way.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::writer::{CODEC_STORED, CODEC_ZSTD};
use crate::{Error, Hash, StoredRecord, schema};

/// A read-only handle on a data directory or a backup, for any thread of any process, beside a
/// writer or without one. Each call sees what was durable when it began.
pub struct Reader {
    connection: Connection,
    dir: PathBuf,
    path: PathBuf,
}

impl Reader {
    /// Opens the journal of `dir` for reading.
    ///
    /// # Errors
    /// [`Error::NoJournal`] where there is none, otherwise as [`crate::Journal::open`].
    pub fn open(dir: &Path) -> Result<Reader, Error> {
        let connection = schema::open_reader(dir)?;
        Ok(Reader { connection, dir: dir.to_owned(), path: schema::database_path(dir) })
    }

    /// The last durable record's number; 0 for an empty journal.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn last_seq(&self) -> Result<u64, Error> {
        head(&self.connection, &self.path).map(|head| head.last_seq)
    }

    /// Visits every record after `after_seq`, in order, until there are no more or the visitor
    /// breaks off. Each record's checksum and chain link are checked before it is shown. The
    /// journal's WAL cannot be reset while this runs, so a visitor should not dawdle.
    ///
    /// # Errors
    /// [`Error::Damaged`] with the first bad sequence number; [`Error::UnknownRecord`] where
    /// `after_seq` is beyond the end.
    pub fn read_from(
        &self,
        after_seq: u64,
        visit: impl FnMut(StoredRecord) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        read_from(&self.connection, &self.path, after_seq, visit)
    }

    /// The bytes whose hash this is, checked against it; `None` where no such blob was stored.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the blob is there but its bytes are not what was written.
    pub fn blob(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        blob(&self.connection, &self.path, hash)
    }

    /// See [`Checkpoints::latest`].
    ///
    /// # Errors
    /// As [`Checkpoints::latest`].
    pub fn latest_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        Checkpoints::open(&self.dir)?.latest()
    }

    /// The hash of record `seq`, or of what the first record stands on for the number before it.
    pub(crate) fn hash_at(&self, seq: u64) -> Result<Hash, Error> {
        hash_at(&self.connection, &self.path, seq)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The journal's ends as the table `head` has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) first_seq: u64,
    pub(crate) base_hash: Hash,
    pub(crate) last_seq: u64,
    pub(crate) last_hash: Hash,
}

pub(crate) fn head(connection: &Connection, path: &Path) -> Result<Head, Error> {
    let row = connection
        .query_row("SELECT first_seq, base_hash, last_seq, last_hash FROM head", [], |row| {
            Ok(Head {
                first_seq: row.get::<_, i64>(0)?.cast_unsigned(),
                base_hash: Hash(row.get(1)?),
                last_seq: row.get::<_, i64>(2)?.cast_unsigned(),
                last_hash: Hash(row.get(3)?),
            })
        })
        .optional()
        .map_err(Error::sqlite("read the journal's head", path))?;
    row.ok_or_else(|| Error::damaged(path, None, "the table head has no row"))
}

/// A record as stored, with nothing checked yet.
pub(crate) fn record_of(row: &Row<'_>) -> rusqlite::Result<StoredRecord> {
    Ok(StoredRecord {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        at_us: row.get(1)?,
        checksum: row.get(2)?,
        hash: Hash(row.get(3)?),
        body: row.get(4)?,
    })
}

pub(crate) const RECORD_COLUMNS: &str = "seq, at_us, checksum, hash, body";

/// What is wrong with a record that should follow `expected - 1`, whose hash is `previous`.
pub(crate) fn fault(record: &StoredRecord, expected: u64, previous: &Hash) -> Option<String> {
    if record.seq != expected {
        return Some(format!("record {expected} is missing: the next one is {}", record.seq));
    }
    let checksum = crc32fast::hash(&record.body);
    if checksum != record.checksum {
        return Some(format!(
            "its body has checksum {checksum:08x}, and {:08x} was written",
            record.checksum
        ));
    }
    let hash = previous.next(record.seq, record.at_us, &record.body);
    (hash != record.hash).then(|| {
        format!("it does not follow from the record before: hash {hash}, stored {}", record.hash)
    })
}

pub(crate) fn read_from(
    connection: &Connection,
    path: &Path,
    after_seq: u64,
    mut visit: impl FnMut(StoredRecord) -> ControlFlow<()>,
) -> Result<(), Error> {
    let context = || Error::sqlite("read the journal's records", path);
    // One read transaction, so that the link and the records are of the same moment.
    let snapshot = connection.unchecked_transaction().map_err(context())?;
    let mut previous = hash_at(connection, path, after_seq)?;
    let sql = format!("SELECT {RECORD_COLUMNS} FROM record WHERE seq > ?1 ORDER BY seq");
    let mut statement = snapshot.prepare_cached(&sql).map_err(context())?;
    let mut rows = statement.query([after_seq.cast_signed()]).map_err(context())?;
    let mut expected = after_seq + 1;
    while let Some(row) = rows.next().map_err(context())? {
        let record = record_of(row).map_err(context())?;
        if let Some(what) = fault(&record, expected, &previous) {
            return Err(Error::damaged(path, Some(expected), what));
        }
        previous = record.hash;
        expected += 1;
        if visit(record).is_break() {
            return Ok(());
        }
    }
    drop(rows);
    let head = head(connection, path)?;
    if head.last_seq + 1 != expected || head.last_hash != previous {
        return Err(Error::damaged(path, Some(expected), cut_off(&head)));
    }
    Ok(())
}

pub(crate) fn cut_off(head: &Head) -> String {
    format!("the records do not end where the journal's head says, at record {}", head.last_seq)
}

/// Checks the last `count` records and that they end where the head says.
pub(crate) fn check_tail(
    connection: &Connection,
    path: &Path,
    head: &Head,
    count: u64,
) -> Result<(), Error> {
    let before_first = head.first_seq - 1;
    let after = head.last_seq.saturating_sub(count).max(before_first);
    read_from(connection, path, after, |_| ControlFlow::Continue(()))
}

pub(crate) fn hash_at(connection: &Connection, path: &Path, seq: u64) -> Result<Hash, Error> {
    let head = head(connection, path)?;
    if seq + 1 == head.first_seq {
        return Ok(head.base_hash);
    }
    if seq < head.first_seq || seq > head.last_seq {
        return Err(Error::UnknownRecord { seq, last: head.last_seq });
    }
    connection
        .prepare_cached("SELECT hash FROM record WHERE seq = ?1")
        .and_then(|mut find| find.query_row([seq.cast_signed()], |row| row.get(0)).optional())
        .map_err(Error::sqlite("read a record's hash", path))?
        .map(Hash)
        .ok_or_else(|| Error::damaged(path, Some(seq), "it is missing"))
}

pub(crate) fn blob(
    connection: &Connection,
    path: &Path,
    hash: &Hash,
) -> Result<Option<Vec<u8>>, Error> {
    let context = || Error::sqlite("look up a blob", path);
    let place = blob_place(connection, hash).map_err(context())?;
    let Some((pack, start, length)) = place else { return Ok(None) };
    let raw = pack_body(connection, path, pack)?;
    slice_of(&raw, start, length, hash)
        .map(|body| Some(body.to_vec()))
        .map_err(|what| Error::damaged(path, None, what))
}

/// The pack of a blob, and its start and length in it.
fn blob_place(connection: &Connection, hash: &Hash) -> rusqlite::Result<Option<(i64, i64, i64)>> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(segment) FROM blob", [], |row| row.get(0))?;
    let mut find = connection
        .prepare_cached("SELECT pack, start, length FROM blob WHERE segment = ?1 AND hash = ?2")?;
    // What was submitted last is asked for most.
    for segment in (0..=newest.unwrap_or(-1)).rev() {
        let place = find
            .query_row(params![segment, hash.0.as_slice()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        if place.is_some() {
            return Ok(place);
        }
    }
    Ok(None)
}

/// The part of an unpacked pack that is the blob with this hash, or what is wrong with it.
pub(crate) fn slice_of<'a>(
    raw: &'a [u8],
    start: i64,
    length: i64,
    hash: &Hash,
) -> Result<&'a [u8], String> {
    let range = usize::try_from(start)
        .ok()
        .zip(usize::try_from(length).ok())
        .and_then(|(start, length)| Some(start..start.checked_add(length)?));
    let body = range
        .and_then(|range| raw.get(range))
        .ok_or_else(|| format!("blob {hash} lies outside its pack of {} bytes", raw.len()))?;
    match Hash::of(body) {
        actual if actual == *hash => Ok(body),
        actual => Err(format!("blob {hash} has bytes whose hash is {actual}")),
    }
}

/// Reads, checks and unpacks a pack of blobs.
pub(crate) fn pack_body(connection: &Connection, path: &Path, pack: i64) -> Result<Vec<u8>, Error> {
    let damaged = |what: &str| Error::damaged(path, None, format!("blob pack {pack} {what}"));
    let (codec, raw_length, checksum, body) = connection
        .prepare_cached("SELECT codec, raw_length, checksum, body FROM blob_pack WHERE pack = ?1")
        .and_then(|mut find| {
            find.query_row([pack], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                ))
            })
            .optional()
        })
        .map_err(Error::sqlite("read a pack of blobs", path))?
        .ok_or_else(|| damaged("is missing"))?;
    if i64::from(crc32fast::hash(&body)) != checksum {
        return Err(damaged("has another checksum than was written"));
    }
    let raw_length = usize::try_from(raw_length).map_err(|_| damaged("has a negative length"))?;
    let raw = match codec {
        CODEC_STORED => body,
        CODEC_ZSTD => zstd::bulk::decompress(&body, raw_length)
            .map_err(|error| damaged(&format!("does not unpack: {error}")))?,
        other => return Err(damaged(&format!("has an unknown codec, {other}"))),
    };
    match raw.len() == raw_length {
        true => Ok(raw),
        false => Err(damaged("has another length than was written")),
    }
}
