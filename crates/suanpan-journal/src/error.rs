//! Everything that can go wrong, written for whoever operates the server.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// An operating failure of the journal. After any variant except [`Error::DiskFull`] from
/// [`crate::Journal::append`] the journal takes no more records: what reached the disk is unknown
/// until it is opened again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No room for the batch. Nothing of it was kept; the same append may be tried again later.
    #[error("the disk that holds {} is full: free some space; nothing was lost", path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// Another process holds the data directory.
    #[error(
        "the data directory {} is in use by {}: stop it first, or choose another data directory",
        dir.display(),
        match pid {
            Some(pid) => format!("process {pid}"),
            None => "another process".to_owned(),
        }
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The process that holds it, as it wrote itself into the lock file.
        pid: Option<u32>,
    },
    /// The journal was written by a newer program.
    #[error(
        "{} has journal schema version {found}, and this program knows versions up to {known}: \
         use the newer program that wrote it, or restore a backup made by this version",
        path.display()
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: i32,
        /// The newest version this program knows.
        known: i32,
    },
    /// The file is a database, or something else, of another program.
    #[error("{} is not a Suanpan journal: {what}", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        what: String,
    },
    /// There is no journal where one was to be read.
    #[error("there is no journal in {}: {} does not exist", dir.display(), crate::DATABASE_FILE)]
    NoJournal {
        /// The directory.
        dir: PathBuf,
    },
    /// What was read is not what was written.
    #[error("the journal {} is damaged{}: {what}", path.display(), at_record(*seq))]
    Damaged {
        /// The database or checkpoint file.
        path: PathBuf,
        /// The first record that is wrong, where it is a record.
        seq: Option<u64>,
        /// What is wrong with it.
        what: String,
    },
    /// A sequence number was named that the journal does not hold.
    #[error("the journal holds no record {seq}: its last one is {last}")]
    UnknownRecord {
        /// The number asked for.
        seq: u64,
        /// The last one there is.
        last: u64,
    },
    /// An earlier failure ended this journal's writing.
    #[error("the journal takes no more records since an earlier error: {cause}")]
    Stopped {
        /// The earlier error in words.
        cause: String,
    },
    /// A backup or a restore would have written over something.
    #[error("{} is not empty (it holds {found}): give a new or empty directory", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// SQLite failed.
    #[error("could not {doing} ({}): {source}", path.display())]
    Sqlite {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The operating system failed.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb phrase that takes a path.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

fn at_record(seq: Option<u64>) -> String {
    seq.map_or_else(String::new, |seq| format!(" at record {seq}"))
}

impl Error {
    /// Whether the append that answered this may simply be tried again later.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Error::DiskFull { .. })
    }

    /// Gives a SQLite error its context, and a full disk its own variant.
    pub(crate) fn sqlite(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(rusqlite::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Error::DiskFull { path },
            _ => Error::Sqlite { doing, path, source },
        }
    }

    /// Gives an operating system error its context, and a full disk its own variant.
    pub(crate) fn io(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => Error::DiskFull { path },
            _ => Error::Io { doing, path, source },
        }
    }

    pub(crate) fn damaged(path: &Path, seq: Option<u64>, what: impl Into<String>) -> Error {
        Error::Damaged { path: path.to_owned(), seq, what: what.into() }
    }
}
