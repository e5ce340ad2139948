use crate::fixtures::{
    HOUR, NOW, add, at, flavor, measured, network, pending, running, shape, site, take, tres,
};
use crate::snapshot::{
    Change, Closure, ClosureId, ClosureKind, Contact, DatasetView, Pending, Snapshot,
};
use proptest::prelude::{Strategy, prop, prop_assert_eq, prop_oneof};
use proptest::proptest;
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId, DatasetId, JobId};
use suanpan_model::job::{InputNeed, Shape};

fn one_site() -> Snapshot {
    network(vec![site("a", flavor("f", 1_000, 1), 2, tres(8, 32, 1))])
}

#[test]
fn free_amounts_follow_what_runs() {
    let mut snapshot = one_site();
    take(&mut snapshot, 1, 1, running(&[0, 1], tres(2, 4, 0), at(9)));
    take(&mut snapshot, 1, 2, running(&[1], tres(1, 4, 1), at(5)));
    let free = |snapshot: &Snapshot| snapshot.clusters[&ClusterId(1)].free.clone();
    assert_eq!(free(&snapshot), [tres(6, 28, 1), tres(5, 24, 0)]);
    snapshot.apply(Change::Began(ClusterId(1), AllocationId(1), at(1)));
    snapshot.check();
    snapshot.apply(Change::Freed(ClusterId(1), AllocationId(1)));
    snapshot.apply(Change::Freed(ClusterId(1), AllocationId(1)));
    assert_eq!(free(&snapshot), [tres(8, 32, 1), tres(7, 28, 0)]);
    snapshot.check();
}

#[test]
fn a_smaller_inventory_leaves_allocations_where_they_are() {
    let mut snapshot = one_site();
    take(&mut snapshot, 1, 1, running(&[0, 1], tres(6, 4, 0), at(9)));
    let smaller = site("a", flavor("f", 1_000, 1), 1, tres(4, 32, 0));
    snapshot.apply(Change::Inventory(ClusterId(1), Arc::new(smaller)));
    snapshot.check();
    assert_eq!(snapshot.clusters[&ClusterId(1)].free, [tres(0, 28, 0)]);
    snapshot.apply(Change::Freed(ClusterId(1), AllocationId(1)));
    assert_eq!(snapshot.clusters[&ClusterId(1)].free, [tres(4, 32, 0)]);
}

#[test]
fn equal_shapes_share_one_class() {
    let mut snapshot = one_site();
    add(&mut snapshot, (1..=3).map(|id| pending(id, &shape(1, tres(1, 1, 0), HOUR))));
    assert_eq!(snapshot.shapes.len(), 1);
    let first = &snapshot.pending[&snapshot.keys[&JobId(1)]].shape;
    assert!(Arc::ptr_eq(first, &snapshot.pending[&snapshot.keys[&JobId(3)]].shape));
    for id in 1..=3 {
        snapshot.apply(Change::NotPending(JobId(id)));
        snapshot.check();
    }
    assert!(snapshot.shapes.is_empty());
}

fn any_change() -> impl Strategy<Value = Change> {
    let cluster = (1u32..3).prop_map(ClusterId);
    let allocation = (0u64..4).prop_map(AllocationId);
    let job = (1u64..6, 0i64..2, 0u32..3, 1u32..3, prop::option::of(0u64..9));
    prop_oneof![
        1 => (cluster.clone(), 1u32..4).prop_map(|(id, nodes)| {
            let name = format!("s{id}");
            Change::Inventory(id, Arc::new(site(&name, flavor("f", 1_000, 1), nodes, tres(4, 8, 0))))
        }),
        1 => cluster.clone().prop_map(|id| Change::Contact(id, Contact::Silent)),
        2 => job.prop_map(|(id, priority, ready, cpus, begin)| {
            let needed = (cpus == 2).then_some(DatasetId(1));
            let input = InputNeed { at: None, bytes: 2, dataset: needed };
            let inputs = needed.map(|_| input).into_iter().collect();
            Change::Pending(Pending {
                priority,
                ready,
                begin: begin.map(at),
                may_preempt: (begin == Some(0)).then(|| "low".to_owned()).into_iter().collect(),
                ..pending(id, &Shape { inputs, ..shape(1, tres(cpus, 1, 0), HOUR) })
            })
        }),
        1 => (1u64..6).prop_map(|id| Change::NotPending(JobId(id))),
        2 => (cluster.clone(), allocation.clone(), 0u32..4, 1u32..5).prop_map(|(id, a, node, cpus)| {
            Change::Took(id, a, running(&[node], tres(cpus, 1, 0), NOW))
        }),
        1 => (cluster.clone(), allocation.clone()).prop_map(|(id, a)| Change::Began(id, a, at(7))),
        1 => (cluster.clone(), allocation).prop_map(|(id, a)| Change::Freed(id, a)),
        1 => (cluster.clone(), 0u64..3, 1u32..4).prop_map(|(id, closure, node)| {
            Change::Closed(id, Closure {
                id: ClosureId(closure),
                kind: ClosureKind::Drain,
                nodes: vec![format!("s{id}{node:02}")],
                from: NOW,
                until: at(9),
                reason: String::new(),
            })
        }),
        1 => (cluster, 0u64..3).prop_map(|(id, closure)| Change::Opened(id, ClosureId(closure))),
        1 => (0u64..3).prop_map(|mbit| Change::Links(measured(&[("s1", "s2", mbit)]))),
        1 => (0u64..3).prop_map(|mbit| {
            let ends = ("s2".to_owned(), "s1".to_owned());
            Change::Limits(BTreeMap::from([(ends, mbit * 1_000_000)]))
        }),
        1 => prop::option::of((0u64..3, 0u64..3)).prop_map(|present| {
            let view = present.map(|(one, other)| DatasetView {
                bytes: 2,
                present: BTreeMap::from([("s1".to_owned(), one), ("s2".to_owned(), other)]),
            });
            Change::Dataset(DatasetId(1), view)
        }),
    ]
}

proptest! {
    #[test]
    fn any_changes_in_any_order_keep_the_invariants(
        changes in prop::collection::vec(any_change(), 0..40),
    ) {
        let mut snapshot = Snapshot::default();
        for change in changes {
            snapshot.apply(change.clone());
            snapshot.check();
            let once = snapshot.clone();
            snapshot.apply(change);
            prop_assert_eq!(&once, &snapshot, "a change folded twice is a change folded once");
        }
    }
}
