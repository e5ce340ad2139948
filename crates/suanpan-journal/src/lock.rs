//! One server per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// The lock file's name inside the data directory.
pub(crate) const LOCK_FILE: &str = "lock";

/// Exclusive use of a data directory, from [`DataLock::acquire`] until it is dropped or its process
/// ends, however it ends. It is an advisory `flock` on the file `lock`, into which the holder
/// writes its process id for the reader of the error message; the file itself stays.
#[derive(Debug)]
pub struct DataLock {
    file: File,
    dir: PathBuf,
}

impl DataLock {
    /// Takes the lock of `dir`, creating the directory where it is missing.
    ///
    /// # Errors
    /// [`Error::Locked`] with the holder's process id where another process, or another lock in
    /// this one, has it; [`Error::Io`] where the file cannot be made.
    pub fn acquire(dir: &Path) -> Result<DataLock, Error> {
        std::fs::create_dir_all(dir).map_err(Error::io("create the directory", dir))?;
        let path = dir.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { dir: dir.to_owned(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => {
                return Err(Error::io("lock", &path)(source));
            }
        }
        write_holder(&mut file).map_err(Error::io("write the process id to", &path))?;
        Ok(DataLock { file, dir: dir.to_owned() })
    }

    /// The directory that is locked.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // An empty file says that nobody holds it; closing it gives the lock back in any case.
        let _ = self.file.set_len(0);
    }
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_by_pid_and_directory_until_the_first_lets_go() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let held = DataLock::acquire(dir.path()).expect("nobody holds it yet");
        let refused = DataLock::acquire(dir.path()).expect_err("the first one holds it");
        let message = refused.to_string();
        assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        assert!(message.contains(&dir.path().display().to_string()), "{message}");
        drop(held);
        DataLock::acquire(dir.path()).expect("the first one let go");
    }
}
