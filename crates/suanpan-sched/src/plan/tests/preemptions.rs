//! Jobs that may stop others.

use super::{one_site, planned};
use crate::fixtures::{HOUR, NOW, add, at, pending, policy, running, shape, take, tres};
use crate::plan::plan;
use crate::policy::Policy;
use crate::snapshot::{Change, Ending, Pending, Preemptible, Running, Snapshot};
use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq};
use proptest::proptest;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::time::Timestamp;

fn low(nodes: &[u32], cpus: u32, priority: u32, since: i64) -> Running {
    let preemptible = Preemptible {
        qos: format!("q{priority}"),
        priority,
        since: Timestamp(since),
        not_before: NOW,
    };
    let running = running(nodes, tres(cpus, 1, 0), at(3_600));
    Running { preemptible: Some(preemptible), ..running }
}

/// A job that may stop the QOSs `q0` to `q2`.
fn urgent(job: u64, nodes: u32, cpus: u32) -> Pending {
    Pending {
        may_preempt: ["q0", "q1", "q2"].map(str::to_owned).to_vec(),
        qos_priority: 9,
        ..pending(job, &shape(nodes, tres(cpus, 1, 0), HOUR))
    }
}

/// Numbers of the allocations that are stopped, and for which job.
fn stopped(snapshot: &Snapshot) -> Vec<(u64, u64)> {
    let plan = planned(snapshot);
    plan.preemptions.iter().map(|one| (one.allocation.0, one.by.0)).collect()
}

#[test]
fn the_lowest_and_youngest_are_stopped_and_no_more_than_needed() {
    let mut snapshot = one_site(1);
    take(&mut snapshot, 1, 1, low(&[0], 2, 1, 10));
    take(&mut snapshot, 1, 2, low(&[0], 2, 0, 10));
    take(&mut snapshot, 1, 3, low(&[0], 2, 1, 20));
    take(&mut snapshot, 1, 4, low(&[0], 2, 5, 30));
    add(&mut snapshot, [urgent(1, 1, 2)]);
    assert_eq!(stopped(&snapshot), [(2, 1)], "the lowest");
    add(&mut snapshot, [urgent(1, 1, 4)]);
    assert_eq!(stopped(&snapshot), [(2, 1), (3, 1)], "then the youngest");
    add(&mut snapshot, [urgent(1, 1, 8)]);
    assert_eq!(stopped(&snapshot), [], "one of them is not its to stop");
    snapshot.apply(Change::Freed(ClusterId(1), AllocationId(2)));
    add(&mut snapshot, [urgent(1, 1, 2)]);
    assert_eq!(stopped(&snapshot), [], "it fits without");
    assert_eq!(planned(&snapshot).placements.len(), 1);
}

#[test]
fn a_small_one_is_spared_where_a_large_one_has_to_go() {
    let mut snapshot = one_site(1);
    take(&mut snapshot, 1, 1, low(&[0], 1, 0, 10));
    take(&mut snapshot, 1, 2, low(&[0], 7, 1, 10));
    add(&mut snapshot, [urgent(1, 1, 6)]);
    assert_eq!(stopped(&snapshot), [(2, 1)]);
}

#[test]
fn nothing_is_stopped_twice_for_one_start() {
    let mut snapshot = one_site(2);
    take(&mut snapshot, 1, 1, low(&[0], 8, 0, 10));
    take(&mut snapshot, 1, 2, low(&[1], 8, 0, 20));
    add(&mut snapshot, [urgent(1, 1, 8), urgent(2, 1, 8), urgent(3, 1, 8)]);
    assert_eq!(stopped(&snapshot), [(2, 1), (1, 2)], "one for each");
    let stopping = Running { ending: Ending::Stopping, ..low(&[1], 8, 0, 20) };
    take(&mut snapshot, 1, 2, stopping);
    assert_eq!(stopped(&snapshot), [(1, 2)], "the first waits for what is ending");
}

#[test]
fn a_gang_frees_whole_nodes_and_what_is_protected_stays() {
    let mut snapshot = one_site(3);
    take(&mut snapshot, 1, 1, low(&[0, 1], 8, 0, 10));
    take(&mut snapshot, 1, 2, low(&[2], 8, 1, 10));
    add(&mut snapshot, [urgent(1, 2, 8)]);
    assert_eq!(stopped(&snapshot), [(1, 1)]);
    let mut young = low(&[0, 1], 8, 0, 10);
    young.preemptible.as_mut().expect("it is preemptible").not_before = at(60);
    take(&mut snapshot, 1, 1, young);
    assert_eq!(stopped(&snapshot), [], "its time in peace is not over");
    let off = Policy { preemptions_max: 0, ..policy() };
    take(&mut snapshot, 1, 1, low(&[0, 1], 8, 0, 10));
    assert!(plan(&snapshot, NOW, &off).preemptions.is_empty());
}

fn any_running() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    prop::collection::vec((0u32..3, 1u32..5, 0u32..4), 0..8)
}

proptest! {
    /// Whatever runs: what is stopped may be, none of it could be left out, and the job then
    /// starts at once.
    #[test]
    fn what_is_stopped_is_needed_and_enough(all in any_running(), nodes in 1u32..4, cpus in 1u32..9) {
        let mut snapshot = one_site(3);
        for (id, (node, cpus, priority)) in (1..).zip(&all) {
            if snapshot.clusters[&ClusterId(1)].free[*node as usize].cpus >= *cpus {
                take(&mut snapshot, 1, id, low(&[*node], *cpus, *priority, id as i64));
            }
        }
        add(&mut snapshot, [urgent(1, nodes, cpus)]);
        let before = plan(&snapshot, NOW, &policy());
        let stops: Vec<AllocationId> =
            before.preemptions.iter().map(|one| one.allocation).collect();
        prop_assert!(before.placements.is_empty() || stops.is_empty());
        for spared in stops.iter().map(Some).chain([None]).filter(|_| !stops.is_empty()) {
            let mut then = snapshot.clone();
            for &id in stops.iter().filter(|id| Some(*id) != spared) {
                let rank = then.clusters[&ClusterId(1)].running[&id].preemptible.clone();
                prop_assert!(rank.expect("only preemptible ones are stopped").priority < 3);
                then.apply(Change::Freed(ClusterId(1), id));
            }
            let starts = plan(&then, NOW, &policy()).placements;
            prop_assert_eq!(starts.len(), usize::from(spared.is_none()), "{:?}", spared);
            prop_assert!(starts.iter().all(|start| start.job == JobId(1)));
        }
    }
}
