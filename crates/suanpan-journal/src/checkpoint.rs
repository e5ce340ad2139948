//! Checkpoints: a state saved by the caller, so that a restart folds only the records after it.
//!
//! They are files beside the database, not rows in it: a checkpoint may be a hundred megabytes, and
//! as one transaction it would hold up every commit behind it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::reader::Reader;
use crate::{Error, Hash, schema};

/// The directory of the checkpoint files inside the data directory.
pub(crate) const DIRECTORY: &str = "checkpoints";

const MAGIC: &[u8; 8] = b"SUANCKP1";
const SUFFIX: &str = ".checkpoint";
const PARTIAL: &str = "partial";
const KEPT: usize = 2;
const LEVEL: i32 = 3;
const CHECKED_HEADER: usize = 8 + 4 + 8 + 32 + 8 + 8;
const HEADER: usize = CHECKED_HEADER + 32;

/// A saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last record that is folded into it.
    pub seq: u64,
    /// The caller's own version number for the body's encoding.
    pub format: u32,
    /// The hash of record `seq`, equal to the journal's.
    pub record_hash: Hash,
    /// The state.
    pub body: Vec<u8>,
}

/// The checkpoints of a data directory. A handle of its own, so that a thread beside the journal's
/// can save states while records go on being appended; one thread at a time.
pub struct Checkpoints {
    dir: PathBuf,
    reader: Reader,
}

impl Checkpoints {
    /// Opens the checkpoints of the journal in `dir`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(dir: &Path) -> Result<Checkpoints, Error> {
        Ok(Checkpoints { dir: dir.join(DIRECTORY), reader: Reader::open(dir)? })
    }

    /// Saves the state after record `seq`, durably, and removes all but the newest two. `format` is
    /// the caller's version number for the encoding of `body`.
    ///
    /// # Errors
    /// [`Error::UnknownRecord`] where the journal has no durable record `seq`; [`Error::DiskFull`]
    /// or [`Error::Io`] where the file could not be written, and then the older ones stay.
    pub fn put(&mut self, seq: u64, format: u32, body: &[u8]) -> Result<(), Error> {
        let record_hash = self.reader.hash_at(seq)?;
        schema::create_dir_durably(&self.dir)?;
        self.remove_partial()?;
        let path = self.path_of(seq);
        let partial = path.with_extension(PARTIAL);
        let bytes = encode(seq, format, record_hash, body, &path)?;
        let placed = write_file(&partial, &bytes)
            .and_then(|()| fs::rename(&partial, &path).map_err(Error::io("put in place", &path)));
        if placed.is_err() {
            // Where the disk is full, half a checkpoint must not make it fuller.
            let _ = fs::remove_file(&partial);
        }
        placed?;
        schema::sync_dir(&self.dir)?;
        for old in self.newest_first()?.into_iter().skip(KEPT) {
            let old = self.path_of(old);
            fs::remove_file(&old).map_err(Error::io("remove the old checkpoint", &old))?;
        }
        Ok(())
    }

    /// The newest checkpoint that is whole and stands on this journal's records. A damaged one is
    /// passed over with a warning, since the older one and more records give the same state.
    ///
    /// # Errors
    /// Where the directory or the journal cannot be read.
    pub fn latest(&self) -> Result<Option<Checkpoint>, Error> {
        for seq in self.newest_first()? {
            match self.read(seq) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => tracing::warn!(
                    seq,
                    %error,
                    "passing over an unusable checkpoint for an older one"
                ),
            }
        }
        Ok(None)
    }

    /// Reads checkpoint `seq` and compares the record it names with the journal's.
    pub(crate) fn read(&self, seq: u64) -> Result<Checkpoint, Error> {
        let path = self.path_of(seq);
        let bytes = fs::read(&path).map_err(Error::io("read the checkpoint", &path))?;
        let checkpoint = decode(&bytes).map_err(|what| Error::damaged(&path, None, what))?;
        if checkpoint.seq != seq {
            let what = format!("its name says record {seq}, inside it says {}", checkpoint.seq);
            return Err(Error::damaged(&path, None, what));
        }
        let expected = self.reader.hash_at(seq)?;
        if checkpoint.record_hash != expected {
            let what = format!(
                "it stands on a record {seq} with hash {}, and the journal's has {expected}",
                checkpoint.record_hash
            );
            return Err(Error::damaged(&path, Some(seq), what));
        }
        Ok(checkpoint)
    }

    /// The sequence numbers for which there is a file.
    pub(crate) fn newest_first(&self) -> Result<Vec<u64>, Error> {
        let mut found: Vec<u64> = self
            .files()?
            .iter()
            .filter_map(|path| path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok())
            .collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Removes what an earlier process left behind when it was killed while it saved a state.
    fn remove_partial(&self) -> Result<(), Error> {
        for path in self.files()? {
            if path.extension().is_some_and(|extension| extension == PARTIAL) {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let context = || Error::io("list the checkpoints in", &self.dir);
        match fs::read_dir(&self.dir) {
            Ok(entries) => entries.map(|entry| Ok(entry.map_err(context())?.path())).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(context()(error)),
        }
    }

    pub(crate) fn path_of(&self, seq: u64) -> PathBuf {
        // Twenty digits hold any number, so that a listing by name is a listing by age.
        self.dir.join(format!("{seq:020}{SUFFIX}"))
    }
}

fn encode(
    seq: u64,
    format: u32,
    record_hash: Hash,
    body: &[u8],
    path: &Path,
) -> Result<Vec<u8>, Error> {
    let frame =
        zstd::bulk::compress(body, LEVEL).map_err(Error::io("compress the checkpoint", path))?;
    let mut bytes = Vec::with_capacity(HEADER + frame.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&record_hash.0);
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&(frame.len() as u64).to_le_bytes());
    let checksum = blake3::Hasher::new().update(&bytes).update(&frame).finalize();
    bytes.extend_from_slice(checksum.as_bytes());
    bytes.extend_from_slice(&frame);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
    let (header, frame) = bytes
        .split_at_checked(HEADER)
        .ok_or_else(|| format!("it has {} bytes, fewer than its header", bytes.len()))?;
    let (checked, checksum) = header.split_at(CHECKED_HEADER);
    if !checked.starts_with(MAGIC) {
        return Err("it does not begin with SUANCKP1".to_owned());
    }
    let actual = blake3::Hasher::new().update(checked).update(frame).finalize();
    if actual.as_bytes() != checksum {
        return Err("its bytes have another hash than was written".to_owned());
    }
    let number = |at: usize| {
        u64::from_le_bytes(checked[at..at + 8].try_into().expect("eight bytes make a u64"))
    };
    let body_length = usize::try_from(number(52)).map_err(|_| "it is too large".to_owned())?;
    let body = zstd::bulk::decompress(frame, body_length)
        .map_err(|error| format!("it does not unpack: {error}"))?;
    Ok(Checkpoint {
        seq: number(12),
        format: u32::from_le_bytes(checked[8..12].try_into().expect("four bytes make a u32")),
        record_hash: Hash(checked[20..52].try_into().expect("32 bytes make a hash")),
        body,
    })
}

/// Writes a whole file and syncs it; its name is not durable yet.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    File::create(path)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(Error::io("write", path))
}
