//! The `noop` driver: every job ends at once with success. For measuring the control plane.
//!
//! It keeps a few bytes for each allocation that is ordered and, for those that are over, ranges
//! of their numbers, so that millions of tasks flow through without files, threads or processes.

use crate::driver::{Driver, LaunchDocument};
use crate::local::files::now;
use crate::sitefile::Site;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::job::{End, Launch, PayloadReach, Usage};
use suanpan_model::site::{EnforcedLimit, Inventory};
use suanpan_model::time::Timestamp;
use suanpan_site::order::Order;
use suanpan_site::reconcile::{Observed, Progress};
use suanpan_site::report::{Fact, Outcome, Report};
use suanpan_wire::agent::LogStream;

/// Ends every job at once with success.
#[derive(Default)]
pub struct NoopDriver {
    observed: BTreeMap<AllocationId, Observed>,
    ends: BTreeMap<AllocationId, (Timestamp, End)>,
    forgotten: Ranges,
}

impl Driver for NoopDriver {
    fn refresh(&mut self) -> Vec<AllocationId> {
        Vec::new()
    }

    fn observed(&self) -> &BTreeMap<AllocationId, Observed> {
        &self.observed
    }

    fn launch_document(&self) -> LaunchDocument {
        LaunchDocument::Unneeded
    }

    fn launch(&mut self, order: &Order, _launch: Option<&Launch>) -> io::Result<()> {
        let end = if self.forgotten.contains(order.allocation.0) {
            // It was run and forgotten before; it is not run again.
            End::Lost
        } else {
            End::Exited { code: 0 }
        };
        self.end(order.allocation, order.generation, end);
        Ok(())
    }

    fn warn(&mut self, _id: AllocationId) -> io::Result<()> {
        // Its payloads end as they start, so none is there to be told.
        Ok(())
    }

    fn stop(&mut self, id: AllocationId, generation: Generation) -> io::Result<()> {
        self.end(id, generation, End::Cancelled);
        Ok(())
    }

    fn settle(&mut self, _id: AllocationId) -> io::Result<()> {
        Ok(())
    }

    fn reports(&self, id: AllocationId) -> Vec<Report> {
        let (Some(seen), Some(&(at, end))) = (self.observed.get(&id), self.ends.get(&id)) else {
            return Vec::new();
        };
        let payload = match end {
            End::Exited { .. } => PayloadReach::Started,
            _ => PayloadReach::NeverStarted,
        };
        let outcome = Outcome { end, payload, usage: Usage::default(), message: String::new() };
        let fact = Fact::Ended(outcome);
        vec![Report { allocation: id, generation: seen.generation, at, fact }]
    }

    fn forget(&mut self, id: AllocationId) {
        self.observed.remove(&id);
        self.ends.remove(&id);
        self.forgotten.insert(id.0);
    }

    fn output(&self, _id: AllocationId, _stream: LogStream) -> Option<PathBuf> {
        None
    }

    fn enforced(&self) -> Vec<EnforcedLimit> {
        let none = |limit: &str| EnforcedLimit {
            limit: limit.to_owned(),
            by: "none (this driver runs nothing)".to_owned(),
        };
        ["memory", "cpu", "pids", "time"].map(none).into()
    }

    fn set_site(&mut self, _site: &Site) {}

    fn take_inventory(&mut self) -> Option<Inventory> {
        None
    }
}

impl NoopDriver {
    fn end(&mut self, id: AllocationId, generation: Generation, end: End) {
        self.observed.insert(id, Observed { generation, progress: Progress::Ended });
        self.ends.entry(id).or_insert((now(), end));
    }
}

/// A set of numbers kept as ranges: first to last.
#[derive(Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, &last)| last >= number)
    }

    fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let last = self.0.remove(&(number.saturating_add(1))).unwrap_or(number);
        match self.0.range_mut(..number).next_back() {
            Some((_, before)) if *before + 1 == number => *before = last,
            _ => {
                self.0.insert(number, last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_any_order_become_ranges() {
        let mut ranges = Ranges::default();
        for number in [5, 1, 3, 2, 9, 4, 4] {
            ranges.insert(number);
        }
        assert_eq!(ranges.0, BTreeMap::from([(1, 5), (9, 9)]));
        assert!(ranges.contains(3) && !ranges.contains(6) && !ranges.contains(0));
    }
}
