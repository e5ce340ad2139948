//! How much of each replica is here, as the control plane is told.

use super::keeper::Keeper;
use std::sync::Arc;
use std::time::{Duration, Instant};
use suanpan_model::dataset::Manifest;
use suanpan_model::id::BlobHash;
use suanpan_wire::agent_data::{DataAnswer, DataReports, ReplicaReport};

/// How often it is told how much of a replica is there while more of it comes.
const TELL_PERIOD: Duration = Duration::from_secs(5);

/// The same of a replica that nothing here needs: its chunks may be those of another one.
const WEIGH_PERIOD: Duration = Duration::from_secs(60);

/// What was told is told again after this time: what a control plane that is restored from a
/// backup, or that did not take a report, has missed, it learns so.
const AGAIN_PERIOD: Duration = Duration::from_secs(600);

/// What was told of a replica.
pub(super) struct Told {
    bytes: u64,
    /// When it was weighed, and when what was found was told.
    weighed: Instant,
    at: Instant,
    /// Changes of the store until then, and whether it was whole.
    seen: (u64, bool),
}

impl Told {
    fn is_old(&self) -> bool {
        self.at.elapsed() > AGAIN_PERIOD
    }
}

impl Keeper {
    /// Learns the manifests that are only to be weighed.
    pub(super) fn weigh(self: &Arc<Keeper>, answer: &Arc<DataAnswer>) {
        let known = |hash: &&BlobHash| self.state().told.contains_key(hash);
        let unknown: Vec<BlobHash> =
            answer.weigh.iter().filter(|hash| !known(hash)).copied().collect();
        self.each_alone("weigh", unknown, |keeper, hash| {
            keeper.tell_one(hash, &*keeper.manifest(hash)?);
            Ok(())
        });
    }

    /// Tells how much of a replica is there, if that is not what was told last. O(chunks).
    fn tell_one(&self, hash: BlobHash, manifest: &Manifest) {
        let (changes, is_whole) = self.seen(hash);
        // Told as whole only when jobs can read it.
        let present_bytes = match is_whole {
            true => manifest.bytes(),
            false => self.parts.store.present_bytes(manifest),
        };
        let now = Instant::now();
        let mut state = self.state();
        let before = state.told.get(&hash);
        let before = before.filter(|before| before.bytes == present_bytes && !before.is_old());
        let at = before.map_or(now, |before| before.at);
        let seen = (changes, is_whole);
        let is_news = before.is_none();
        state.told.insert(hash, Told { bytes: present_bytes, weighed: now, at, seen });
        drop(state);
        if is_news {
            let replicas = vec![ReplicaReport { manifest: hash, present_bytes }];
            let stored_bytes = Some(self.parts.store.used());
            (self.parts.tell)(DataReports { replicas, stored_bytes, ..DataReports::default() });
        }
    }

    /// What must have changed before a replica is weighed again.
    fn seen(&self, hash: BlobHash) -> (u64, bool) {
        (self.parts.store.changes(), self.parts.store.tree(hash).is_some())
    }

    /// Tells how much of each replica is there, where that changed: of those that should be here
    /// every few seconds, of others rarely, and nothing while the store stays as it is.
    pub(super) fn tell_replicas(&self, answer: &DataAnswer) {
        let held = answer.hold.iter().map(|hold| (hold.manifest, TELL_PERIOD));
        let weighed = answer.weigh.iter().map(|hash| (*hash, WEIGH_PERIOD));
        for (hash, period) in held.chain(weighed) {
            let seen = self.seen(hash);
            let is_due = self.state().told.get(&hash).is_none_or(|told| {
                let became_whole = told.seen.1 != seen.1;
                let is_due = told.seen != seen && told.weighed.elapsed() > period;
                became_whole || is_due || told.is_old()
            });
            if is_due && let Some(manifest) = self.parts.store.manifest(hash) {
                self.tell_one(hash, &manifest);
            }
        }
    }
}
