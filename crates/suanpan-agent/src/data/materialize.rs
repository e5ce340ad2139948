//! Replicas as directories that jobs read.
//!
//! Files are assembled one by one, each under a temporary name, and a replica takes its place in
//! `trees/` when all of them are there. Once a file is assembled and synced its chunks need no
//! files of their own; so a replica takes its size on disk, and while it is made the size of its
//! largest file more. Files and directories of a tree may only be read.

use super::store::{FileState, PutError, Replica, State, Store};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use suanpan_model::dataset::{FileEntry, Manifest, Mode};
use suanpan_model::id::BlobHash;

impl Store {
    /// The directory of a whole replica.
    #[must_use]
    pub fn tree(&self, hash: BlobHash) -> Option<PathBuf> {
        let state = self.state();
        let replica = state.replicas.get(&hash)?;
        let whole = replica.root.starts_with(self.root.join("trees"))
            && replica.files.iter().all(|file| *file == FileState::Whole);
        whole.then(|| replica.root.clone())
    }

    /// Makes a replica whole whose chunks are all there; answers where it is. What was assembled
    /// before, by a process that was killed, is not made again.
    ///
    /// # Errors
    /// If a chunk is missing, or there is no room.
    pub fn materialize(
        &self,
        hash: BlobHash,
        manifest: &Arc<Manifest>,
    ) -> Result<PathBuf, PutError> {
        if let Some(tree) = self.tree(hash) {
            return Ok(tree);
        }
        let (root, states) = {
            let mut state = self.state();
            let replica = state.replicas.entry(hash).or_insert_with(|| Replica {
                manifest: Arc::clone(manifest),
                root: self.root.join("building").join(hash.to_string()),
                files: vec![FileState::Absent; manifest.files.len()],
            });
            (replica.root.clone(), replica.files.clone())
        };
        fs::create_dir_all(&root).map_err(|error| self.refusal(error))?;
        for (index, entry) in manifest.files.iter().enumerate() {
            if states[index] != FileState::Whole {
                self.assemble(hash, &root, index, entry)?;
            }
        }
        let tree = self.root.join("trees").join(hash.to_string());
        if root != tree {
            // No lock is held while the disk works; a reader looks again if it comes in between.
            fs::rename(&root, &tree).map_err(|error| self.refusal(error))?;
            if let Some(replica) = self.state().replicas.get_mut(&hash) {
                replica.root.clone_from(&tree);
            }
        }
        set_directory_modes(&tree, 0o555).map_err(PutError::Refused)?;
        File::open(self.root.join("trees"))
            .and_then(|place| place.sync_all())
            .map_err(PutError::Refused)?;
        Ok(tree)
    }

    fn assemble(
        &self,
        hash: BlobHash,
        root: &Path,
        index: usize,
        entry: &FileEntry,
    ) -> Result<(), PutError> {
        let temporary = self.temporary("incoming");
        let made = self.write_file(&temporary, entry).and_then(|()| {
            let path = root.join(&entry.path);
            let parent = path.parent().unwrap_or(root);
            fs::create_dir_all(parent)?;
            // The directories of a tree that is mended may only be read.
            fs::set_permissions(parent, fs::Permissions::from_mode(0o700))?;
            fs::rename(&temporary, &path)
        });
        if let Err(error) = made {
            let _ = fs::remove_file(&temporary);
            return Err(self.refusal(error));
        }
        let loose: Vec<BlobHash> = {
            let mut state = self.state();
            let Some(replica) = state.replicas.get_mut(&hash) else { return Ok(()) };
            let again = replica.files[index] != FileState::Absent;
            replica.files[index] = FileState::Whole;
            if again {
                state.index()
            } else {
                state.index_file(hash, index)
            }
            let own =
                |chunk: &&suanpan_model::dataset::Chunk| state.loose.contains_key(&chunk.hash);
            let loose: Vec<_> = entry.chunks.iter().filter(own).map(|chunk| chunk.hash).collect();
            loose.iter().for_each(|hash| state.drop_loose(*hash));
            loose
        };
        for chunk in loose {
            // One that occurs twice is gone the second time.
            let _ = fs::remove_file(self.chunk_path(chunk));
        }
        let _ = fs::remove_file(self.damage(hash, index));
        Ok(())
    }

    fn write_file(&self, path: &Path, entry: &FileEntry) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        for chunk in &entry.chunks {
            let bytes = self.get(chunk.hash)?.ok_or_else(|| {
                let why = format!("chunk {} of `{}` is missing", chunk.hash, entry.path);
                io::Error::new(io::ErrorKind::NotFound, why)
            })?;
            file.write_all(&bytes)?;
        }
        let mode = if entry.mode == Mode::Executable { 0o555 } else { 0o444 };
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_data()
    }

    /// Removes a replica, if it is there; processes that have files of it open read on.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn remove(&self, hash: BlobHash) -> io::Result<()> {
        self.remove_if(hash, "it is no longer wanted here", |_| true)
    }

    pub(super) fn remove_if(
        &self,
        hash: BlobHash,
        why: &str,
        may: impl FnOnce(&State) -> bool,
    ) -> io::Result<()> {
        let replica = {
            let mut state = self.state();
            if !may(&state) {
                return Ok(());
            }
            let Some(replica) = state.replicas.remove(&hash) else { return Ok(()) };
            state.index();
            replica
        };
        tracing::info!(manifest = %hash, why, "a replica is removed");
        self.note_change();
        for (index, file) in replica.files.iter().enumerate() {
            if matches!(file, FileState::Damaged(_)) {
                let _ = fs::remove_file(self.damage(hash, index));
            }
        }
        match replica.root.exists() {
            true => self.discard(&replica.root),
            false => Ok(()),
        }
    }

    /// Takes a directory away at once, and its files after that.
    pub(super) fn discard(&self, path: &Path) -> io::Result<()> {
        let temporary = self.temporary("removing");
        // A directory that may not be written cannot be moved.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        fs::rename(path, &temporary)?;
        remove_tree(&temporary)
    }
}

/// Removes a file, or a directory even if it may only be read.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    set_directory_modes(path, 0o700)?;
    fs::remove_dir_all(path)
}

/// Sets the mode of a directory and of all in it: before going in, and again after.
fn set_directory_modes(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            set_directory_modes(&entry.path(), mode)?;
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
