//! The one writer.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fail::fail_point;
use rusqlite::{Connection, params};
use zstd::bulk::Compressor;

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::reader::{self, Head, Reader};
use crate::schema::{self, Durability};
use crate::wal::WalKeeper;
use crate::{Append, Blob, Error, Hash, StoredRecord};

/// How many of the last records `open` checks: enough to notice a damaged tail, cheap enough to do
/// at every start. [`crate::verify`] checks all of them.
const CHECKED_AT_OPEN: u64 = 64;

/// A pack is closed once it has this many bytes: more compresses little better, and reading one
/// blob unpacks its whole pack.
const PACK_BYTES: usize = 128 << 10;

/// A segment of the blob index takes no further batch once it has this many entries. Fewer would
/// make more segments to look through, more would spread a batch over more pages (see `lib.rs`).
const SEGMENT_ENTRIES: i64 = 16 << 10;

/// The fastest level: packs are made on the hot path.
const PACK_LEVEL: i32 = 1;

pub(crate) const CODEC_STORED: i64 = 0;
pub(crate) const CODEC_ZSTD: i64 = 1;

/// The journal of one data directory, opened for writing. There must be only one at a time: the
/// server holds the directory's [`crate::DataLock`] around it. One thread owns it; everybody else
/// reads through [`Reader`].
pub struct Journal {
    // Declared, and so dropped, first: the writer's connection closes last and tidies the WAL away.
    wal: WalKeeper,
    connection: Connection,
    dir: PathBuf,
    path: PathBuf,
    head: Head,
    blobs: BlobEnd,
    compressor: Compressor<'static>,
    stopped: Option<String>,
}

/// Where the next blob goes.
#[derive(Clone, Copy, Debug)]
struct BlobEnd {
    pack: i64,
    segment: i64,
    /// How many there are in the segment.
    entries: i64,
}

/// What a transaction that was committed changes in memory.
struct Committed {
    last_seq: u64,
    last_hash: Hash,
    blobs: BlobEnd,
    bytes: u64,
}

impl Journal {
    /// Opens the journal of `dir`, creating directory and database where they are missing, and
    /// checks the last records' checksums and chain links.
    ///
    /// # Errors
    /// [`Error::NewerSchema`] for a journal of a newer program, [`Error::NotAJournal`] for another
    /// program's database, [`Error::Damaged`] where the tail is not what was written.
    pub fn open(dir: &Path) -> Result<Journal, Error> {
        let durability = durability();
        let connection = schema::open_writer(dir, durability)?;
        let path = schema::database_path(dir);
        let context = |doing| Error::sqlite(doing, &path);
        let head = reader::head(&connection, &path)?;
        reader::check_tail(&connection, &path, &head, CHECKED_AT_OPEN)?;
        let blobs = blob_end(&connection).map_err(context("read the journal's blobs"))?;
        let compressor =
            Compressor::new(PACK_LEVEL).map_err(Error::io("set up compression for", &path))?;
        let wal = WalKeeper::start(dir, durability)?;
        let dir = dir.to_owned();
        Ok(Journal { wal, connection, dir, path, head, blobs, compressor, stopped: None })
    }

    /// Makes `batch`, and the `blobs` that its records name, durable in one transaction. When it
    /// returns `Ok`, they survive a power cut. Either the whole batch is kept or nothing of it.
    ///
    /// # Errors
    /// [`Error::DiskFull`] where nothing was kept and the same call may be tried again; any other
    /// error ends this journal's writing, since what reached the disk is then unknown.
    ///
    /// # Panics
    /// If the first record's `seq` is not [`Journal::last_seq`] plus one, or one of the others is
    /// not one more than the record before it.
    pub fn append(&mut self, batch: &[Append], blobs: &[Blob]) -> Result<(), Error> {
        if let Some(cause) = &self.stopped {
            return Err(Error::Stopped { cause: cause.clone() });
        }
        assert_consecutive(self.head.last_seq, batch);
        if batch.is_empty() && blobs.is_empty() {
            return Ok(());
        }
        self.wal.before_commit(&self.connection);
        match self.commit(batch, blobs) {
            Ok(committed) => {
                self.head.last_seq = committed.last_seq;
                self.head.last_hash = committed.last_hash;
                self.blobs = committed.blobs;
                self.wal.committed(committed.bytes);
                Ok(())
            }
            Err(error) => Err(self.roll_back(error)),
        }
    }

    /// The last durable record's number; 0 for an empty journal.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.head.last_seq
    }

    /// The last durable record's hash; [`Hash::GENESIS`] for an empty journal.
    #[must_use]
    pub fn last_hash(&self) -> Hash {
        self.head.last_hash
    }

    /// The data directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// See [`Reader::read_from`].
    ///
    /// # Errors
    /// As [`Reader::read_from`].
    pub fn read_from(
        &self,
        after_seq: u64,
        visit: impl FnMut(StoredRecord) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        reader::read_from(&self.connection, &self.path, after_seq, visit)
    }

    /// See [`Reader::blob`].
    ///
    /// # Errors
    /// As [`Reader::blob`].
    pub fn blob(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        reader::blob(&self.connection, &self.path, hash)
    }

    /// See [`Checkpoints::put`], which does the same from any thread.
    ///
    /// # Errors
    /// As [`Checkpoints::put`].
    pub fn put_checkpoint(&mut self, seq: u64, format: u32, body: &[u8]) -> Result<(), Error> {
        Checkpoints::open(&self.dir)?.put(seq, format, body)
    }

    /// See [`Checkpoints::latest`].
    ///
    /// # Errors
    /// As [`Checkpoints::latest`].
    pub fn latest_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        Checkpoints::open(&self.dir)?.latest()
    }

    /// A handle for another thread that reads what is durable while this journal goes on writing.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn reader(&self) -> Result<Reader, Error> {
        Reader::open(&self.dir)
    }

    fn commit(&mut self, batch: &[Append], blobs: &[Blob]) -> Result<Committed, Error> {
        let context = |doing| Error::sqlite(doing, &self.path);
        fail_point!("journal-before-write", |_| crate::crash_here("journal-before-write"));
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(context("begin a batch"))?;
        let (blobs, blob_bytes) =
            write_blobs(&self.connection, &mut self.compressor, self.blobs, blobs)
                .map_err(context("write blobs to the journal"))?;
        let (last_hash, record_bytes) = write_records(&self.connection, self.head.last_hash, batch)
            .map_err(context("write records to the journal"))?;
        let last_seq = batch.last().map_or(self.head.last_seq, |record| record.seq);
        if !batch.is_empty() {
            write_head(&self.connection, last_seq, last_hash)
                .map_err(context("write the journal's head"))?;
        }
        fail_point!("journal-write-error", |_| Err(Error::io(
            "write (by failpoint) to",
            &self.path
        )(std::io::Error::other(
            "journal-write-error"
        ))));
        fail_point!("journal-disk-full", |_| Err(Error::DiskFull { path: self.path.clone() }));
        fail_point!("journal-before-sync", |_| crate::crash_here("journal-before-sync"));
        self.connection.execute_batch("COMMIT").map_err(context("commit a batch"))?;
        fail_point!("journal-after-sync", |_| crate::crash_here("journal-after-sync"));
        Ok(Committed { last_seq, last_hash, blobs, bytes: blob_bytes + record_bytes })
    }

    /// Leaves the failed transaction and decides whether the journal may go on.
    fn roll_back(&mut self, error: Error) -> Error {
        // Some errors make SQLite roll back by itself.
        let rolled_back =
            self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok();
        if !(error.is_disk_full() && rolled_back) {
            self.stopped = Some(error.to_string());
        }
        match (error.is_disk_full(), rolled_back) {
            (true, false) => Error::Stopped {
                cause: format!("{error}, and the failed batch could not be rolled back"),
            },
            _ => error,
        }
    }
}

fn durability() -> Durability {
    fail_point!("journal-synchronous-off", |_| {
        tracing::error!("this journal is not durable: failpoint journal-synchronous-off");
        Durability::Off
    });
    Durability::Full
}

fn assert_consecutive(last_seq: u64, batch: &[Append]) {
    for (expected, record) in (last_seq + 1..).zip(batch) {
        assert!(
            record.seq == expected,
            "journal sequence numbers have no gaps: record {expected} is next, not {}",
            record.seq
        );
    }
}

/// Inserts the records; answers the last hash and the bytes written.
fn write_records(
    connection: &Connection,
    mut hash: Hash,
    batch: &[Append],
) -> rusqlite::Result<(Hash, u64)> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO record (seq, at_us, checksum, hash, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut bytes = 0;
    for record in batch {
        hash = hash.next(record.seq, record.at_us, &record.body);
        let checksum = crc32fast::hash(&record.body);
        insert.execute(params![
            record.seq.cast_signed(),
            record.at_us,
            i64::from(checksum),
            hash.0.as_slice(),
            record.body.as_slice()
        ])?;
        bytes += record.body.len() as u64 + 64;
    }
    Ok((hash, bytes))
}

fn write_head(connection: &Connection, last_seq: u64, last_hash: Hash) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE head SET last_seq = ?1, last_hash = ?2 WHERE one = 1")?
        .execute(params![last_seq.cast_signed(), last_hash.0.as_slice()])?;
    Ok(())
}

fn blob_end(connection: &Connection) -> rusqlite::Result<BlobEnd> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
    Ok(BlobEnd {
        pack: number("SELECT coalesce(max(pack), 0) + 1 FROM blob_pack")?,
        segment: number("SELECT coalesce(max(segment), 0) FROM blob")?,
        entries: number(
            "SELECT count(*) FROM blob WHERE segment = (SELECT max(segment) FROM blob)",
        )?,
    })
}

/// Inserts the blobs that the segment has not got yet; answers where the next one goes, and about
/// how many bytes were written.
fn write_blobs(
    connection: &Connection,
    compressor: &mut Compressor<'_>,
    mut end: BlobEnd,
    blobs: &[Blob],
) -> rusqlite::Result<(BlobEnd, u64)> {
    if end.entries >= SEGMENT_ENTRIES && !blobs.is_empty() {
        end.segment += 1;
        end.entries = 0;
    }
    let mut index = connection.prepare_cached(
        "INSERT OR IGNORE INTO blob (segment, hash, pack, start, length)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut bytes = 0;
    let mut open = Vec::new();
    // Counted, because a pack of one empty blob is a pack too.
    let mut in_pack = 0;
    for blob in blobs {
        debug_assert_eq!(blob.hash, Hash::of(&blob.body), "a blob's hash is that of its bytes");
        let (start, length) = (open.len() as i64, blob.body.len() as i64);
        let hash = blob.hash.0.as_slice();
        if index.execute(params![end.segment, hash, end.pack, start, length])? == 0 {
            continue;
        }
        end.entries += 1;
        in_pack += 1;
        bytes += 128;
        open.extend_from_slice(&blob.body);
        if open.len() >= PACK_BYTES {
            bytes += write_pack(connection, compressor, end.pack, &open)?;
            end.pack += 1;
            open.clear();
            in_pack = 0;
        }
    }
    if in_pack > 0 {
        bytes += write_pack(connection, compressor, end.pack, &open)?;
        end.pack += 1;
    }
    Ok((end, bytes))
}

fn write_pack(
    connection: &Connection,
    compressor: &mut Compressor<'_>,
    pack: i64,
    raw: &[u8],
) -> rusqlite::Result<u64> {
    // What does not get smaller is stored as it is, and costs nothing to read.
    let compressed = compressor.compress(raw).ok().filter(|body| body.len() < raw.len());
    let (codec, body) = match &compressed {
        Some(body) => (CODEC_ZSTD, body.as_slice()),
        None => (CODEC_STORED, raw),
    };
    connection
        .prepare_cached(
            "INSERT INTO blob_pack (pack, codec, raw_length, checksum, body)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![pack, codec, raw.len() as i64, i64::from(crc32fast::hash(body)), body])?;
    Ok(body.len() as u64)
}
