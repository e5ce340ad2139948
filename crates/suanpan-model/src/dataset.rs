//! Datasets: named, versioned data that never changes, in content-addressed chunks.
//!
//! A [`Manifest`] lists files and their chunks; its BLAKE3 hash (over its canonical JSON) is the
//! identity of the data. A dataset gives it a name and a version. A *replica* is a copy at a site
//! of which every chunk was verified.

use crate::id::BlobHash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Name of a dataset: 1 to 128 of `a-z`, `0-9`, `.`, `_`, `-` and `/`, beginning and ending with a
/// letter or digit, and no two marks in a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatasetName(String);

/// What a name may be, for errors.
const NAME_RULE: &str = "1 to 128 small letters, digits and single `.`, `_`, `-` or `/` between \
                         them, such as `imagenet/train-2012`";

impl DatasetName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DatasetName {
    type Err = String;

    fn from_str(text: &str) -> Result<DatasetName, String> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mark = |byte: u8| matches!(byte, b'.' | b'_' | b'-' | b'/');
        let bytes = text.as_bytes();
        let sound = !bytes.is_empty()
            && bytes.len() <= 128
            && bytes.iter().all(|&byte| plain(byte) || mark(byte))
            && plain(bytes[0])
            && plain(bytes[bytes.len() - 1])
            && !bytes.windows(2).any(|pair| mark(pair[0]) && mark(pair[1]));
        match sound {
            true => Ok(DatasetName(text.to_owned())),
            false => Err(format!("dataset name `{text}`: expected {NAME_RULE}")),
        }
    }
}

impl TryFrom<String> for DatasetName {
    type Error = String;

    fn try_from(text: String) -> Result<DatasetName, String> {
        text.parse()
    }
}

impl From<DatasetName> for String {
    fn from(name: DatasetName) -> String {
        name.0
    }
}

/// A dataset as people name it: `name` (its newest version) or `name@3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetRef {
    /// The name.
    pub name: DatasetName,
    /// The version, from 1; the newest if `None`.
    pub version: Option<u32>,
}

impl fmt::Display for DatasetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => self.name.fmt(f),
            Some(version) => write!(f, "{}@{version}", self.name),
        }
    }
}

impl FromStr for DatasetRef {
    type Err = String;

    fn from_str(text: &str) -> Result<DatasetRef, String> {
        let Some((name, version)) = text.split_once('@') else {
            return Ok(DatasetRef { name: text.parse()?, version: None });
        };
        match version.parse() {
            Ok(number) if number > 0 && !version.starts_with(['+', '0']) => {
                Ok(DatasetRef { name: name.parse()?, version: Some(number) })
            }
            _ => Err(format!("dataset `{text}`: expected a version from 1 after `@`")),
        }
    }
}

/// The files of a dataset, in the order of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The files.
    pub files: Vec<FileEntry>,
}

/// One file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path relative to the dataset, with `/` between its parts.
    pub path: String,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "Mode::is_plain")]
    pub mode: Mode,
    /// Its bytes, in order. An empty file has none.
    pub chunks: Vec<Chunk>,
}

/// What a file of a dataset may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Read.
    #[default]
    Plain,
    /// Read and executed.
    Executable,
}

impl Mode {
    fn is_plain(&self) -> bool {
        *self == Mode::Plain
    }
}

/// Some bytes, named by their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// BLAKE3 of the bytes.
    pub hash: BlobHash,
    /// How many, from 1 to [`CHUNK_BYTES_MAX`].
    pub bytes: u32,
}

/// Largest chunk.
pub const CHUNK_BYTES_MAX: u32 = 8 << 20;

impl FileEntry {
    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.bytes)).sum()
    }
}

impl Manifest {
    /// Size of all files together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(FileEntry::bytes).sum()
    }

    /// Every chunk, in the order of the files; one that occurs twice comes twice.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> {
        self.files.iter().flat_map(|file| file.chunks.iter().copied())
    }

    /// Why it cannot be used, if so: paths must be relative, without empty or dotted parts, in
    /// strictly ascending order, none a directory of another; chunks of 1 byte to
    /// [`CHUNK_BYTES_MAX`], and of the same size wherever one occurs. O(chunks * log chunks).
    ///
    /// # Errors
    /// The first file that is wrong, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let mut before: Option<&str> = None;
        let mut sizes: BTreeMap<BlobHash, u32> = BTreeMap::new();
        for file in &self.files {
            let path = file.path.as_str();
            let refuse =
                |right: &str| Err(format!("file `{}`: expected {right}", path.escape_debug()));
            let part = |part: &str| !matches!(part, "" | "." | "..");
            if !path.split('/').all(part) || path.contains('\0') {
                return refuse("a relative path without empty or dotted parts");
            }
            // Order by parts puts a directory's files right after a file of its name.
            if before.is_some_and(|before| parts(before) >= parts(path)) {
                return refuse("each path once, in ascending order of its parts");
            }
            let inside =
                |before: &str| path.strip_prefix(before).is_some_and(|rest| rest.starts_with('/'));
            if before.is_some_and(inside) {
                return refuse("no file where another's directory is");
            }
            if file.chunks.iter().any(|chunk| !(1..=CHUNK_BYTES_MAX).contains(&chunk.bytes)) {
                return refuse("chunks of 1 byte to 8 MiB");
            }
            let mut other_size =
                |chunk: &Chunk| *sizes.entry(chunk.hash).or_insert(chunk.bytes) != chunk.bytes;
            if file.chunks.iter().any(&mut other_size) {
                return refuse("the same size for a chunk wherever it occurs");
            }
            before = Some(path);
        }
        Ok(())
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for name in ["a", "imagenet/train-2012", "x.y_z"] {
            assert_eq!(name.parse::<DatasetName>().expect("a name").to_string(), name);
        }
        for name in ["", "A", "a b", "-a", "a/", "a//b", "../x", "a.-b", &"x".repeat(129)] {
            let error = name.parse::<DatasetName>().expect_err(name);
            assert!(error.contains("small letters"), "{error}");
        }
    }

    #[test]
    fn references_name_a_version_or_the_newest() {
        let newest: DatasetRef = "corpus".parse().expect("a reference");
        assert_eq!((newest.version, newest.to_string().as_str()), (None, "corpus"));
        let third: DatasetRef = "corpus@3".parse().expect("a reference");
        assert_eq!((third.version, third.to_string().as_str()), (Some(3), "corpus@3"));
        for wrong in ["corpus@", "corpus@0", "corpus@+1", "corpus@01", "corpus@x", "@1"] {
            assert!(wrong.parse::<DatasetRef>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn manifests_stay_inside_their_directory() {
        let file = |path: &str| FileEntry { path: path.into(), mode: Mode::Plain, chunks: vec![] };
        let of = |paths: &[&str]| Manifest { files: paths.iter().map(|path| file(path)).collect() };
        assert_eq!(of(&["a", "b/c", "b/d", "b-e"]).check(), Ok(()));
        for wrong in [&["/a"][..], &["a/../b"], &["a", "a"], &["b", "a"], &["a", "a/b"], &["./a"]] {
            assert!(of(wrong).check().is_err(), "{wrong:?}");
        }
        let mut long = of(&["a"]);
        long.files[0].chunks = vec![Chunk { hash: BlobHash([0; 32]), bytes: 0 }];
        assert!(long.check().is_err());
        long.files[0].chunks =
            [3, 3, 4].map(|bytes| Chunk { hash: BlobHash([0; 32]), bytes }).into();
        assert!(long.check().expect_err("two sizes").contains("the same size"));
        long.files[0].chunks.pop();
        assert_eq!(long.check(), Ok(()));
    }
}
