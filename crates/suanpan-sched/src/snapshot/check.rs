//! What must hold between changes.

use super::{ShapeClass, Snapshot, speeds_in};
use crate::quota::book::Book;
use std::sync::Arc;

impl Snapshot {
    /// Recomputes everything derived.
    ///
    /// # Panics
    /// With the broken invariant in words.
    pub fn check(&self) {
        assert_eq!(self.keys.len(), self.pending.len(), "each pending job has one key");
        for (key, pending) in &self.pending {
            assert_eq!(self.keys.get(&pending.job), Some(key), "the key of {} holds", pending.job);
            let privileged = self.privileged.contains(key);
            assert_eq!(pending.is_privileged(), privileged, "privileged jobs are indexed");
            assert_eq!(pending.key(), *key, "job {} stands where its key says", pending.job);
            let class = self.shapes.get(&pending.class()).expect("a pending job is indexed");
            assert!(class.holds(*key, pending), "job {} is in its shape's class", pending.job);
        }
        let known = self.privileged.iter().all(|key| self.pending.contains_key(key));
        assert!(known, "only pending jobs are privileged");
        let classed: usize = self.shapes.values().map(ShapeClass::len).sum();
        assert_eq!(classed, self.pending.len(), "classes hold the pending jobs and no others");
        for (key, class) in &self.shapes {
            let mut fresh = class.clone();
            fresh.rejudge(&self.catalog, key, speeds_in(&self.programs, key));
            assert_eq!(fresh, *class, "offers of a shape follow the inventories");
        }
        for (id, view) in &self.clusters {
            let mut fresh = view.clone();
            fresh.set_inventory(Arc::clone(&view.inventory));
            assert_eq!(fresh, *view, "free amounts of cluster {id} follow from what runs there");
        }
        self.check_quotas();
    }

    fn check_quotas(&self) {
        let held = self.clusters.values().flat_map(|view| view.running.values());
        let held = held.filter_map(|running| running.held.as_deref());
        let Some(book) = &self.quotas else {
            assert_eq!(held.count(), 0, "without quotas nothing is held of them");
            return;
        };
        let mut fresh = Book::new(Arc::clone(book.policy()));
        held.for_each(|held| fresh.hold(held));
        assert_eq!(fresh, **book, "the use of quotas follows from what runs");
        book.quotas.check_sums();
    }
}
