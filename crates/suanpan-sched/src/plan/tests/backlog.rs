//! Jobs that wait in their site's own queue.

use super::properties::{any_jobs, any_network, commit, finish, next_end};
use super::*;
use crate::snapshot::{Closure, ClosureId, ClosureKind, Running, Snapshot};
use proptest::prelude::*;
use std::collections::BTreeMap;
use suanpan_model::id::AllocationId;
use suanpan_model::site::Inventory;
use suanpan_model::time::Timestamp;

fn with_backlog(inventory: Inventory, backlog: u32) -> Inventory {
    Inventory { backlog, ..inventory }
}

/// One site of two nodes of 8 processors, both taken until 600 s.
fn full(backlog: u32) -> Snapshot {
    let inventory = site("a", flavor("plain", 1_000, 1), 2, tres(8, 32, 0));
    let mut snapshot = network(vec![with_backlog(inventory, backlog)]);
    take(&mut snapshot, 1, 1, running(&[0, 1], tres(8, 1, 0), at(600)));
    snapshot
}

fn jobs(plan: &Plan) -> Vec<u64> {
    plan.placements.iter().map(|placement| placement.job.0).collect()
}

#[test]
fn a_few_jobs_wait_at_a_full_site_and_the_rest_here() {
    let mut snapshot = full(2);
    add(&mut snapshot, (1..=4).map(|job| pending(job, &shape(1, tres(8, 1, 0), HOUR))));
    let plan = planned(&snapshot);
    assert_eq!(jobs(&plan), [1, 2]);
    let foretold = &plan.placements[0].prediction;
    assert_eq!((foretold.start, foretold.start_latest), (NOW, at(600)));
    assert_eq!(plan.shadow_starts[&JobId(3)], at(600 + u64::from(HOUR)));
    // Without a backlog all wait here.
    let mut snapshot = full(0);
    add(&mut snapshot, [pending(1, &shape(1, tres(8, 1, 0), HOUR))]);
    assert!(planned(&snapshot).placements.is_empty());
}

#[test]
fn what_did_not_begin_counts_and_is_owed() {
    let mut snapshot = full(2);
    let ends_by = at(600 + u64::from(HOUR));
    let waits = Running { began: false, ..running(&[0], tres(8, 1, 0), ends_by) };
    take(&mut snapshot, 1, 2, waits);
    add(&mut snapshot, (1..=3).map(|job| pending(job, &shape(1, tres(8, 1, 0), HOUR))));
    let plan = planned(&snapshot);
    // One more may wait there, on the node that nobody waits for.
    assert_eq!(jobs(&plan), [1]);
    assert_eq!(plan.placements[0].nodes, [1]);
    assert_eq!(plan.shadow_starts[&JobId(2)], ends_by);
    // Once the first began there is room for another.
    snapshot.apply(Change::Freed(ClusterId(1), AllocationId(1)));
    snapshot.apply(Change::Began(ClusterId(1), AllocationId(2), at(u64::from(HOUR))));
    assert_eq!(jobs(&planned(&snapshot)), [1, 2]);
}

#[test]
fn a_free_site_comes_before_waiting_at_a_full_one() {
    let idle = site("b", flavor("plain", 1_000, 1), 1, tres(8, 32, 0));
    let mut snapshot = full(8);
    snapshot.apply(Change::Inventory(ClusterId(2), Arc::new(idle)));
    add(&mut snapshot, (1..=2).map(|job| pending(job, &shape(1, tres(8, 1, 0), HOUR))));
    assert_eq!(clusters(&planned(&snapshot)), [2, 1]);
}

#[test]
fn nothing_passes_a_promise_in_a_sites_queue() {
    // The first waits for both nodes; what would fit before it does not go to the site's queue.
    let mut snapshot = full(1);
    add(&mut snapshot, [pending(1, &shape(2, tres(8, 1, 0), HOUR))]);
    add(&mut snapshot, [pending(2, &shape(2, tres(8, 1, 0), HOUR))]);
    add(&mut snapshot, [pending(3, &shape(1, tres(1, 1, 0), HOUR))]);
    let plan = planned(&snapshot);
    assert_eq!(jobs(&plan), [1]);
    assert_eq!(plan.shadow_starts[&JobId(2)], at(600 + u64::from(HOUR)));
}

#[test]
fn where_something_is_closed_nothing_waits() {
    let mut snapshot = full(2);
    let closure = Closure {
        id: ClosureId(1),
        kind: ClosureKind::Reservation,
        nodes: vec!["a01".to_owned()],
        from: at(700),
        until: at(900),
        reason: "course".to_owned(),
    };
    snapshot.apply(Change::Closed(ClusterId(1), closure));
    add(&mut snapshot, [pending(1, &shape(1, tres(8, 1, 0), 60))]);
    assert!(planned(&snapshot).placements.is_empty());
}

/// Begins what waits at its site, as a site does: in order, each once its nodes have room.
fn begin(snapshot: &mut Snapshot, limits: &BTreeMap<AllocationId, Seconds>, now: Timestamp) {
    let mut began = Vec::new();
    for (&cluster, view) in &snapshot.clusters {
        let mut room: Vec<_> = view.inventory.nodes.iter().map(|node| node.room()).collect();
        let amount = |running: &Running, node: u32| {
            running.amount_on(&view.inventory.nodes[node as usize].capacity)
        };
        let (on, waiting): (Vec<_>, Vec<_>) = view.running.iter().partition(|(_, one)| one.began);
        for (_, one) in on {
            for &node in &one.nodes {
                room[node as usize] = room[node as usize].less(&amount(one, node));
            }
        }
        for (&id, one) in waiting {
            let fits = one.nodes.iter().all(|&node| room[node as usize].covers(&amount(one, node)));
            for &node in &one.nodes {
                room[node as usize] = room[node as usize].less(&amount(one, node));
            }
            if fits {
                began.push((cluster, id, now.plus(limits[&id])));
            }
        }
    }
    for (cluster, id, ends_by) in began {
        snapshot.apply(Change::Began(cluster, id, ends_by));
    }
}

proptest! {
    /// Never more than the backlog waits at a site, and everything runs in the end.
    #[test]
    fn backlogs_stay_within_their_bound(
        sites in any_network(), jobs in any_jobs(), backlog in 0u32..5,
    ) {
        let sites = sites.into_iter().map(|site| with_backlog(site, backlog)).collect();
        let mut snapshot = network(sites);
        add(&mut snapshot, jobs.into_iter().map(|job| Pending { deadline: None, ..job }));
        let (mut now, mut next, mut limits) = (NOW, 0, BTreeMap::new());
        loop {
            let plan = plan(&snapshot, now, &policy());
            for (id, placement) in (next + 1..).zip(&plan.placements) {
                let limit = u64::from(placement.time_limit.seconds());
                limits.insert(AllocationId(id), Seconds(limit + placement.prediction.stage.0));
            }
            commit(&mut snapshot, &plan, now, &mut next);
            begin(&mut snapshot, &limits, now);
            snapshot.check();
            for view in snapshot.clusters.values() {
                let waiting = view.running.values().filter(|one| !one.began).count();
                prop_assert!(waiting <= backlog as usize, "{waiting} wait");
            }
            let Some(end) = next_end(&snapshot, now) else { break };
            now = end;
            finish(&mut snapshot, now);
            begin(&mut snapshot, &limits, now);
        }
        prop_assert!(snapshot.clusters.values().all(|view| view.running.is_empty()));
        let fits = |job: &Pending| !snapshot.shapes[&job.class()].offers.is_empty();
        prop_assert!(!snapshot.pending.values().any(fits), "what fits somewhere has run");
    }
}
