//! The database file: where it is, how connections to it are set up, and which versions of its
//! schema this program knows.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::Error;

/// The database's file name inside the data directory.
pub const DATABASE_FILE: &str = "journal.sqlite3";

/// The schema version this program writes (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i32 = 1;

/// "SUJL", so that `file` and this program can tell a journal from any other SQLite database.
const APPLICATION_ID: i32 = 0x5355_4A4C;

/// How long a connection waits for a lock that another process holds, a backup tool for example.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const CREATE: &str = "
CREATE TABLE record (
    seq      INTEGER PRIMARY KEY,
    at_us    INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    body     BLOB    NOT NULL
) STRICT;
CREATE TABLE head (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    first_seq INTEGER NOT NULL,
    base_hash BLOB    NOT NULL,
    last_seq  INTEGER NOT NULL,
    last_hash BLOB    NOT NULL
) STRICT;
CREATE TABLE blob_pack (
    pack       INTEGER PRIMARY KEY,
    codec      INTEGER NOT NULL,
    raw_length INTEGER NOT NULL,
    checksum   INTEGER NOT NULL,
    body       BLOB    NOT NULL
) STRICT;
CREATE TABLE blob (
    segment INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    pack    INTEGER NOT NULL,
    start   INTEGER NOT NULL,
    length  INTEGER NOT NULL,
    PRIMARY KEY (segment, hash)
) STRICT, WITHOUT ROWID;
INSERT INTO head VALUES (1, 1, zeroblob(32), 0, zeroblob(32));
";

/// How a connection that writes syncs its writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Each commit is synced before it returns.
    Full,
    /// Nothing is ever synced: only for showing that the tests of durability notice.
    #[cfg_attr(not(feature = "failpoints"), allow(dead_code))]
    Off,
}

pub(crate) fn database_path(dir: &Path) -> PathBuf {
    dir.join(DATABASE_FILE)
}

/// Opens the database of `dir` for writing and creates it where it is missing.
pub(crate) fn open_writer(dir: &Path, durability: Durability) -> Result<Connection, Error> {
    create_dir_durably(dir)?;
    let path = database_path(dir);
    let context = |doing| Error::sqlite(doing, &path);
    let mut connection = Connection::open(&path).map_err(context("open the journal"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(context("set up the journal"))?;
    let version = check_identity(&connection, &path)?;
    set_up_writer(&connection, durability).map_err(context("set up the journal"))?;
    match version {
        0 => create(&mut connection).map_err(context("create the journal's tables"))?,
        SCHEMA_VERSION => {}
        // The next schema version puts its upgrade from each older one here.
        other => unreachable!("schema version {other} is neither new nor known"),
    }
    // SQLite syncs the directory for its WAL, but not for the database file itself.
    sync_dir(dir)?;
    Ok(connection)
}

/// Opens the database of `dir` for reading, beside a writer or without one.
pub(crate) fn open_reader(dir: &Path) -> Result<Connection, Error> {
    let path = database_path(dir);
    if !path.exists() {
        return Err(Error::NoJournal { dir: dir.to_owned() });
    }
    let context = |doing| Error::sqlite(doing, &path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)
        .map_err(context("open the journal for reading"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(context("open the journal for reading"))?;
    match check_identity(&connection, &path)? {
        0 => Err(Error::NoJournal { dir: dir.to_owned() }),
        _ => Ok(connection),
    }
}

/// A second connection of the writing process, for moving the WAL into the database.
pub(crate) fn open_checkpointer(dir: &Path, durability: Durability) -> Result<Connection, Error> {
    let path = database_path(dir);
    let context = || Error::sqlite("open the journal for WAL checkpoints", &path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(context())?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(context())?;
    set_up_writer(&connection, durability).map_err(context())?;
    Ok(connection)
}

/// The schema version of a journal, 0 for a new file; an error for anything that is not ours.
fn check_identity(connection: &Connection, path: &Path) -> Result<i32, Error> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let read = || -> rusqlite::Result<(i32, i32, i32)> {
        Ok((
            number("PRAGMA application_id")?,
            number("PRAGMA user_version")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let not_ours = |what: String| Error::NotAJournal { path: path.to_owned(), what };
    match read() {
        Ok((0, 0, 0)) => Ok(0),
        Ok((APPLICATION_ID, SCHEMA_VERSION, _)) => Ok(SCHEMA_VERSION),
        Ok((APPLICATION_ID, found, _)) if found > SCHEMA_VERSION => {
            Err(Error::NewerSchema { path: path.to_owned(), found, known: SCHEMA_VERSION })
        }
        Ok((id, version, _)) => Err(not_ours(format!(
            "it has application id {id:#010X} and schema version {version}, \
             expected {APPLICATION_ID:#010X} and 1 to {SCHEMA_VERSION}"
        ))),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(not_ours("it is not a SQLite database".to_owned()))
        }
        Err(error) => Err(Error::sqlite("read the journal's schema version", path)(error)),
    }
}

fn set_up_writer(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Off => "OFF",
    };
    // The WAL is moved into the database in wal.rs, never inside a commit by SQLite's own choice.
    // The size limit shortens a WAL file that a long read had made grow; it is above the size at
    // which wal.rs reuses the file, because overwriting syncs faster than growing. The cache
    // (16 MiB) is there for the upper levels and the recent leaves of the tables.
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 268435456;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;"
    ))
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(CREATE)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// Creates `dir` and makes its name durable in its parent.
pub(crate) fn create_dir_durably(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(Error::io("create the directory", dir))?;
    let absolute = dir.canonicalize().map_err(Error::io("find the directory", dir))?;
    match absolute.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Makes the names inside `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|handle| handle.sync_all()).map_err(Error::io("sync", dir))
}
