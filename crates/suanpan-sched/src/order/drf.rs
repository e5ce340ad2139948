//! Dominant Resource Fairness: which tenant to serve next where tasks need several resources.
//!
//! Source: Ghodsi, Zaharia, Hindman, Konwinski, Shenker and Stoica, "Dominant Resource Fairness:
//! Fair Allocation of Multiple Resource Types", NSDI 2011. A tenant's *dominant share* is the
//! largest part it has of any one resource, divided by its weight for that resource (section 4.3).
//! *Progressive filling* (algorithm 1) always serves the tenant with the smallest dominant share.
//! The paper's algorithm stops where that tenant's next task does not fit; [`WhenFull::Next`]
//! serves the next of those whose task does, so that nothing stays idle that someone can use.
//!
//! Complexity with `n` tenants and `r` resources: O(n r) for one choice ([`next`]), O((n + t) (r +
//! log n)) for `t` tasks placed ([`fill`]).

use crate::order::ratio::Ratio;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[cfg(test)]
mod tests;

/// One who shares the resources. Vectors have one entry per resource, in one order throughout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// What it has.
    pub used: Vec<u64>,
    /// What its next task needs.
    pub demand: Vec<u64>,
    /// Its weight for each resource; equal for all in the plain form. Zero means: served only
    /// when nobody else can be.
    pub weights: Vec<u32>,
    /// Tasks that wait.
    pub tasks: u64,
}

/// What happens once the tenant to be served has a task that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Nobody is served any more (the paper's algorithm 1).
    Stop,
    /// The next tenant is.
    Next,
}

/// The largest part a tenant has of any resource, over its weight for it; nothing where it has
/// nothing. A resource of which there is none counts only for who has some of it.
#[must_use]
pub fn dominant_share(used: &[u64], weights: &[u32], capacity: &[u64]) -> Ratio {
    let shares = used.iter().zip(weights).zip(capacity).filter(|((used, _), _)| **used > 0);
    let share = |((used, weight), capacity): ((&u64, &u32), &u64)| {
        Ratio::new((*used).into(), u128::from(*capacity) * u128::from(*weight))
    };
    shares.map(share).max().unwrap_or(Ratio::ZERO)
}

/// The resource in which a tenant's share is largest (the first of equals).
#[must_use]
pub fn dominant_resource(used: &[u64], weights: &[u32], capacity: &[u64]) -> Option<usize> {
    let share = |r: usize| dominant_share(&used[r..=r], &weights[r..=r], &capacity[r..=r]);
    (0..used.len()).filter(|&r| used[r] > 0).rev().max_by_key(|&r| share(r))
}

/// The tenant to serve next: of those with a waiting task that fits into `free`, the one with the
/// smallest dominant share; the first of equals.
#[must_use]
pub fn next(tenants: &[Tenant], capacity: &[u64], free: &[u64]) -> Option<usize> {
    let may = |tenant: &Tenant| tenant.tasks > 0 && fits(&tenant.demand, free);
    (0..tenants.len())
        .filter(|&index| may(&tenants[index]))
        .min_by_key(|&index| share_of(&tenants[index], capacity))
}

/// Progressive filling: serves task after task until nothing more fits, taking the tasks from the
/// tenants' and adding to what they use. Gives the tenants in the order they were served.
pub fn fill(tenants: &mut [Tenant], capacity: &[u64], when_full: WhenFull) -> Vec<usize> {
    let mut free = capacity.to_vec();
    for tenant in tenants.iter() {
        free.iter_mut()
            .zip(&tenant.used)
            .for_each(|(free, used)| *free = free.saturating_sub(*used));
    }
    let share = |tenant: &Tenant, index: usize| Reverse((share_of(tenant, capacity), index));
    let mut heap: BinaryHeap<_> =
        tenants.iter().enumerate().map(|(index, tenant)| share(tenant, index)).collect();
    let mut served = Vec::new();
    while let Some(Reverse((_, index))) = heap.pop() {
        let tenant = &mut tenants[index];
        if tenant.tasks == 0 || tenant.demand.iter().all(|amount| *amount == 0) {
            continue;
        }
        if !fits(&tenant.demand, &free) {
            match when_full {
                WhenFull::Stop => break,
                // What is free only shrinks: it will not fit later either.
                WhenFull::Next => continue,
            }
        }
        for ((free, used), amount) in free.iter_mut().zip(&mut tenant.used).zip(&tenant.demand) {
            *free -= amount;
            *used += amount;
        }
        tenant.tasks -= 1;
        served.push(index);
        heap.push(share(tenant, index));
    }
    served
}

fn share_of(tenant: &Tenant, capacity: &[u64]) -> Ratio {
    dominant_share(&tenant.used, &tenant.weights, capacity)
}

fn fits(demand: &[u64], free: &[u64]) -> bool {
    demand.iter().zip(free).all(|(amount, free)| amount <= free)
}
