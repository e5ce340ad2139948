//! Files cut into chunks at places that their content chooses.
//!
//! The cuts are those of FastCDC (Xia et al., *The Design of Fast Content-Defined Chunking for
//! Data Deduplication Based Storage Systems*, IEEE TPDS 31(9), 2020): bytes inserted into a file
//! change the chunks around them and no others, so a new version of a dataset shares most chunks
//! with the one before. Cuts are part of the format: other sizes still work, and share nothing.
//!
//! What a dataset holds of a directory: every file, by its path and with its executable bit.
//! Empty directories, owners and times are not kept. A symbolic link is followed if it leads to
//! something inside the directory that was given, and then the data is there twice (its chunks are
//! stored once); any other link is refused by name, and so is what is neither file nor directory.
//! One pass: each byte is read, cut and hashed once, and one chunk is in memory at a time.

use fastcdc::v2020::{Error, StreamCDC};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use suanpan_model::dataset::{CHUNK_BYTES_MAX, Chunk, FileEntry, Manifest, Mode};
use suanpan_model::id::BlobHash;

#[cfg(test)]
mod tests;

/// Smallest chunk that is not the end of its file, bytes.
const BYTES_MIN: usize = 256 << 10;

/// Size around which chunks are, bytes; their mean is a quarter above it.
const BYTES_USUAL: usize = 1 << 20;

/// Largest chunk that is made, bytes; chunks up to [`CHUNK_BYTES_MAX`] are read.
const BYTES_MAX: usize = 4 << 20;

const _: () = assert!(BYTES_MAX <= CHUNK_BYTES_MAX as usize);

/// Cuts files and directories into chunks, giving each to `sink` as often as it occurs, and
/// answers what the dataset is.
///
/// The content of one directory is the dataset's; several paths, or a file, are in it under their
/// own names.
///
/// # Errors
/// Naming the path: if it cannot be read, cannot be in a dataset, or the sink refuses.
pub fn manifest_of(
    paths: &[PathBuf],
    sink: &mut dyn FnMut(Chunk, &[u8]) -> io::Result<()>,
) -> io::Result<Manifest> {
    let mut cutter = Cutter { files: Vec::new(), root: PathBuf::new(), above: Vec::new(), sink };
    let mut named: Vec<(String, PathBuf)> = Vec::new();
    for path in paths {
        let real = fs::canonicalize(path).map_err(|error| about(path, &error))?;
        if paths.len() == 1 && real.is_dir() {
            cutter.root.clone_from(&real);
            cutter.directory(&real, "")?;
            return Ok(Manifest { files: cutter.files });
        }
        let name = path.file_name().or(real.file_name()).unwrap_or_default();
        named.push((text(path, name)?, real));
    }
    named.sort();
    if let Some(pair) = named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let why =
            format!("two paths are named `{}`; give the directory that holds them", pair[0].0);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    for (name, real) in named {
        cutter.root.clone_from(&real);
        cutter.entry(&real, name)?;
    }
    Ok(Manifest { files: cutter.files })
}

struct Cutter<'a> {
    files: Vec<FileEntry>,
    /// What links may not lead out of.
    root: PathBuf,
    /// The directories that are being read, by their real paths.
    above: Vec<PathBuf>,
    sink: &'a mut dyn FnMut(Chunk, &[u8]) -> io::Result<()>,
}

impl Cutter<'_> {
    fn directory(&mut self, real: &Path, name: &str) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(real).map_err(|error| about(real, &error))? {
            let entry = entry.map_err(|error| about(real, &error))?;
            entries.push((text(&entry.path(), &entry.file_name())?, entry.path()));
        }
        entries.sort();
        self.above.push(real.to_owned());
        for (part, path) in entries {
            let name = if name.is_empty() { part } else { format!("{name}/{part}") };
            self.entry(&path, name)?;
        }
        self.above.pop();
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: String) -> io::Result<()> {
        let mut real = path.to_owned();
        let mut metadata = fs::symlink_metadata(path).map_err(|error| about(path, &error))?;
        if metadata.is_symlink() {
            real = fs::canonicalize(path).map_err(|error| about(path, &error))?;
            if !real.starts_with(&self.root) || self.above.contains(&real) {
                let why = "a link that leads out of the dataset, or to a directory it is in; \
                           expected files, directories and links inside it";
                return Err(refused(path, why));
            }
            metadata = fs::metadata(&real).map_err(|error| about(path, &error))?;
        }
        if metadata.is_dir() {
            return self.directory(&real, &name);
        }
        if !metadata.is_file() {
            return Err(refused(path, "neither a file, a directory nor a link inside the dataset"));
        }
        let chunks = self.file(&real)?;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let mode = if executable { Mode::Executable } else { Mode::Plain };
        self.files.push(FileEntry { path: name, mode, chunks });
        Ok(())
    }

    fn file(&mut self, path: &Path) -> io::Result<Vec<Chunk>> {
        let file = File::open(path).map_err(|error| about(path, &error))?;
        let mut chunks = Vec::new();
        for piece in StreamCDC::new(file, BYTES_MIN, BYTES_USUAL, BYTES_MAX) {
            let piece = match piece {
                Ok(piece) => piece,
                Err(Error::Empty) => break,
                Err(Error::IoError(error)) => return Err(about(path, &error)),
                Err(Error::Other(why)) => return Err(refused(path, &why)),
            };
            let chunk = chunk_of(&piece.data);
            (self.sink)(chunk, &piece.data)?;
            chunks.push(chunk);
        }
        Ok(chunks)
    }
}

/// The name of some bytes, at most [`CHUNK_BYTES_MAX`].
#[must_use]
pub fn chunk_of(bytes: &[u8]) -> Chunk {
    let length = u32::try_from(bytes.len()).expect("a chunk has at most 8 MiB");
    Chunk { hash: BlobHash(*blake3::hash(bytes).as_bytes()), bytes: length }
}

fn text(path: &Path, name: &std::ffi::OsStr) -> io::Result<String> {
    let name = name.to_str().filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| refused(path, "its name is not UTF-8 text"))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", path.display()))
}
