//! The files of an allocation's directory, and how they are written so that they can be trusted.

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::time::Timestamp;
use suanpan_site::order::{Order, RunOrder};
use suanpan_site::report::Outcome;
use suanpan_wire::agent::LogStream;

#[cfg(test)]
mod tests;

/// What a supervisor needs beside the launch document (`order.json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Site name.
    pub site: String,
    /// Cluster name.
    pub cluster: String,
    /// The order that is carried out.
    pub order: Order,
    /// Accelerators of each node that the job may use, by index on the node.
    pub gpus: Vec<Vec<u32>>,
    /// Whether the nodes have accelerators at all (a job that asked none must not see them).
    pub nodes_have_gpus: bool,
    /// Seconds between TERM and KILL.
    pub grace_s: u32,
    /// The binary whose hidden verbs start gates and shims.
    pub exe: PathBuf,
    /// Directory with the `srun` and `scontrol` shims.
    pub shims: PathBuf,
    /// Control groups to make for it.
    pub cgroups: super::cgroup::Plan,
}

impl Assignment {
    /// The run order; a supervisor is only ever given one.
    ///
    /// # Errors
    /// If the order is to stop.
    pub fn run(&self) -> io::Result<&RunOrder> {
        match &self.order.desired {
            suanpan_site::order::Desired::Run(run) => Ok(run),
            suanpan_site::order::Desired::Stop(_) => {
                Err(io::Error::other("a supervisor was given an order to stop"))
            }
        }
    }
}

/// When the payload began, and as which process (`payload.json`, written by the gate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadStart {
    /// Process, and process group, of the payload.
    pub pid: i32,
    /// When it was started.
    pub at: Timestamp,
}

/// What the gate saw (`code.json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// When.
    pub at: Timestamp,
    /// How the payload ended.
    pub ended: GateEnd,
    /// Processor time of the payload and the children it waited for, microseconds.
    pub cpu_us: u64,
    /// Memory of the largest of these processes, bytes.
    pub memory_peak_bytes: u64,
}

/// How the payload ended, as its parent saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateEnd {
    /// It returned a code.
    Exited(u8),
    /// A signal ended it.
    Signalled(u8),
    /// The system refused to start it.
    StartFailed(String),
    /// The supervisor went away before it let the payload start.
    NeverReleased,
}

/// The end of an allocation (`exit.json`). Once it is there nothing changes any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Generation of the newest order acted on.
    pub generation: Generation,
    /// When the payload started, if it did.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
}

/// Where the output goes ([`OUTPUTS`]), so that it can be read after the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFiles {
    /// Standard output.
    pub stdout: PathBuf,
    /// Standard error; the same file if they are merged.
    pub stderr: PathBuf,
}

/// Name of [`OutputFiles`].
pub const OUTPUTS: &str = "outputs.json";

/// An allocation's directory.
#[derive(Clone, Debug)]
pub struct Dir(pub PathBuf);

impl Dir {
    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Whether a file is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    /// Reads a document of it; `None` if it is not there or not whole.
    #[must_use]
    pub fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.file(name)).ok()?).ok()
    }

    /// Replaces a document of it; it is on disk when this returns, or the old one still is.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn write<T: Serialize>(&self, name: &str, document: &T) -> io::Result<()> {
        self.write_bytes(name, &serde_json::to_vec(document).map_err(io::Error::other)?)
    }

    /// Replaces a file of it; it is on disk when this returns, or the old one still is.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.file(&format!(".{name}.{}.tmp", std::process::id()));
        let mut file = private_file(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.file(name))?;
        self.sync()
    }

    /// Writes a document without waiting for the disk: for what can be made again.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn write_unsynced<T: Serialize>(&self, name: &str, document: &T) -> io::Result<()> {
        let bytes = serde_json::to_vec(document).map_err(io::Error::other)?;
        let temporary = self.file(&format!(".{name}.{}.tmp", std::process::id()));
        private_file(&temporary)?.write_all(&bytes)?;
        fs::rename(&temporary, self.file(name))
    }

    /// Creates an empty file that must not exist yet; its name is on disk when this returns.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the file system says.
    pub fn create_mark(&self, name: &str) -> io::Result<()> {
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.file(name))?;
        file.sync_all()?;
        self.sync()
    }

    /// Makes a mark where it was not made before.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn ensure_mark(&self, name: &str) -> io::Result<()> {
        match self.create_mark(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes a lock of it, or `None` if a living process holds it.
    ///
    /// # Errors
    /// If the directory is gone or the file system refuses.
    pub fn try_lock(&self, name: &str) -> io::Result<Option<Flock<File>>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.file(name))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// The generation in the name of the first file `prefix.<generation>`, the highest if several.
    #[must_use]
    pub fn marked(&self, prefix: &str) -> Option<Generation> {
        let entries = fs::read_dir(&self.0).ok()?;
        let generations = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let rest = name.to_str()?.strip_prefix(prefix)?.strip_prefix('.')?;
            rest.parse().ok().map(Generation)
        });
        generations.max()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

/// Makes a directory that only this account may enter, with its parents.
///
/// # Errors
/// If the file system refuses.
pub fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The wall clock.
#[must_use]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is after 1970");
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The directories in `parent` that are named by allocation numbers, smallest first.
///
/// # Errors
/// If it cannot be read.
pub fn numbered(parent: &Path) -> io::Result<Vec<(AllocationId, Dir)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(id.map(|id| (AllocationId(id), Dir(entry.path()))));
    }
    found.sort_by_key(|(id, _)| *id);
    Ok(found)
}

/// Puts the directory of a forgotten allocation away. Thousands of them are kept, so of its files
/// only those of these names stay; directories do, where output may be in a copied working
/// directory.
///
/// # Errors
/// If it cannot be moved; a file too many is no error.
pub fn put_away(live: &Dir, finished: &Dir, names: &[&str]) -> io::Result<()> {
    fs::rename(&live.0, &finished.0)?;
    for entry in fs::read_dir(&finished.0).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && !names.iter().any(|name| entry.file_name() == *name) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Finished allocations older than this are removed with their files.
const FINISHED_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// At most so many finished allocations are kept.
const FINISHED_MAX: usize = 20_000;

/// Removes finished allocations that are old or too many; answers which.
#[must_use]
pub fn prune_finished(state_dir: &Path) -> Vec<AllocationId> {
    let Ok(found) = numbered(&state_dir.join("finished")) else { return Vec::new() };
    let surplus = found.len().saturating_sub(FINISHED_MAX);
    let is_old = |dir: &Dir| {
        let age = fs::metadata(&dir.0).and_then(|m| m.modified());
        age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > FINISHED_KEPT))
    };
    let mut gone = Vec::new();
    for (position, (id, dir)) in found.into_iter().enumerate() {
        if (position < surplus || is_old(&dir)) && fs::remove_dir_all(&dir.0).is_ok() {
            gone.push(id);
        }
    }
    gone
}

/// Path of an output file of an allocation: in `live` while it is not over, then in `finished`.
#[must_use]
pub fn output(live: &Dir, finished: &Dir, stream: LogStream) -> Option<PathBuf> {
    for (dir, moved) in [(live, false), (finished, true)] {
        let Some(files) = dir.read::<OutputFiles>(OUTPUTS) else { continue };
        let path = match stream {
            LogStream::Stdout => files.stdout,
            LogStream::Stderr => files.stderr,
        };
        if !moved {
            return Some(path);
        }
        // The files of a copied working directory moved with the allocation.
        return Some(match path.strip_prefix(&live.0) {
            Ok(inside) => dir.0.join(inside),
            Err(_) => path,
        });
    }
    None
}
