use crate::fixtures::{
    HOUR, NOW, add, at, flavor, link, network, partition, pending, policy, running, shape, site,
    take, tres, wall,
};
use crate::plan::{Plan, WaitingShape, plan};
use crate::policy::{AllRefused, Policy};
use crate::reason::{Predicate, WaitingFor};
use crate::snapshot::{Change, ClassKey, Contact, Pending, Snapshot};
use std::sync::Arc;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::{Goal, InputNeed, Shape, Sharing};
use suanpan_model::money::MicroCredits;
use suanpan_model::time::Seconds;

mod backlog;
mod closures;
mod links;
mod preemptions;
mod properties;
mod quotas;

/// Two sites: `fast` is twice as fast at four times the price of `slow`.
fn two_sites() -> Snapshot {
    network(vec![
        site("fast", flavor("quick", 2_000, 4), 2, tres(8, 32, 0)),
        site("slow", flavor("plain", 1_000, 1), 2, tres(8, 32, 0)),
    ])
}

fn one_site(nodes: u32) -> Snapshot {
    network(vec![site("a", flavor("plain", 1_000, 1), nodes, tres(8, 32, 0))])
}

fn with_goal(goal: Goal) -> Shape {
    Shape { goal, ..shape(1, tres(8, 1, 0), HOUR) }
}

fn planned(snapshot: &Snapshot) -> Plan {
    snapshot.check();
    plan(snapshot, NOW, &policy())
}

/// Clusters of the placements, in order.
fn clusters(plan: &Plan) -> Vec<u32> {
    plan.placements.iter().map(|placement| placement.cluster.0).collect()
}

fn reason(plan: &Plan, shape: &Shape) -> WaitingFor {
    told(plan, shape).reason
}

/// Why a shape waits, where there are no quotas.
fn told<'p>(plan: &'p Plan, shape: &Shape) -> &'p WaitingShape {
    let of = ClassKey { shape: Arc::new(shape.clone()), queue: None, program: None };
    plan.waiting.get(&of).expect("the shape waits")
}

#[test]
fn each_goal_chooses_its_site() {
    for (goal, cluster) in [(Goal::Fastest, 1), (Goal::Cheapest, 2)] {
        let mut snapshot = two_sites();
        add(&mut snapshot, [pending(1, &with_goal(goal))]);
        assert_eq!(clusters(&planned(&snapshot)), [cluster], "{goal:?}");
    }
}

#[test]
fn balanced_weighs_time_and_price_against_the_best() {
    // fast: time 1, price 4 * 1/1 = 4 -> 5; slow: time 2, price 1 -> 3.
    let mut snapshot = two_sites();
    add(&mut snapshot, [pending(1, &with_goal(Goal::Balanced))]);
    let plan = planned(&snapshot);
    assert_eq!(clusters(&plan), [2]);
    let candidates = &plan.explanations[0].candidates;
    assert_eq!(candidates.iter().map(|one| one.score).collect::<Vec<_>>(), [3_000, 5_000]);
}

#[test]
fn a_job_waits_for_the_better_offer_and_is_promised_it() {
    let mut snapshot = two_sites();
    take(&mut snapshot, 2, 1, running(&[0, 1], tres(8, 1, 0), at(20)));
    let cheap = with_goal(Goal::Cheapest);
    add(&mut snapshot, [pending(1, &cheap)]);
    let plan = planned(&snapshot);
    assert!(plan.placements.is_empty());
    assert_eq!(plan.shadow_starts[&JobId(1)], at(20));
    assert_eq!(reason(&plan, &cheap), WaitingFor::Resources);
    // Fastest: 20 s of waiting plus an hour is later than half an hour elsewhere.
    add(&mut snapshot, [pending(2, &with_goal(Goal::Fastest))]);
    assert_eq!(clusters(&planned(&snapshot)), [1]);
}

#[test]
fn fastest_counts_wait_staging_and_run() {
    let mut fast = site("fast", flavor("quick", 2_000, 4), 1, tres(8, 32, 0));
    // 3,600 s to bring 4.5 GB over 10 Mb/s: worse than half an hour saved.
    fast.links = vec![link("slow", 0, 10_000_000)];
    let slow = site("slow", flavor("plain", 1_000, 1), 1, tres(8, 32, 0));
    let mut snapshot = network(vec![fast, slow]);
    let inputs = vec![InputNeed { at: Some("slow".into()), bytes: 4_500_000_000, dataset: None }];
    add(&mut snapshot, [pending(1, &Shape { inputs, ..with_goal(Goal::Fastest) })]);
    let plan = planned(&snapshot);
    assert_eq!(clusters(&plan), [2]);
    let other = &plan.explanations[0].candidates[1];
    assert_eq!((other.stage, other.run), (Seconds(3_600), Seconds(1_800)));
}

#[test]
fn a_gang_starts_whole_or_not_at_all() {
    let mut snapshot = one_site(4);
    take(&mut snapshot, 1, 1, running(&[0, 2], tres(8, 1, 0), at(600)));
    let gang = shape(3, tres(8, 1, 0), HOUR);
    add(&mut snapshot, [pending(1, &gang)]);
    let plan = planned(&snapshot);
    assert!(plan.placements.is_empty());
    assert_eq!(plan.shadow_starts[&JobId(1)], at(600));
    // Two free nodes may be used until then, but not for longer.
    add(&mut snapshot, [pending(2, &shape(2, tres(8, 1, 0), HOUR))]);
    add(&mut snapshot, [pending(3, &shape(2, tres(8, 1, 0), 600))]);
    let plan = planned(&snapshot);
    let started: Vec<_> = plan.placements.iter().map(|one| (one.job.0, &one.nodes[..])).collect();
    assert_eq!(started, [(3, &[1, 3][..])]);
    assert_eq!(reason(&plan, &shape(2, tres(8, 1, 0), HOUR)), WaitingFor::Priority);
}

#[test]
fn nodes_are_chosen_by_size_or_best_fit_then_index() {
    let mut snapshot = one_site(4);
    take(&mut snapshot, 1, 1, running(&[2], tres(5, 1, 0), at(600)));
    add(&mut snapshot, [pending(1, &shape(1, tres(2, 1, 0), 60))]);
    add(&mut snapshot, [pending(2, &shape(2, tres(4, 1, 0), 60))]);
    // Within the depth, the smallest nodes; beyond it, the nodes with least left.
    assert_eq!(planned(&snapshot).placements[0].nodes, [0]);
    let plan = super::plan(&snapshot, NOW, &Policy { reservation_depth: 0, ..policy() });
    assert_eq!(plan.placements[0].nodes, [2]);
    assert_eq!(plan.placements[1].nodes, [0, 1]);
}

#[test]
fn an_exclusive_job_takes_whole_nodes_and_pays_for_them() {
    let mut snapshot = one_site(2);
    take(&mut snapshot, 1, 1, running(&[0], tres(1, 1, 0), at(600)));
    let alone = Shape { sharing: Sharing::Exclusive, ..shape(1, tres(1, 1, 0), HOUR) };
    add(&mut snapshot, [pending(1, &alone), pending(2, &alone)]);
    add(&mut snapshot, [pending(3, &shape(1, tres(4, 1, 0), HOUR))]);
    let plan = planned(&snapshot);
    assert_eq!(plan.placements[0].nodes, [1]);
    assert_eq!(plan.placements[0].prediction.cost, MicroCredits(80_000));
    // Job 2 is promised node 0 at 600 s; job 3 would still hold it then.
    assert_eq!(plan.placements.len(), 1);
    assert_eq!(plan.shadow_starts[&JobId(2)], at(600));
    // What runs exclusively leaves nothing, whatever amount it asked.
    let whole = crate::snapshot::Running {
        sharing: Sharing::Exclusive,
        ..running(&[1], tres(1, 1, 0), at(600))
    };
    take(&mut snapshot, 1, 2, whole);
    snapshot.check();
    assert_eq!(snapshot.clusters[&ClusterId(1)].free[1], tres(0, 0, 0));
}

#[test]
fn a_node_in_two_partitions_is_taken_once() {
    let mut inventory = site("a", flavor("plain", 1_000, 1), 1, tres(8, 32, 0));
    inventory.partitions.push(partition("other", vec![0]));
    let mut snapshot = network(vec![inventory]);
    let in_partition =
        |name: &str| Shape { partitions: vec![name.to_owned()], ..shape(1, tres(8, 1, 0), HOUR) };
    add(&mut snapshot, [pending(1, &in_partition("other")), pending(2, &in_partition("main"))]);
    let plan = planned(&snapshot);
    assert_eq!(plan.placements.len(), 1);
    assert_eq!((plan.placements[0].job.0, plan.placements[0].partition), (1, 1));
    assert_eq!(plan.shadow_starts[&JobId(2)], at(u64::from(HOUR)));
}

#[test]
fn an_array_starts_as_many_ready_tasks_as_fit() {
    let mut snapshot = one_site(2);
    let task = shape(1, tres(2, 1, 0), HOUR);
    add(&mut snapshot, [Pending { ready: 100, ..pending(1, &task) }]);
    let plan = planned(&snapshot);
    assert_eq!(plan.placements.len(), 8);
    assert_eq!(plan.explanations.len(), 1, "tasks share an explanation");
    assert_eq!(plan.shadow_starts[&JobId(1)], at(u64::from(HOUR)));
    let few = Policy { starts_max: 3, ..policy() };
    let short = super::plan(&snapshot, NOW, &few);
    assert_eq!(short.placements.len(), 3);
    assert_eq!(reason(&short, &task), WaitingFor::Priority);
}

#[test]
fn a_job_before_its_begin_time_says_so() {
    let mut snapshot = one_site(1);
    let small = shape(1, tres(1, 1, 0), HOUR);
    add(&mut snapshot, [Pending { begin: Some(at(1)), ..pending(1, &small) }]);
    add(&mut snapshot, [Pending { begin: Some(NOW), ..pending(2, &small) }]);
    let plan = planned(&snapshot);
    assert_eq!(plan.waiting_jobs[&JobId(1)], WaitingFor::BeginTime);
    assert_eq!(plan.placements[0].job, JobId(2));
}

#[test]
fn a_deadline_rules_out_offers_that_end_later() {
    let mut snapshot = two_sites();
    let cheap = with_goal(Goal::Cheapest);
    add(&mut snapshot, [Pending { deadline: Some(at(2_000)), ..pending(1, &cheap) }]);
    add(&mut snapshot, [Pending { deadline: Some(at(1_799)), ..pending(2, &cheap) }]);
    let plan = planned(&snapshot);
    assert_eq!(clusters(&plan), [1]);
    assert_eq!(plan.waiting_jobs[&JobId(2)], WaitingFor::Deadline);
    let late = &plan.explanations[0].unfit[0];
    assert_eq!(late.predicate, Predicate::Deadline);
    assert_eq!(late.there, "in 01:00:00 at the earliest");
}

#[test]
fn a_cluster_that_refused_is_skipped_while_others_remain() {
    let mut snapshot = two_sites();
    let cheap = with_goal(Goal::Cheapest);
    let refused = |job, by: &[u32]| Pending {
        refused_by: by.iter().map(|&id| ClusterId(id)).collect(),
        ..pending(job, &cheap)
    };
    add(&mut snapshot, [refused(1, &[2]), refused(2, &[1, 2])]);
    let plan = planned(&snapshot);
    assert_eq!(clusters(&plan), [1]);
    assert_eq!(plan.explanations[0].unfit[0].predicate, Predicate::Refused);
    assert_eq!(plan.waiting_jobs[&JobId(2)], WaitingFor::SiteRefused);
    let again = Policy { all_refused: AllRefused::TryAgain, ..policy() };
    assert_eq!(clusters(&super::plan(&snapshot, NOW, &again)), [1, 2]);
}

#[test]
fn a_silent_cluster_is_possible_but_not_now() {
    let mut snapshot = one_site(1);
    let small = shape(1, tres(1, 1, 0), HOUR);
    add(&mut snapshot, [pending(1, &small)]);
    snapshot.apply(Change::Contact(ClusterId(1), Contact::Silent));
    let plan = planned(&snapshot);
    assert_eq!(reason(&plan, &small), WaitingFor::SiteUnreachable);
    assert_eq!(told(&plan, &small).explanation.unfit[0].predicate, Predicate::Reachable);
    assert_eq!(snapshot.catalog.possible(&small), Ok(()));
}

#[test]
fn what_fits_nowhere_says_so() {
    let mut snapshot = one_site(1);
    let large = shape(1, tres(64, 1, 0), HOUR);
    let dear = Shape { budget: Some(MicroCredits(1)), ..shape(1, tres(1, 1, 0), HOUR) };
    add(&mut snapshot, [pending(1, &large), pending(2, &dear)]);
    let plan = planned(&snapshot);
    assert_eq!(reason(&plan, &large), WaitingFor::NoSiteFits);
    assert_eq!(reason(&plan, &dear), WaitingFor::Budget);
}

#[test]
fn an_allocation_past_its_limit_still_holds_its_nodes() {
    let mut snapshot = one_site(1);
    take(&mut snapshot, 1, 1, running(&[0], tres(8, 1, 0), at(0)));
    add(&mut snapshot, [pending(1, &shape(1, tres(8, 1, 0), HOUR))]);
    let plan = planned(&snapshot);
    assert!(plan.placements.is_empty());
    assert_eq!(plan.shadow_starts[&JobId(1)], at(60));
}

#[test]
fn beyond_the_depth_nothing_is_promised_but_promises_hold() {
    let mut snapshot = one_site(1);
    take(&mut snapshot, 1, 1, running(&[0], tres(4, 1, 0), at(600)));
    let whole = shape(1, tres(8, 1, 0), HOUR);
    let half = |seconds| shape(1, tres(4, 1, 0), seconds);
    add(&mut snapshot, [pending(1, &whole), pending(2, &whole)]);
    add(&mut snapshot, [pending(3, &half(HOUR)), pending(4, &half(600))]);
    let shallow = Policy { reservation_depth: 1, ..policy() };
    let plan = super::plan(&snapshot, NOW, &shallow);
    assert_eq!(plan.shadow_starts.len(), 1);
    assert_eq!(plan.placements.iter().map(|one| one.job.0).collect::<Vec<_>>(), [4]);
    assert_eq!(reason(&plan, &half(HOUR)), WaitingFor::Priority);
    assert_eq!(plan.placements[0].time_limit, wall(600));
}

#[test]
fn the_order_of_flavors_decides_between_equals() {
    let sites = || {
        vec![
            site("a", flavor("one", 1_000, 1), 1, tres(8, 32, 0)),
            site("b", flavor("two", 1_000, 1), 1, tres(8, 32, 0)),
        ]
    };
    for goal in [Goal::Fastest, Goal::Cheapest, Goal::Balanced] {
        let mut snapshot = network(sites());
        let flavors = vec!["two".to_owned(), "one".to_owned()];
        add(&mut snapshot, [pending(1, &Shape { flavors, ..with_goal(goal) })]);
        assert_eq!(clusters(&planned(&snapshot)), [2], "{goal:?}");
    }
}
