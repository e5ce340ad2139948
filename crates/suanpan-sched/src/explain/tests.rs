use crate::explain::{Effect, Tweak, candidates, outlook, remedies, what_if};
use crate::fixtures::{
    HOUR, NOW, add, at, flavor, network, pending, policy, running, shape, site, take, tres,
};
use crate::plan::plan;
use crate::reason::{Predicate, WaitingFor};
use crate::snapshot::{Change, Contact, Pending, Snapshot};
use proptest::prelude::{any, prop_assert, prop_assert_eq};
use proptest::proptest;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::{Goal, Shape, Sharing};
use suanpan_model::money::MicroCredits;

fn two_sites() -> Snapshot {
    network(vec![
        site("fast", flavor("quick", 2_000, 4), 2, tres(8, 32, 0)),
        site("slow", flavor("plain", 1_000, 1), 4, tres(4, 16, 1)),
    ])
}

fn advice(snapshot: &Snapshot, shape: &Shape) -> Vec<String> {
    let found = remedies(&snapshot.catalog, shape);
    let text = |one: &Tweak| one.to_string();
    found.iter().map(|one| one.changes.iter().map(text).collect::<Vec<_>>().join("; ")).collect()
}

#[test]
fn the_smallest_change_is_computed() {
    let snapshot = two_sites();
    let table: [(Shape, &str); 8] = [
        (shape(1, tres(10, 1, 0), 60), "ask at most 8 CPUs per node"),
        (shape(1, tres(8, 1, 1), 60), "ask at most 4 CPUs per node"),
        (shape(1, tres(1, 64, 0), 60), "ask at most 32G of memory per node"),
        (shape(5, tres(1, 1, 0), 60), "ask at most 4 nodes"),
        (shape(1, tres(1, 1, 0), 48 * HOUR), "ask a time of at most 1-00:00:00"),
        (
            Shape { budget: Some(MicroCredits(5_000)), ..shape(1, tres(1, 1, 0), HOUR) },
            "raise the budget to 0.01",
        ),
        (Shape { sites: vec!["mars".into()], ..shape(1, tres(1, 1, 0), HOUR) }, "allow site fast"),
        (
            Shape { features: vec!["ib".into()], ..shape(1, tres(1, 1, 0), HOUR) },
            "do without feature ib",
        ),
    ];
    for (shape, expected) in table {
        assert!(snapshot.catalog.possible(&shape).is_err());
        assert_eq!(advice(&snapshot, &shape)[0], expected);
    }
    // Two things wrong at once.
    let both = shape(1, tres(10, 1, 0), 48 * HOUR);
    let expected = "ask at most 8 CPUs per node; ask a time of at most 1-00:00:00";
    assert_eq!(advice(&snapshot, &both)[0], expected);
    assert_eq!(advice(&snapshot, &shape(1, tres(1, 1, 0), 60)), Vec::<String>::new());
}

#[test]
fn the_step_table_counts_sites() {
    let mut snapshot = two_sites();
    take(&mut snapshot, 2, 1, running(&[0, 1, 2, 3], tres(4, 1, 0), at(600)));
    let with_gpu = shape(1, tres(2, 1, 1), HOUR);
    add(&mut snapshot, [pending(1, &with_gpu)]);
    let told = what_if(&snapshot, NOW, &policy(), JobId(1)).expect("it is pending");
    let steps: Vec<(&str, u32)> =
        told.steps.iter().map(|step| (step.condition.as_str(), step.sites)).collect();
    assert_eq!(
        steps,
        [
            ("a default partition", 2),
            ("2 CPUs on a node", 2),
            ("1G of memory on a node", 2),
            ("1 GPU on a node", 1),
            ("1 node that large", 1),
            ("1 node for one job", 1),
            ("a time limit of 01:00:00", 1),
            ("its agent is in contact", 1),
            ("enough is free now", 0),
            ("what is free is not promised to jobs ahead", 0),
        ]
    );
    assert_eq!(told.reason, Some(WaitingFor::Resources));
    let there: Vec<(Predicate, &str)> =
        told.explanation.unfit.iter().map(|one| (one.predicate, one.there.as_str())).collect();
    assert_eq!(there, [(Predicate::Gpus, "none"), (Predicate::Resources, "no such node free now")]);
    snapshot.apply(Change::Contact(ClusterId(2), Contact::Silent));
    let told = what_if(&snapshot, NOW, &policy(), JobId(1)).expect("it is pending");
    assert_eq!(told.reason, Some(WaitingFor::SiteUnreachable));
    let reachable = told.steps.iter().find(|step| step.predicate == Predicate::Reachable);
    assert_eq!(reachable.map(|step| step.sites), Some(0));
}

#[test]
fn what_would_start_now_is_told() {
    let mut snapshot = network(vec![site("a", flavor("f", 1_000, 1), 2, tres(8, 32, 0))]);
    take(&mut snapshot, 1, 1, running(&[0], tres(6, 1, 0), at(600)));
    take(&mut snapshot, 1, 2, running(&[1], tres(7, 1, 0), at(900)));
    let advice = |snapshot: &Snapshot, job| {
        let told = what_if(snapshot, NOW, &policy(), JobId(job)).expect("it is pending");
        let effect = |one: &crate::explain::Remedy| one.effect == Effect::StartsNow;
        assert!(told.remedies.iter().all(effect));
        let first = told.remedies.iter().map(|one| one.changes[0].to_string());
        first.collect::<Vec<String>>()
    };
    add(&mut snapshot, [pending(1, &shape(1, tres(8, 1, 0), HOUR))]);
    assert_eq!(advice(&snapshot, 1), ["ask at most 2 CPUs per node"]);
    // Job 1 is promised node 0 at 600 s; a shorter job could run before that.
    add(&mut snapshot, [pending(2, &shape(1, tres(2, 1, 0), HOUR))]);
    assert_eq!(
        advice(&snapshot, 2),
        ["ask at most 1 CPU per node", "ask a time of at most 00:10:00"]
    );
    let alone = Shape { sharing: Sharing::Exclusive, ..shape(1, tres(1, 1, 0), 300) };
    add(&mut snapshot, [pending(3, &alone)]);
    assert_eq!(advice(&snapshot, 3), ["share nodes with other jobs (no --exclusive)"]);
}

#[test]
fn a_goal_that_waits_is_told_where_it_could_start() {
    let mut snapshot = two_sites();
    take(&mut snapshot, 2, 1, running(&[0, 1, 2, 3], tres(4, 1, 0), at(600)));
    let cheap = Shape { goal: Goal::Cheapest, ..shape(1, tres(2, 1, 0), HOUR) };
    add(&mut snapshot, [pending(1, &cheap)]);
    let told = what_if(&snapshot, NOW, &policy(), JobId(1)).expect("it is pending");
    assert_eq!(told.remedies[0].changes, [Tweak::ChooseSite("fast".into())]);
    add(&mut snapshot, [Pending { deadline: Some(at(60)), ..pending(2, &cheap) }]);
    let told = what_if(&snapshot, NOW, &policy(), JobId(2)).expect("it is pending");
    assert_eq!(told.reason, Some(WaitingFor::Deadline));
    assert_eq!(told.remedies[0].changes, [Tweak::Deadline(at(1_800))]);
    assert_eq!(what_if(&snapshot, NOW, &policy(), JobId(9)), None);
}

#[test]
fn an_outlook_counts_tasks() {
    let mut snapshot = two_sites();
    let task = shape(1, tres(4, 1, 0), HOUR);
    let told = outlook(&snapshot, NOW, &policy(), "p", &task, None, 9);
    assert_eq!(told.reason, None);
    assert_eq!(told.tasks_now, 8, "waiting for the fast site is no better than the slow one");
    assert_eq!(told.last_start, Some(at(u64::from(HOUR))), "ends are by limits");
    assert_eq!(told.cost, Some(MicroCredits(4 * 40_000 + 5 * 160_000)));
    assert_eq!(told.explanation.candidates.len(), 2);
    let one = candidates(&snapshot, NOW, &policy(), "p", &task);
    assert_eq!(one, told.explanation);
    let large = outlook(&snapshot, NOW, &policy(), "p", &shape(1, tres(64, 1, 0), HOUR), None, 1);
    assert_eq!(large.reason, Some(WaitingFor::NoSiteFits));
    assert_eq!(large.remedies[0].effect, Effect::CanRun);
    // Behind the pending jobs.
    add(&mut snapshot, [Pending { ready: 4, ..pending(1, &task) }]);
    let behind = candidates(&snapshot, NOW, &policy(), "p", &task);
    assert_eq!((behind.candidates[0].site.as_str(), behind.candidates[0].start), ("slow", NOW));
}

proptest! {
    #[test]
    fn every_remedy_helps(
        nodes in 1u32..8, cpus in 1u32..20, gib in 1u64..60, gpus in 0u32..3,
        hours in 1u32..40, exclusive in any::<bool>(), busy in 0u32..8, cents in 0i64..8,
    ) {
        let mut snapshot = two_sites();
        if busy > 0 {
            take(&mut snapshot, 1, 1, running(&[0, 1], tres(busy, 1, 0), at(600)));
            take(&mut snapshot, 2, 2, running(&[0, 2], tres(busy.min(4), 1, 1), at(900)));
        }
        let sharing = if exclusive { Sharing::Exclusive } else { Sharing::Shared };
        let budget = (cents > 4).then_some(MicroCredits(cents * 10_000));
        let asked = Shape { sharing, budget, ..shape(nodes, tres(cpus, gib, gpus), hours * HOUR) };
        add(&mut snapshot, [pending(1, &asked)]);
        let told = what_if(&snapshot, NOW, &policy(), JobId(1)).expect("it is pending");
        let impossible = snapshot.catalog.possible(&asked).is_err();
        prop_assert!(!impossible || !told.remedies.is_empty(), "something always helps here");
        for remedy in told.remedies {
            let mut changed = asked.clone();
            for change in &remedy.changes {
                change.apply(&mut changed);
            }
            prop_assert_eq!(snapshot.catalog.possible(&changed), Ok(()), "{:?}", remedy.changes);
            if remedy.effect == Effect::StartsNow {
                add(&mut snapshot, [pending(1, &changed)]);
                prop_assert_eq!(plan(&snapshot, NOW, &policy()).placements.len(), 1);
            }
        }
    }
}
