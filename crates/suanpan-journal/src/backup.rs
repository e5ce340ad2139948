//! Copies of a journal, taken while it works, and put back.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::checkpoint::{self, Checkpoints};
use crate::lock::LOCK_FILE;
use crate::reader::Reader;
use crate::verify::{Verification, verify};
use crate::{DataLock, Error, schema};

/// Pages (of 4 KiB) copied between two calls of `progress`.
const PAGES_PER_STEP: i32 = 1024;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Bytes of the copied database.
    pub database_bytes: u64,
    /// How many checkpoints were copied.
    pub checkpoints: u64,
    /// The copy as it was read back from the disk. A copy of a damaged journal is made all the
    /// same (it may be all there is), so look whether it is clean.
    pub verification: Verification,
}

/// Copies the journal of `dir` into the new or empty directory `to`, consistently and durably,
/// while a server may go on writing, and verifies the copy. `progress` is told how many of how many
/// pages are copied. The copy is a data directory in its own right.
///
/// # Errors
/// [`Error::NotEmpty`] where `to` holds anything; otherwise where reading or writing fails.
pub fn backup(
    dir: &Path,
    to: &Path,
    progress: impl FnMut(u64, u64),
) -> Result<BackupReport, Error> {
    let reader = Reader::open(dir)?;
    schema::create_dir_durably(to)?;
    refuse_contents(to)?;
    copy(&reader, dir, to, progress)
}

/// Puts a backup (or any data directory) `from` back as the data directory `dir`, which must be
/// new or empty, and verifies it. Holds the lock of `dir` while it works.
///
/// # Errors
/// [`Error::NotEmpty`] where `dir` holds anything but a free lock file; [`Error::Locked`] where a
/// server has it; [`Error::Damaged`] where `from` is not a clean journal, and then nothing is left
/// in `dir`.
pub fn restore(from: &Path, dir: &Path) -> Result<BackupReport, Error> {
    let reader = Reader::open(from)?;
    schema::create_dir_durably(dir)?;
    refuse_contents(dir)?;
    let _lock = DataLock::acquire(dir)?;
    let report = copy(&reader, from, dir, |_, _| {})?;
    match report.verification.problems.first() {
        None => Ok(report),
        Some(problem) => {
            remove_copy(dir);
            Err(Error::damaged(reader.path(), problem.seq, problem.what.clone()))
        }
    }
}

fn copy(
    reader: &Reader,
    from: &Path,
    to: &Path,
    progress: impl FnMut(u64, u64),
) -> Result<BackupReport, Error> {
    // Checkpoints first: the database, copied later, then has the records that they stand on.
    let made = copy_checkpoints(from, to).and_then(|checkpoints| {
        copy_database(reader, to, progress)?;
        let verification = verify(to, |_, _| {})?;
        let path = schema::database_path(to);
        let metadata = fs::metadata(&path).map_err(Error::io("measure", &path))?;
        Ok(BackupReport { database_bytes: metadata.len(), checkpoints, verification })
    });
    if made.is_err() {
        remove_copy(to);
    }
    made
}

fn copy_database(
    reader: &Reader,
    to: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), Error> {
    let path = schema::database_path(to);
    let partial = path.with_extension("partial");
    let context = || Error::sqlite("copy the journal", &partial);
    let mut target = Connection::open(&partial).map_err(context())?;
    // The copy has no name yet and is synced whole before it gets one.
    target
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .map_err(context())?;
    {
        // An open read transaction keeps the source at one moment. Without it each commit of a
        // running server would make the copy begin again.
        let _snapshot = reader.connection().unchecked_transaction().map_err(context())?;
        crate::reader::head(reader.connection(), reader.path())?;
        let copy = Backup::new(reader.connection(), &mut target).map_err(context())?;
        loop {
            let step = copy.step(PAGES_PER_STEP).map_err(context())?;
            let pages = copy.progress();
            let (left, total) = (pages.remaining.max(0) as u64, pages.pagecount.max(0) as u64);
            progress(total - left.min(total), total);
            if step == StepResult::Done {
                break;
            }
        }
    }
    // Out of WAL mode, so that the copy is one file that needs no company.
    target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(context())?;
    target.close().map_err(|(_, error)| context()(error))?;
    fs::File::open(&partial)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("sync", &partial))?;
    fs::rename(&partial, &path).map_err(Error::io("put in place", &path))?;
    schema::sync_dir(to)
}

fn copy_checkpoints(from: &Path, to: &Path) -> Result<u64, Error> {
    let source = Checkpoints::open(from)?;
    let target = to.join(checkpoint::DIRECTORY);
    let mut copied = 0;
    for seq in source.newest_first()? {
        let path = source.path_of(seq);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // The server has just replaced it by a newer one; the records hold it all anyway.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("read the checkpoint", &path)(error)),
        };
        schema::create_dir_durably(&target)?;
        let name = path.file_name().expect("a checkpoint's path ends in its name");
        checkpoint::write_file(&target.join(name), &bytes)?;
        copied += 1;
    }
    if copied > 0 {
        schema::sync_dir(&target)?;
    }
    Ok(copied)
}

/// Removes what an unfinished copy left in a directory that was empty before it.
fn remove_copy(dir: &Path) {
    let database = schema::database_path(dir);
    let _ = fs::remove_file(database.with_extension("partial"));
    let _ = fs::remove_file(database);
    let _ = fs::remove_dir_all(dir.join(checkpoint::DIRECTORY));
}

fn refuse_contents(dir: &Path) -> Result<(), Error> {
    let context = || Error::io("list", dir);
    for entry in fs::read_dir(dir).map_err(context())? {
        let name = entry.map_err(context())?.file_name();
        if name != LOCK_FILE {
            let found = name.to_string_lossy().into_owned();
            return Err(Error::NotEmpty { dir: dir.to_owned(), found });
        }
    }
    Ok(())
}
