//! A durable, checksummed, hash-chained, append-only log on SQLite.
//!
//! The journal knows bytes and sequence numbers, not jobs. Its owner (one thread of the server)
//! gathers what is to become durable and calls [`Journal::append`] once for the whole batch: one
//! transaction, one sync, and only after that may anything leave the process. Nothing here reads a
//! clock or invents a sequence number; both come with each [`Append`].
//!
//! Start reading at [`Journal`] (the one writer), then [`Reader`] (any number of readers, in any
//! process), [`Checkpoints`], [`verify`], [`backup`] and [`restore`]. A server holds a [`DataLock`]
//! for as long as it has a data directory open.
//!
//! # On disk
//!
//! A data directory holds
//!
//! | file | what it is |
//! | --- | --- |
//! | `journal.sqlite3` (`-wal`, `-shm`) | the log and the blobs, a SQLite database in WAL mode |
//! | `checkpoints/<seq>.checkpoint` | the newest two checkpoints |
//! | `lock` | the [`DataLock`], with the holder's process id in it |
//!
//! A backup is a directory of the same layout (without `lock`, and with the database switched out
//! of WAL mode, so that it is one self-contained file). Every command that reads a data directory
//! reads a backup too.
//!
//! ## The database, schema version 1
//!
//! `PRAGMA application_id` is `0x53554A4C` ("SUJL") and `PRAGMA user_version` is the schema
//! version. A program that meets a newer version refuses it by name and changes nothing.
//!
//! * `record(seq, at_us, checksum, hash, body)`: one row per record. `seq` counts from 1 without
//!   gaps; `at_us` is the time in microseconds since 1970-01-01 UTC as its writer gave it;
//!   `checksum` is the CRC-32 (IEEE) of `body`; `hash` is
//!   `blake3(previous hash ‖ seq as u64 LE ‖ at_us as i64 LE ‖ body)`, where the hash before the
//!   first record is [`Hash::GENESIS`], 32 zero bytes.
//! * `head(one, first_seq, base_hash, last_seq, last_hash)`: one row, rewritten in every
//!   transaction that adds records. It makes a cut-off tail visible, which the chain alone cannot.
//! * `blob_pack(pack, codec, raw_length, checksum, body)`: the bodies of many blobs, one after the
//!   other, in the order they came; `codec` 0 is stored, 1 is one zstd frame; `checksum` is the
//!   CRC-32 of `body` as stored. `pack` counts from 1.
//! * `blob(segment, hash, pack, start, length)`: where to find the blob whose BLAKE3 hash is
//!   `hash`: so many bytes from `start` in the unpacked pack. `segment` counts from 0 and goes up
//!   by one after every 16,384 entries or a little more; a blob is looked for from the newest
//!   segment backwards. The same bytes are stored once in each segment in which they are given.
//!
//! Packs and segments keep blobs cheap on the hot path. Hashes are random, so that an index of all
//! of them would make each blob change a page of its own, twice the size of a script; within one
//! small segment the entries of a batch share their pages. And alike scripts compress against each
//! other.
//!
//! ## A checkpoint file
//!
//! All integers little-endian: `"SUANCKP1"`, caller's format `u32`, `seq u64`, hash of record
//! `seq` (32 bytes), length of the body `u64`, length of the zstd frame `u64`, BLAKE3 of everything
//! before this field and of the frame (32 bytes), the zstd frame.
//!
//! # Syncs
//!
//! `synchronous=FULL`: each commit ends with one sync of the WAL. Moving the WAL into the database
//! file happens on a thread of its own with its own connection, so that commits go on meanwhile
//! (`wal.rs` has the reasoning).
//!
//! # Failpoints
//!
//! With the feature `failpoints` (in this crate's own tests they are always there), an action
//! `return` on each of these does what its name says: `journal-before-write`,
//! `journal-before-sync` (rows written, not committed) and `journal-after-sync` kill the process by
//! [`crash_here`]; `journal-write-error` and `journal-disk-full` make an append fail. Two are
//! evaluated at open: `journal-synchronous-off` gives up durability, so that the tests of
//! durability can be shown to turn red; `journal-wal-eager` moves the WAL after every few batches.

mod backup;
mod checkpoint;
mod crash;
mod error;
mod lock;
mod reader;
mod record;
mod schema;
mod stat;
mod verify;
mod wal;
mod writer;

pub use backup::{BackupReport, backup, restore};
pub use checkpoint::{Checkpoint, Checkpoints};
pub use crash::crash_here;
pub use error::Error;
pub use lock::DataLock;
pub use reader::Reader;
pub use record::{Append, Blob, Hash, StoredRecord};
pub use schema::{DATABASE_FILE, SCHEMA_VERSION};
pub use stat::{Moment, Stat, stat};
pub use verify::{Problem, Verification, verify};
pub use writer::Journal;
