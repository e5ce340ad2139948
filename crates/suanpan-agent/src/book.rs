//! The orders an agent knows, kept equal to the control plane's by deltas and a digest.

use std::collections::BTreeMap;
use suanpan_model::id::AllocationId;
use suanpan_site::order::Order;
use suanpan_site::reconcile::{Accepted, accept};
use suanpan_wire::agent::{Digest, OrdersAnswer, digest_of};

/// The orders an agent knows. Empty and out of step until the first whole list.
#[derive(Debug, Default)]
pub struct Book {
    orders: BTreeMap<AllocationId, Order>,
    sum: u64,
    version: u64,
    step: Step,
}

/// Whether what is known can be acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// Nothing was heard since the agent started: what is missing here may well be ordered.
    #[default]
    Unknown,
    /// It was equal to the control plane's after the last answer.
    Together,
    /// The digest differed; the whole list is asked for.
    Apart,
}

/// What an answer changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Allocations whose order is new, changed or gone.
    pub touched: Vec<AllocationId>,
    /// Allocations whose order is gone.
    pub gone: Vec<AllocationId>,
}

impl Book {
    /// The version to ask from: 0 for everything.
    #[must_use]
    pub fn since(&self) -> u64 {
        if self.step == Step::Together { self.version } else { 0 }
    }

    /// Whether what is known can be acted on.
    #[must_use]
    pub fn step(&self) -> Step {
        self.step
    }

    /// The orders.
    #[must_use]
    pub fn orders(&self) -> &BTreeMap<AllocationId, Order> {
        &self.orders
    }

    /// Takes in an answer.
    pub fn apply(&mut self, answer: &mut OrdersAnswer) -> Applied {
        let mut applied = Applied::default();
        if let Some(whole) = answer.whole.take() {
            let before = std::mem::take(&mut self.orders);
            self.sum = 0;
            applied.touched.extend(before.keys());
            for order in whole {
                applied.touched.push(order.allocation);
                self.insert(order);
            }
            applied.gone = before.into_keys().filter(|id| !self.orders.contains_key(id)).collect();
            self.step = Step::Together;
        }
        for order in std::mem::take(&mut answer.changed) {
            applied.touched.push(order.allocation);
            self.insert(order);
        }
        for id in std::mem::take(&mut answer.removed) {
            if let Some(order) = self.orders.remove(&id) {
                self.sum ^= digest_of(&order);
            }
            applied.touched.push(id);
            applied.gone.push(id);
        }
        self.version = answer.version;
        if self.step != Step::Unknown {
            let own = Digest { count: self.orders.len() as u64, sum: self.sum };
            self.step = if own == answer.digest { Step::Together } else { Step::Apart };
        }
        applied
    }

    fn insert(&mut self, order: Order) {
        let before = self.orders.get(&order.allocation).map_or(0, digest_of);
        let after = digest_of(&order);
        if accept(&mut self.orders, order) == Accepted::New {
            self.sum ^= before ^ after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use suanpan_model::id::Generation;
    use suanpan_site::order::{Desired, StopReason};

    fn order(id: u64, generation: u32) -> Order {
        let desired = Desired::Stop(StopReason::Cancelled);
        Order { allocation: AllocationId(id), generation: Generation(generation), desired }
    }

    fn answer(whole: Option<Vec<Order>>, changed: Vec<Order>, after: &[Order]) -> OrdersAnswer {
        let sum = after.iter().fold(0, |sum, order| sum ^ digest_of(order));
        let digest = Digest { count: after.len() as u64, sum };
        let removed = Vec::new();
        OrdersAnswer { version: 7, whole, changed, removed, digest, log_requests: Vec::new() }
    }

    #[test]
    fn a_lost_delta_is_found_by_the_digest() {
        let mut book = Book::default();
        assert_eq!(book.since(), 0);
        book.apply(&mut answer(Some(vec![order(1, 1)]), vec![], &[order(1, 1)]));
        assert_eq!((book.since(), book.step()), (7, Step::Together));
        book.apply(&mut answer(None, vec![order(3, 1)], &[order(1, 1), order(2, 1), order(3, 1)]));
        assert_eq!((book.since(), book.step()), (0, Step::Apart));
    }

    #[test]
    fn nothing_is_acted_on_before_the_whole_list() {
        let mut book = Book::default();
        book.apply(&mut answer(None, vec![order(1, 1)], &[order(1, 1)]));
        assert_eq!(book.step(), Step::Unknown);
    }

    #[test]
    fn a_removed_order_is_gone_and_a_stale_one_refused() {
        let mut book = Book::default();
        book.apply(&mut answer(Some(vec![order(1, 2), order(2, 1)]), vec![], &[]));
        let mut delta = answer(None, vec![order(1, 1)], &[order(1, 2)]);
        delta.removed.push(AllocationId(2));
        let applied = book.apply(&mut delta);
        assert_eq!(applied.gone, [AllocationId(2)]);
        assert_eq!(book.step(), Step::Together);
    }
}
