//! Chunks by their hashes, and the replicas they are in.
//!
//! One process uses a store, with any number of threads. Every chunk is hashed when it arrives and
//! whenever it is read, so neither a broken link nor a broken disk passes bytes on: a chunk that
//! was changed on disk stops counting and is fetched again. A name appears only when all bytes are
//! behind it, so a killed process leaves nothing half. Files are not synced one by one; after a
//! power cut a chunk may be gone or wrong, which reading finds out. [`Store::sync`] makes all
//! durable that was put before.
//!
//! The index is in memory, about 120 bytes for each chunk, and is made anew at the start from
//! manifests and names: no data is read then.

use super::chunker::{chunk_of, manifest_of};
use crate::local::files::{Dir, private_dir};
use nix::fcntl::Flock;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use suanpan_model::dataset::{Chunk, Manifest};
use suanpan_model::id::BlobHash;

#[cfg(test)]
mod tests;

/// How often a file is looked for that is not there, and how long it is waited in between.
const LOOKS: u32 = 3;
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// The chunks and replicas of a site.
pub struct Store {
    pub(super) root: PathBuf,
    pub(super) state: Mutex<State>,
    names: AtomicU64,
    /// Datasets that are being made: their chunks are in no manifest yet.
    pub(super) making: AtomicU64,
    changes: AtomicU64,
    _lock: Flock<File>,
}

#[derive(Default)]
pub(super) struct State {
    /// Chunks with a file of their own.
    pub(super) loose: HashMap<BlobHash, u32>,
    /// Chunks inside files of replicas.
    pub(super) placed: HashMap<BlobHash, Place>,
    /// Replicas, whole or not.
    pub(super) replicas: BTreeMap<BlobHash, Replica>,
    /// Bytes of all of it.
    pub(super) used: u64,
    /// Most bytes there may be; no limit if absent.
    pub(super) quota: Option<u64>,
    /// Replicas that must stay; nothing may go while it is not known.
    pub(super) keep: Option<BTreeSet<BlobHash>>,
    /// Datasets that were made here and that the control plane does not name yet: they stay too.
    pub(super) made: BTreeSet<BlobHash>,
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    replica: BlobHash,
    file: u32,
    bytes: u32,
    offset: u64,
}

pub(super) struct Replica {
    pub(super) manifest: Arc<Manifest>,
    /// `trees` or `building`.
    pub(super) root: PathBuf,
    pub(super) files: Vec<FileState>,
}

/// How far a file of a replica is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum FileState {
    /// Not made yet.
    #[default]
    Absent,
    /// All of it is there.
    Whole,
    /// It is there, and these chunks of it were found changed.
    Damaged(BTreeSet<BlobHash>),
}

/// Why a chunk was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The bytes are not what their name says.
    #[error("the bytes of chunk {0} do not have this hash")]
    Damaged(BlobHash),
    /// There is no room.
    #[error("{0}")]
    Full(String),
    /// The file system refuses.
    #[error("{0}")]
    Refused(io::Error),
}

impl Store {
    /// Opens a store, making it where there is none.
    ///
    /// # Errors
    /// If another agent uses it, or the file system refuses.
    pub fn open(root: &Path, quota: Option<u64>) -> io::Result<Store> {
        let about = |error: io::Error| {
            io::Error::new(error.kind(), format!("data directory {}: {error}", root.display()))
        };
        private_dir(root).map_err(about)?;
        let root = &fs::canonicalize(root).map_err(about)?;
        let lock = Dir(root.clone()).try_lock("lock").map_err(about)?;
        let lock = lock.ok_or_else(|| about(io::Error::other("another agent uses it")))?;
        for name in ["manifests", "chunks", "trees", "building", "damaged"] {
            private_dir(&root.join(name)).map_err(about)?;
        }
        for name in ["incoming", "removing"] {
            private_dir(&root.join(name)).map_err(about)?;
            for entry in fs::read_dir(root.join(name)).map_err(about)? {
                super::materialize::remove_tree(&entry?.path()).map_err(about)?;
            }
        }
        let state = Mutex::new(State { quota, ..State::default() });
        let store = Store {
            root: root.clone(),
            state,
            names: AtomicU64::new(0),
            making: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            _lock: lock,
        };
        store.scan().map_err(about)?;
        Ok(store)
    }

    fn scan(&self) -> io::Result<()> {
        let mut state = State { quota: self.state().quota, ..State::default() };
        for fan in fs::read_dir(self.root.join("chunks"))? {
            for entry in fs::read_dir(fan?.path())? {
                let entry = entry?;
                let hash = entry.file_name().to_str().and_then(BlobHash::from_hex);
                let bytes = u32::try_from(entry.metadata()?.len());
                if let (Some(hash), Ok(bytes)) = (hash, bytes) {
                    state.loose.insert(hash, bytes);
                }
            }
        }
        for place in ["building", "trees"] {
            for entry in fs::read_dir(self.root.join(place))? {
                let entry = entry?;
                let hash = entry.file_name().to_str().and_then(BlobHash::from_hex);
                match hash.and_then(|hash| Some((hash, self.manifest(hash)?))) {
                    Some((hash, manifest)) => {
                        let replica = self.find_replica(hash, manifest, entry.path());
                        state.replicas.insert(hash, replica);
                    }
                    // Without its manifest nothing can be said of it.
                    None => self.discard(&entry.path())?,
                }
            }
        }
        state.index();
        *self.state() = state;
        Ok(())
    }

    fn find_replica(&self, hash: BlobHash, manifest: Arc<Manifest>, root: PathBuf) -> Replica {
        let look = |(index, file): (usize, &suanpan_model::dataset::FileEntry)| {
            let found = fs::symlink_metadata(root.join(&file.path));
            if !found.is_ok_and(|found| found.is_file() && found.size() == file.bytes()) {
                return FileState::Absent;
            }
            let damaged = fs::read(self.damage(hash, index)).ok();
            let chunks = damaged.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            chunks.map_or(FileState::Whole, FileState::Damaged)
        };
        let files = manifest.files.iter().enumerate().map(look).collect();
        Replica { manifest, root, files }
    }

    pub(super) fn damage(&self, replica: BlobHash, file: usize) -> PathBuf {
        self.root.join("damaged").join(format!("{replica}-{file}"))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// A name that nothing else uses.
    pub(super) fn temporary(&self, place: &str) -> PathBuf {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        self.root.join(place).join(number.to_string())
    }

    /// A number that is another one whenever something came or went.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    pub(super) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Bytes of everything that is held.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().used
    }

    /// A manifest that is known here.
    #[must_use]
    pub fn manifest(&self, hash: BlobHash) -> Option<Arc<Manifest>> {
        if let Some(replica) = self.state().replicas.get(&hash) {
            return Some(Arc::clone(&replica.manifest));
        }
        let bytes = fs::read(self.root.join("manifests").join(hash.to_string())).ok()?;
        read_manifest(hash, &bytes).ok().map(Arc::new)
    }

    /// Takes a manifest as it was hashed, and keeps it.
    ///
    /// # Errors
    /// If it is not what its name says, is no manifest, or the file system refuses.
    pub fn learn(&self, hash: BlobHash, bytes: &[u8]) -> io::Result<Arc<Manifest>> {
        let manifest = read_manifest(hash, bytes).map_err(io::Error::other)?;
        let temporary = self.temporary("incoming");
        let mut file = File::create_new(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.root.join("manifests").join(hash.to_string()))?;
        Ok(Arc::new(manifest))
    }

    /// Whether a chunk is there.
    #[must_use]
    pub fn has(&self, hash: BlobHash) -> bool {
        self.state().has(hash)
    }

    /// Bytes of a manifest's chunks that are there, those that occur twice counted twice. One look
    /// into the index for each chunk.
    #[must_use]
    pub fn present_bytes(&self, manifest: &Manifest) -> u64 {
        let state = self.state();
        let present = manifest.chunks().filter(|chunk| state.has(chunk.hash));
        present.map(|chunk| u64::from(chunk.bytes)).sum()
    }

    /// The chunks of a manifest that are not there, each once, in the order of its files.
    #[must_use]
    pub fn missing(&self, manifest: &Manifest) -> Vec<Chunk> {
        let state = self.state();
        let mut seen = BTreeSet::new();
        let absent = |chunk: &Chunk| !state.has(chunk.hash) && seen.insert(chunk.hash);
        manifest.chunks().filter(absent).collect()
    }

    /// The bytes of a chunk, verified; nothing if it is not there. One that was changed on disk is
    /// not there from then on.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn get(&self, hash: BlobHash) -> io::Result<Option<Vec<u8>>> {
        let mut looks = 0;
        loop {
            let Some((path, (offset, length), place)) = self.place(hash) else { return Ok(None) };
            let mut bytes = vec![0; length as usize];
            let read = File::open(&path).and_then(|file| file.read_exact_at(&mut bytes, offset));
            match read {
                Ok(()) if chunk_of(&bytes).hash == hash => return Ok(Some(bytes)),
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // A file that is just being put into its tree is looked for at its old place.
                    looks += 1;
                    if looks < LOOKS {
                        std::thread::sleep(LOOK_PAUSE);
                        continue;
                    }
                    tracing::error!(chunk = %hash, file = %path.display(), "gone from the disk");
                    self.note_loss(hash, place);
                    continue;
                }
                Err(error) => return Err(error),
            }
            tracing::error!(chunk = %hash, file = %path.display(), "changed on disk");
            self.note_damage(hash, place)?;
        }
    }

    /// A file is not where it should be: nothing in it counts any more.
    fn note_loss(&self, hash: BlobHash, place: Option<Place>) {
        let mut state = self.state();
        match place {
            None => state.drop_loose(hash),
            Some(place) => {
                if let Some(replica) = state.replicas.get_mut(&place.replica) {
                    replica.files[place.file as usize] = FileState::Absent;
                    state.index();
                }
            }
        }
        drop(state);
        self.note_change();
    }

    /// File, offset and length of a chunk; the place if it is inside a replica.
    fn place(&self, hash: BlobHash) -> Option<(PathBuf, (u64, u32), Option<Place>)> {
        let state = self.state();
        if let Some(bytes) = state.loose.get(&hash) {
            return Some((self.chunk_path(hash), (0, *bytes), None));
        }
        let place = *state.placed.get(&hash)?;
        let replica = &state.replicas[&place.replica];
        let file = &replica.manifest.files[place.file as usize];
        Some((replica.root.join(&file.path), (place.offset, place.bytes), Some(place)))
    }

    pub(super) fn chunk_path(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.root.join("chunks").join(&name[..2]).join(name)
    }

    fn note_damage(&self, hash: BlobHash, place: Option<Place>) -> io::Result<()> {
        let Some(place) = place else {
            self.state().drop_loose(hash);
            self.note_change();
            return match fs::remove_file(self.chunk_path(hash)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        };
        let mut state = self.state();
        let Some(replica) = state.replicas.get_mut(&place.replica) else { return Ok(()) };
        let file = &mut replica.files[place.file as usize];
        let mut chunks = match std::mem::take(file) {
            FileState::Damaged(chunks) => chunks,
            FileState::Absent | FileState::Whole => BTreeSet::new(),
        };
        chunks.insert(hash);
        let bytes = serde_json::to_vec(&chunks).map_err(io::Error::other)?;
        *file = FileState::Damaged(chunks);
        state.index();
        drop(state);
        self.note_change();
        fs::write(self.damage(place.replica, place.file as usize), bytes)
    }

    /// Takes a chunk, unless it is there already.
    ///
    /// # Errors
    /// If the bytes are not what they should be, or there is no room for them.
    pub fn put(&self, chunk: Chunk, bytes: &[u8]) -> Result<(), PutError> {
        if chunk_of(bytes) != chunk {
            return Err(PutError::Damaged(chunk.hash));
        }
        if self.has(chunk.hash) {
            return Ok(());
        }
        self.make_room(u64::from(chunk.bytes))?;
        let path = self.chunk_path(chunk.hash);
        let temporary = self.temporary("incoming");
        let written = fs::write(&temporary, bytes)
            .and_then(|()| private_dir(path.parent().unwrap_or(&self.root)))
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            // What was written of it is in the way of everything else on a full disk.
            let _ = fs::remove_file(&temporary);
            return Err(self.refusal(error));
        }
        let mut state = self.state();
        if state.loose.insert(chunk.hash, chunk.bytes).is_none() {
            state.used += u64::from(chunk.bytes);
        }
        drop(state);
        self.note_change();
        Ok(())
    }

    /// What the file system said, in words if it has no room.
    pub(super) fn refusal(&self, error: io::Error) -> PutError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let place = self.root.display();
                PutError::Full(format!("no room left on the file system of {place} ({error})"))
            }
            _ => PutError::Refused(error),
        }
    }

    /// Cuts files into the store and keeps their manifest.
    ///
    /// # Errors
    /// As [`manifest_of`]; [`io::ErrorKind::StorageFull`] if there is no room.
    pub fn make(&self, paths: &[PathBuf]) -> io::Result<(BlobHash, Manifest)> {
        self.making.fetch_add(1, Ordering::SeqCst);
        let mut put = |chunk, bytes: &[u8]| {
            self.put(chunk, bytes).map_err(|error| match error {
                PutError::Refused(error) => error,
                PutError::Full(why) => io::Error::new(io::ErrorKind::StorageFull, why),
                PutError::Damaged(_) => io::Error::other(error),
            })
        };
        let made = manifest_of(paths, &mut put).and_then(|manifest| {
            let (hash, bytes) = manifest_bytes(&manifest);
            self.learn(hash, &bytes)?;
            self.sync()?;
            self.state().made.insert(hash);
            Ok((hash, manifest))
        });
        self.making.fetch_sub(1, Ordering::SeqCst);
        made
    }

    /// Makes everything durable that was put before.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        Ok(nix::unistd::syncfs(File::open(&self.root)?)?)
    }
}

impl crate::peer::ChunkSource for Store {
    fn chunk(&self, _site: &str, hash: BlobHash) -> io::Result<Option<Vec<u8>>> {
        self.get(hash)
    }
}

impl State {
    pub(super) fn has(&self, hash: BlobHash) -> bool {
        self.loose.contains_key(&hash) || self.placed.contains_key(&hash)
    }

    pub(super) fn drop_loose(&mut self, hash: BlobHash) {
        if let Some(bytes) = self.loose.remove(&hash) {
            self.used = self.used.saturating_sub(u64::from(bytes));
        }
    }

    /// Makes the index of what is inside replicas anew, and the count of bytes. O(chunks of all
    /// replicas): done at the start, and after something was removed or found damaged.
    pub(super) fn index(&mut self) {
        self.placed.clear();
        self.used = self.loose.values().map(|bytes| u64::from(*bytes)).sum();
        let replicas: Vec<BlobHash> = self.replicas.keys().copied().collect();
        for hash in replicas {
            for file in 0..self.replicas[&hash].files.len() {
                self.index_file(hash, file);
            }
        }
    }

    /// Adds the chunks of one file of a replica.
    pub(super) fn index_file(&mut self, hash: BlobHash, index: usize) {
        let replica = &self.replicas[&hash];
        let entry = &replica.manifest.files[index];
        let damaged = match &replica.files[index] {
            FileState::Absent => return,
            FileState::Whole => None,
            FileState::Damaged(chunks) => Some(chunks),
        };
        let file = u32::try_from(index).expect("a manifest has fewer than 2^32 files");
        let mut offset = 0;
        for chunk in &entry.chunks {
            if !damaged.is_some_and(|damaged| damaged.contains(&chunk.hash)) {
                self.placed
                    .insert(chunk.hash, Place { replica: hash, file, bytes: chunk.bytes, offset });
            }
            offset += u64::from(chunk.bytes);
        }
        self.used += offset;
    }
}

/// The name of a manifest, and the bytes that are hashed: its JSON without spaces.
#[must_use]
pub fn manifest_bytes(manifest: &Manifest) -> (BlobHash, Vec<u8>) {
    let bytes = serde_json::to_vec(manifest).expect("a manifest has only texts and numbers");
    (BlobHash(*blake3::hash(&bytes).as_bytes()), bytes)
}

fn read_manifest(hash: BlobHash, bytes: &[u8]) -> Result<Manifest, String> {
    if blake3::hash(bytes).as_bytes() != &hash.0 {
        return Err(format!("manifest {hash}: its bytes do not have this hash"));
    }
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| format!("manifest {hash}: {error}"))?;
    manifest.check().map_err(|error| format!("manifest {hash}: {error}"))?;
    Ok(manifest)
}
