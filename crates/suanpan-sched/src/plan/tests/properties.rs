//! Properties of every plan, over generated networks and queues.

use crate::fit::amount_on;
use crate::fixtures::{NOW, add, at, flavor, network, partition, pending, shape, site, tres};
use crate::plan::{Placement, Plan, plan};
use crate::policy::Policy;
use crate::snapshot::{
    Change, Closure, ClosureId, ClosureKind, Ending, Pending, Running, Snapshot,
};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::{prop_compose, proptest};
use std::collections::BTreeMap;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{Goal, Shape, Sharing};
use suanpan_model::site::Inventory;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

prop_compose! {
    fn any_site()(
        sizes in prop::collection::vec((1u32..9, 0u32..3), 1..6),
        speed in prop_oneof![Just(500u32), Just(1_000), Just(2_000)],
        cents in 0i64..5,
        split in any::<bool>(),
    ) -> Inventory {
        let count = sizes.len() as u32;
        let mut made = site("s", flavor("f", speed, cents), count, tres(1, 16, 0));
        for (node, (cpus, gpus)) in made.nodes.iter_mut().zip(sizes) {
            node.capacity = tres(cpus, 16, gpus);
        }
        if split {
            made.partitions.push(partition("half", (0..count.div_ceil(2)).collect()));
        }
        made
    }
}

pub(super) fn any_network() -> impl Strategy<Value = Vec<Inventory>> {
    prop::collection::vec(any_site(), 1..4).prop_map(|mut sites| {
        for (number, site) in sites.iter_mut().enumerate() {
            site.site = format!("s{number}");
            site.cluster = format!("s{number}");
        }
        sites
    })
}

prop_compose! {
    fn any_shape()(
        nodes in prop_oneof![3 => Just(1u32), 1 => 2u32..4],
        cpus in 1u32..6,
        gpus in prop_oneof![3 => Just(0u32), 1 => Just(1u32)],
        minutes in 1u32..20,
        goal in prop_oneof![Just(Goal::Fastest), Just(Goal::Cheapest), Just(Goal::Balanced)],
        exclusive in prop::bool::weighted(0.15),
    ) -> Shape {
        let sharing = if exclusive { Sharing::Exclusive } else { Sharing::Shared };
        Shape { goal, sharing, ..shape(nodes, tres(cpus, 1, gpus), minutes * 60) }
    }
}

pub(super) fn any_jobs() -> impl Strategy<Value = Vec<Pending>> {
    let deadline = prop::option::weighted(0.15, 60u64..3_000);
    let may_use = prop::option::weighted(0.2, prop::collection::btree_set(0u64..4, 1..3));
    let one = (any_shape(), 0i64..3, 1u32..4, deadline, may_use);
    prop::collection::vec(one, 1..25).prop_map(|jobs| {
        (1..)
            .zip(jobs)
            .map(|(id, (shape, priority, ready, deadline, may_use))| Pending {
                priority,
                ready,
                deadline: deadline.map(at),
                may_use: may_use.into_iter().flatten().map(ClosureId).collect(),
                ..pending(id, &shape)
            })
            .collect()
    })
}

/// Up to four drains and reservations, by cluster.
fn any_closures() -> impl Strategy<Value = Vec<(ClusterId, Closure)>> {
    let one = (1u32..4, 1u32..6, 0u64..1_800, prop::option::of(60u64..1_800));
    prop::collection::vec(one, 0..4).prop_map(|all| {
        (0..)
            .zip(all)
            .map(|(id, (cluster, nodes, from, length))| {
                let closure = Closure {
                    id: ClosureId(id),
                    kind: ClosureKind::Reservation,
                    nodes: (1..=nodes).map(|node| format!("s{node:02}")).collect(),
                    from: at(from),
                    until: length.map_or(Timestamp::MAX, |length| at(from + length)),
                    reason: "course".to_owned(),
                };
                (ClusterId(cluster), closure)
            })
            .collect()
    })
}

fn close(snapshot: &mut Snapshot, closures: Vec<(ClusterId, Closure)>) {
    for (cluster, closure) in closures {
        snapshot.apply(Change::Closed(cluster, closure));
    }
}

/// No placement holds a node while it is closed for its job.
fn keeps_out_of_closures(snapshot: &Snapshot, placement: &Placement, now: Timestamp) -> bool {
    let view = &snapshot.clusters[&placement.cluster];
    let may_use = &snapshot.pending[&snapshot.keys[&placement.job]].may_use;
    let until = occupied_until(placement, now);
    let nodes = placement.nodes.iter().map(|node| &view.inventory.nodes[*node as usize].name);
    view.closures.values().all(|closure| {
        may_use.contains(&closure.id)
            || closure.from >= until
            || closure.until <= now
            || nodes.clone().all(|name| !closure.nodes.contains(name))
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(0u32), Just(3), Just(1_000)]
        .prop_map(|reservation_depth| Policy { reservation_depth, ..Policy::default() })
}

fn occupied_until(placement: &Placement, now: Timestamp) -> Timestamp {
    let limit = u64::from(placement.time_limit.seconds());
    now.max(placement.prediction.start_latest).plus(Seconds(placement.prediction.stage.0 + limit))
}

/// Takes a plan's placements into the snapshot as the engine would.
pub(super) fn commit(snapshot: &mut Snapshot, plan: &Plan, now: Timestamp, next: &mut u64) {
    for placement in &plan.placements {
        let key = snapshot.keys[&placement.job];
        let job = snapshot.pending[&key].clone();
        let running = Running {
            nodes: placement.nodes.clone(),
            per_node: job.shape.per_node,
            sharing: job.shape.sharing,
            ends_by: occupied_until(placement, now),
            ending: Ending::AtLimit,
            preemptible: None,
            began: placement.prediction.start_latest <= now,
            held: None,
        };
        *next += 1;
        snapshot.apply(Change::Took(placement.cluster, AllocationId(*next), running));
        snapshot.apply(Change::Pending(Pending { ready: job.ready - 1, ..job }));
    }
}

/// Frees what has reached its end.
pub(super) fn finish(snapshot: &mut Snapshot, now: Timestamp) {
    let ended: Vec<(ClusterId, AllocationId)> = snapshot
        .clusters
        .iter()
        .flat_map(|(&cluster, view)| {
            let over = view.running.iter().filter(|(_, running)| running.ends_by <= now);
            over.map(move |(&allocation, _)| (cluster, allocation))
        })
        .collect();
    for (cluster, allocation) in ended {
        snapshot.apply(Change::Freed(cluster, allocation));
    }
}

/// The next time at which something ends or is opened.
pub(super) fn next_end(snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let views = snapshot.clusters.values();
    let ends = views.flat_map(|view| {
        let opened = view.closures.values().map(|closure| closure.until);
        view.running.values().map(|running| running.ends_by).chain(opened)
    });
    ends.filter(|end| *end > now && *end < Timestamp::MAX).min()
}

/// Amounts taken on each node by a plan, with gangs checked to be whole.
fn taken(snapshot: &Snapshot, plan: &Plan) -> BTreeMap<(ClusterId, u32), Vec<Tres>> {
    let mut taken: BTreeMap<(ClusterId, u32), Vec<Tres>> = BTreeMap::new();
    for placement in &plan.placements {
        let shape = &snapshot.pending[&snapshot.keys[&placement.job]].shape;
        let view = &snapshot.clusters[&placement.cluster];
        let mut nodes = placement.nodes.clone();
        nodes.sort_unstable();
        nodes.dedup();
        assert_eq!(nodes.len(), shape.nodes as usize, "a gang is whole, on different nodes");
        for node in nodes {
            let partition = &view.inventory.partitions[usize::from(placement.partition)];
            assert!(partition.nodes.contains(&node), "nodes are of the partition");
            let capacity = &view.inventory.nodes[node as usize].capacity;
            taken.entry((placement.cluster, node)).or_default().push(amount_on(shape, capacity));
        }
    }
    taken
}

proptest! {
    #[test]
    fn no_node_is_ever_over_allocated(
        sites in any_network(), jobs in any_jobs(), policy in any_policy(),
        closures in any_closures(),
    ) {
        let mut snapshot = network(sites);
        add(&mut snapshot, jobs);
        close(&mut snapshot, closures);
        let (mut now, mut next) = (NOW, 0);
        for _ in 0..40 {
            let plan = plan(&snapshot, now, &policy);
            for ((cluster, node), amounts) in taken(&snapshot, &plan) {
                let mut left = Some(snapshot.clusters[&cluster].free[node as usize]);
                for amount in amounts {
                    left = left.and_then(|left| left.checked_sub(&amount));
                }
                prop_assert!(left.is_some(), "node {node} of {cluster} is over-allocated");
            }
            for placement in &plan.placements {
                prop_assert!(keeps_out_of_closures(&snapshot, placement, now), "{placement:?}");
            }
            commit(&mut snapshot, &plan, now, &mut next);
            snapshot.check();
            let Some(end) = next_end(&snapshot, now) else { break };
            now = end;
            finish(&mut snapshot, now);
        }
    }

    #[test]
    fn every_pending_job_is_placed_or_has_a_reason(
        sites in any_network(), jobs in any_jobs(), policy in any_policy(),
        closures in any_closures(),
    ) {
        let mut snapshot = network(sites);
        close(&mut snapshot, closures);
        add(&mut snapshot, jobs.into_iter().map(|job| match job.job.0 % 7 {
            0 => Pending { begin: Some(at(1)), ..job },
            1 => Pending { refused_by: vec![ClusterId(1)], ..job },
            _ => job,
        }));
        let plan = plan(&snapshot, NOW, &policy);
        let mut started: BTreeMap<JobId, u32> = BTreeMap::new();
        for placement in &plan.placements {
            *started.entry(placement.job).or_default() += 1;
            prop_assert!((placement.explanation as usize) < plan.explanations.len());
            let told = &plan.explanations[placement.explanation as usize].candidates[0];
            prop_assert_eq!(told.cluster, placement.cluster);
            prop_assert_eq!(told.start, NOW);
        }
        for pending in snapshot.pending.values() {
            let all = started.get(&pending.job) == Some(&pending.ready);
            let told = plan.waiting.contains_key(&pending.class())
                || plan.waiting_jobs.contains_key(&pending.job);
            prop_assert!(all || told, "job {} has neither", pending.job);
        }
    }

    #[test]
    fn the_same_snapshot_gives_the_same_plan(
        sites in any_network(), jobs in any_jobs(), policy in any_policy(),
    ) {
        let mut snapshot = network(sites.clone());
        add(&mut snapshot, jobs.clone());
        let mut other = network(sites);
        add(&mut other, jobs.into_iter().rev());
        let first = plan(&snapshot, NOW, &policy);
        prop_assert_eq!(&first, &plan(&snapshot, NOW, &policy));
        prop_assert_eq!(&first, &plan(&other, NOW, &policy));
    }

    #[test]
    fn shadow_starts_are_met_or_beaten(
        sites in any_network(), jobs in any_jobs(), policy in any_policy(),
        closures in any_closures(),
    ) {
        let mut snapshot = network(sites);
        add(&mut snapshot, jobs);
        close(&mut snapshot, closures);
        let (mut now, mut next) = (NOW, 0);
        let mut promised: BTreeMap<JobId, Timestamp> = BTreeMap::new();
        for _ in 0..60 {
            let plan = plan(&snapshot, now, &policy);
            let ready: BTreeMap<JobId, u32> =
                snapshot.pending.values().map(|job| (job.job, job.ready)).collect();
            for placement in &plan.placements {
                if let Some(by) = promised.remove(&placement.job) {
                    prop_assert!(now <= by, "job {} starts late", placement.job);
                }
            }
            for (job, start) in &plan.shadow_starts {
                if let Some(by) = promised.insert(*job, *start) {
                    prop_assert!(*start <= by, "job {job} ({:?} ready) slips", ready[job]);
                }
            }
            for (job, by) in &promised {
                prop_assert!(now <= *by, "job {job} was forgotten");
            }
            commit(&mut snapshot, &plan, now, &mut next);
            let Some(end) = next_end(&snapshot, now) else { break };
            now = end;
            finish(&mut snapshot, now);
        }
    }
}
