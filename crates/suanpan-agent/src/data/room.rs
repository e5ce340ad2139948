//! Room in the store: its quota, and what goes when more is needed.

use super::store::{PutError, State, Store};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::atomic::Ordering;
use suanpan_model::id::BlobHash;

impl Store {
    /// Sets the most bytes there may be.
    pub fn set_quota(&self, quota: Option<u64>) {
        self.state().quota = quota;
    }

    /// States which replicas must stay when room is needed, beside what was made here and is not
    /// among them yet.
    pub fn set_keep(&self, keep: BTreeSet<BlobHash>) {
        let mut state = self.state();
        state.made.retain(|made| !keep.contains(made));
        state.keep = Some(keep);
    }

    /// Has one more stay.
    pub fn keep(&self, hash: BlobHash) {
        if let Some(keep) = &mut self.state().keep {
            keep.insert(hash);
        }
    }

    /// What was made here under this name is not wanted by the control plane.
    pub fn unmake(&self, hash: BlobHash) {
        self.state().made.remove(&hash);
    }

    /// Removes replicas and chunks that nobody keeps until so many bytes more are within the quota.
    ///
    /// # Errors
    /// If that is not enough.
    pub(super) fn make_room(&self, bytes: u64) -> Result<(), PutError> {
        let over = |state: &State| state.quota.is_some_and(|quota| state.used + bytes > quota);
        if !over(&self.state()) {
            return Ok(());
        }
        self.drop_unkept(bytes).map_err(PutError::Refused)?;
        let state = self.state();
        if !over(&state) {
            return Ok(());
        }
        let (quota, used) = (state.quota.unwrap_or_default(), state.used);
        Err(PutError::Full(format!(
            "the site's quota for data is full: {used} of {quota} bytes are used by what must stay"
        )))
    }

    fn drop_unkept(&self, bytes: u64) -> io::Result<()> {
        let (unkept, keep) = {
            let state = self.state();
            let Some(mut keep) = state.keep.clone() else { return Ok(()) };
            keep.extend(&state.made);
            let unkept = state.replicas.keys().filter(|hash| !keep.contains(hash)).copied();
            (unkept.collect::<Vec<_>>(), keep)
        };
        let over = || {
            let state = self.state();
            state.quota.is_some_and(|quota| state.used + bytes > quota)
        };
        for hash in unkept {
            if over() {
                // A job may have come to need it meanwhile.
                self.remove_if(hash, "room is needed", |state| !state.keeps(hash))?;
            }
        }
        if !over() || self.making.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        // Chunks of no manifest that is kept: from transfers that are no longer wanted.
        let wanted: BTreeSet<BlobHash> = keep
            .iter()
            .filter_map(|hash| self.manifest(*hash))
            .flat_map(|manifest| manifest.chunks().map(|chunk| chunk.hash).collect::<Vec<_>>())
            .collect();
        let loose: Vec<BlobHash> = self.state().loose.keys().copied().collect();
        for hash in loose.into_iter().filter(|hash| !wanted.contains(hash)) {
            self.state().drop_loose(hash);
            match fs::remove_file(self.chunk_path(hash)) {
                // Another thread makes room too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        self.note_change();
        Ok(())
    }
}

impl State {
    fn keeps(&self, hash: BlobHash) -> bool {
        self.made.contains(&hash) || self.keep.as_ref().is_none_or(|keep| keep.contains(&hash))
    }
}
