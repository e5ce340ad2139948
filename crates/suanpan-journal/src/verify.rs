//! Reading everything there is and comparing it with what was written.

use std::path::Path;

use rusqlite::Connection;

use crate::checkpoint::Checkpoints;
use crate::reader::{self, Head, RECORD_COLUMNS, Reader};
use crate::{Error, Hash};

/// After this many problems the rest is not worth listing.
const MAX_PROBLEMS: usize = 20;

/// Progress is told once per so many rows.
const PROGRESS_STEP: u64 = 1024;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The record that is wrong, where it is a record.
    pub seq: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Records read.
    pub records: u64,
    /// The first record's number.
    pub first_seq: u64,
    /// The last record's number according to the journal's head.
    pub last_seq: u64,
    /// The last record's hash according to the journal's head: it names everything before it.
    pub last_hash: Hash,
    /// Blobs read and hashed.
    pub blobs: u64,
    /// Checkpoints read.
    pub checkpoints: u64,
    /// What is wrong, records first in their order; at most twenty are listed.
    pub problems: Vec<Problem>,
}

impl Verification {
    /// Whether everything is as it was written.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The first record that is wrong; `None` where all are right or only something else is wrong.
    #[must_use]
    pub fn first_bad_seq(&self) -> Option<u64> {
        self.problems.iter().filter_map(|problem| problem.seq).min()
    }
}

/// Reads the whole journal of `dir`, which may be in use, and checks every checksum, every chain
/// link, the numbering, the database's own structure, every blob against its hash and every
/// checkpoint. `progress` is told how many of how many rows are done.
///
/// # Errors
/// Where there is no journal, or it cannot be opened at all. What is wrong *inside* it is not an
/// error but a [`Problem`].
pub fn verify(dir: &Path, progress: impl FnMut(u64, u64)) -> Result<Verification, Error> {
    let reader = Reader::open(dir)?;
    let connection = reader.connection();
    let path = reader.path();
    // One read transaction: a running server goes on, and this sees one moment of it.
    let _snapshot =
        connection.unchecked_transaction().map_err(Error::sqlite("begin to read", path))?;
    let head = reader::head(connection, path)?;
    let verification = Verification {
        records: 0,
        first_seq: head.first_seq,
        last_seq: head.last_seq,
        last_hash: head.last_hash,
        blobs: 0,
        checkpoints: 0,
        problems: Vec::new(),
    };
    let mut pass = Pass { connection, path, verification, progress, done: 0, total: 0 };
    pass.total = pass.count(&head);
    pass.step(0);
    pass.run("read the records", |pass| pass.records(&head));
    pass.run("read the blobs", Pass::blobs);
    pass.run("check the database", Pass::structure);
    pass.checkpoints(dir)?;
    (pass.progress)(pass.total, pass.total);
    Ok(pass.verification)
}

struct Pass<'a, P> {
    connection: &'a Connection,
    path: &'a Path,
    verification: Verification,
    progress: P,
    done: u64,
    total: u64,
}

impl<P: FnMut(u64, u64)> Pass<'_, P> {
    fn count(&self, head: &Head) -> u64 {
        let blobs = self.connection.query_row("SELECT count(*) FROM blob", [], |row| row.get(0));
        let blobs: i64 = blobs.unwrap_or(0);
        (head.last_seq + 1).saturating_sub(head.first_seq) + blobs.cast_unsigned()
    }

    fn step(&mut self, rows: u64) {
        self.done += rows;
        if self.done.is_multiple_of(PROGRESS_STEP) {
            (self.progress)(self.done, self.total.max(self.done));
        }
    }

    fn problem(&mut self, seq: Option<u64>, what: impl Into<String>) {
        if self.verification.problems.len() < MAX_PROBLEMS {
            self.verification.problems.push(Problem { seq, what: what.into() });
        }
    }

    /// A part of the pass that SQLite itself cannot finish is a problem, and the others go on.
    fn run(&mut self, doing: &'static str, part: impl FnOnce(&mut Self) -> rusqlite::Result<()>) {
        if let Err(error) = part(self) {
            self.problem(None, format!("could not {doing}: {error}"));
        }
    }

    fn records(&mut self, head: &Head) -> rusqlite::Result<()> {
        let sql = format!("SELECT {RECORD_COLUMNS} FROM record ORDER BY seq");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut expected = head.first_seq;
        let mut previous = head.base_hash;
        loop {
            let record = match rows.next().and_then(|row| row.map(reader::record_of).transpose()) {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    self.problem(Some(expected), format!("it cannot be read: {error}"));
                    return Ok(());
                }
            };
            if let Some(what) = reader::fault(&record, expected, &previous) {
                self.problem(Some(expected), what);
            }
            // The next record is judged by what is stored here, so that one bad record is one
            // problem and not a problem for everything after it.
            previous = record.hash;
            expected = record.seq.saturating_add(1);
            self.verification.records += 1;
            self.step(1);
        }
        if expected != head.last_seq + 1 || previous != head.last_hash {
            let seq = expected.min(head.last_seq + 1).max(head.first_seq);
            self.problem(Some(seq), reader::cut_off(head));
        }
        Ok(())
    }

    fn blobs(&mut self) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare("SELECT hash, pack, start, length FROM blob ORDER BY pack, start")?;
        let mut rows = statement.query([])?;
        let mut open: Option<(i64, Vec<u8>)> = None;
        let mut packs = 0;
        while let Some(row) = rows.next()? {
            let hash = Hash(row.get(0)?);
            let (pack, start, length) = (row.get(1)?, row.get(2)?, row.get(3)?);
            if open.as_ref().map(|(number, _)| *number) != Some(pack) {
                let raw = reader::pack_body(self.connection, self.path, pack);
                packs += 1;
                // A pack that cannot be read is one problem, whatever is in it.
                let raw = raw.unwrap_or_else(|error| {
                    self.problem(None, error.to_string());
                    Vec::new()
                });
                open = Some((pack, raw));
            }
            let (_, raw) = open.as_ref().expect("the pack was read just above");
            if let Err(what) = reader::slice_of(raw, start, length, &hash) {
                self.problem(None, what);
            }
            self.verification.blobs += 1;
            self.step(1);
        }
        let stored: i64 =
            self.connection.query_row("SELECT count(*) FROM blob_pack", [], |row| row.get(0))?;
        if stored != packs {
            self.problem(None, format!("{packs} packs of blobs are in use, and {stored} stored"));
        }
        Ok(())
    }

    fn structure(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check(10)")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line: String = row.get(0)?;
            if line != "ok" {
                self.problem(None, format!("the database's structure: {line}"));
            }
        }
        Ok(())
    }

    fn checkpoints(&mut self, dir: &Path) -> Result<(), Error> {
        let checkpoints = Checkpoints::open(dir)?;
        for seq in checkpoints.newest_first()? {
            self.verification.checkpoints += 1;
            if let Err(error) = checkpoints.read(seq) {
                self.problem(None, error.to_string());
            }
        }
        Ok(())
    }
}
