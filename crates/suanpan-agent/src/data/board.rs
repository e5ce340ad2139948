//! What the drivers and the keeper of the data tell each other about allocations.
//!
//! Everything that must survive is in files of the allocation's directory: `launch.json` says what
//! is to be staged, the mark `staged` that it is, `publish.json` what is to become datasets,
//! `published.json` what became of it. The board is what makes it happen now.

use super::contract::STAGED;
use crate::local::files::Dir;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use suanpan_model::dataset::DatasetName;
use suanpan_model::id::{AllocationId, BlobHash};
use suanpan_model::job::{DatasetMount, End, Launch};
use suanpan_site::report::Outcome;

/// What a payload left that is to become datasets (`publish.json`, written by the supervisor).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The outputs.
    pub outputs: Vec<MadeOutput>,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeOutput {
    /// The dataset's name.
    pub name: DatasetName,
    /// Where it is.
    pub path: PathBuf,
}

/// What became of it (`published.json`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Datasets that were registered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<PublishedDataset>,
    /// Why some were not; empty if all were.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trouble: String,
}

/// A dataset that a job made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedDataset {
    /// Its name.
    pub name: DatasetName,
    /// The version it was given.
    pub version: u32,
    /// Its manifest.
    pub manifest: BlobHash,
}

/// Name of [`Publish`].
pub const PUBLISH: &str = "publish.json";

/// Name of [`Published`].
pub const PUBLISHED: &str = "published.json";

/// What the drivers and the keeper tell each other. Cheap to clone.
#[derive(Clone, Default)]
pub struct Board(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    staging: BTreeMap<AllocationId, Staging>,
    publishing: BTreeMap<AllocationId, Dir>,
    woken: bool,
}

/// Inputs of one allocation.
#[derive(Clone, Debug)]
pub struct Staging {
    /// Its directory.
    pub dir: Dir,
    /// What it needs.
    pub mounts: Vec<DatasetMount>,
    /// When all will be there, if that can be said; zero if it is.
    pub left: Option<Duration>,
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder of this lock panics")
    }

    /// Has the inputs of a launch staged, if it has any, and kept until its directory goes.
    pub fn stage(&self, id: AllocationId, dir: &Dir, launch: &Launch) {
        if launch.datasets.is_empty() {
            return;
        }
        let left = dir.has(STAGED).then_some(Duration::ZERO);
        let staging = Staging { dir: dir.clone(), mounts: launch.datasets.clone(), left };
        self.state().staging.entry(id).or_insert(staging);
        self.wake();
    }

    /// How long staging will take from now; `Some` of zero if nothing is missing, nothing if that
    /// cannot be said.
    #[must_use]
    pub fn left(&self, id: AllocationId) -> Option<Duration> {
        self.state().staging.get(&id).map_or(Some(Duration::ZERO), |staging| staging.left)
    }

    /// Whether an end has to wait until what the payload left is published; has it published.
    #[must_use]
    pub fn holds_back(&self, id: AllocationId, dir: &Dir) -> HoldBack {
        if !dir.has(PUBLISH) || dir.has(PUBLISHED) || dir.marked("stop").is_some() {
            return HoldBack::Ended;
        }
        if self.state().publishing.insert(id, dir.clone()).is_none() {
            self.wake();
        }
        HoldBack::Publishing
    }

    /// Everything that is staged or waits for it.
    #[must_use]
    pub fn staging(&self) -> BTreeMap<AllocationId, Staging> {
        self.state().staging.clone()
    }

    /// States how far staging is.
    pub fn set_left(&self, id: AllocationId, left: Option<Duration>) {
        if let Some(staging) = self.state().staging.get_mut(&id) {
            staging.left = left;
        }
    }

    /// Forgets a staging whose allocation is over.
    pub fn unstage(&self, id: AllocationId) {
        self.state().staging.remove(&id);
    }

    /// Everything that waits to be published.
    #[must_use]
    pub fn publishing(&self) -> BTreeMap<AllocationId, Dir> {
        self.state().publishing.clone()
    }

    /// Forgets a publication that is done, or no longer wanted.
    pub fn published(&self, id: AllocationId) {
        self.state().publishing.remove(&id);
    }

    /// Wakes the keeper.
    pub fn wake(&self) {
        self.state().woken = true;
        self.0.wake.notify_all();
    }

    /// Waits until there is something to do, or the time is over.
    pub fn wait(&self, timeout: Duration) {
        let waited = self.0.wake.wait_timeout_while(self.state(), timeout, |state| !state.woken);
        waited.expect("no holder of this lock panics").0.woken = false;
    }
}

/// Whether an allocation that ended is to be told as ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldBack {
    /// It is.
    Ended,
    /// Not before its outputs are datasets.
    Publishing,
}

/// Notes what of a successful payload is to become datasets; to be written before its exit file.
///
/// # Errors
/// If the file system refuses.
pub fn note_outputs(dir: &Dir, launch: &Launch, outcome: &Outcome) -> std::io::Result<()> {
    if launch.publish.is_empty() || outcome.end != (End::Exited { code: 0 }) {
        return Ok(());
    }
    let workdir = crate::local::stage::workdir(dir, launch);
    let made = launch.publish.iter().map(|output| MadeOutput {
        name: output.name.clone(),
        path: workdir.join(output.path.trim_end_matches('/')),
    });
    dir.write(PUBLISH, &Publish { outputs: made.collect() })
}

/// Adds to an outcome what became of its outputs.
#[must_use]
pub fn with_outputs(dir: &Dir, mut outcome: Outcome) -> Outcome {
    if !dir.has(PUBLISH) {
        return outcome;
    }
    let trouble = match dir.read::<Published>(PUBLISHED) {
        Some(published) => published.trouble,
        None => "outputs not published: it was stopped before they were".to_owned(),
    };
    if !trouble.is_empty() {
        let separator = if outcome.message.is_empty() { "" } else { "; " };
        outcome.message = format!("{}{separator}{trouble}", outcome.message);
    }
    outcome
}
