use super::planned;
use crate::fixtures::{NOW, add, at, flavor, measured, network, pending, shape, site, tres};
use crate::plan::Plan;
use crate::reason::Predicate;
use crate::snapshot::{Change, DatasetView, Snapshot};
use std::collections::BTreeMap;
use suanpan_model::id::{ClusterId, DatasetId};
use suanpan_model::job::{Goal, InputNeed, Shape};
use suanpan_model::network::Origin;
use suanpan_model::site::Inventory;
use suanpan_model::time::Seconds;

const MB: u64 = 1_000_000;

/// Three sites whose chips take 40, 100 and 50 s for a program of 40 s, and a fourth at which the
/// user is.
fn sites() -> Vec<Inventory> {
    let chip = |name: &str, speed| site(name, flavor(name, speed, 1), 1, tres(8, 32, 0));
    let (best, nearest) = (chip("best-chip", 1_000), chip("nearest", 400));
    let mut user = chip("user", 1);
    user.home = true;
    vec![best, nearest, chip("between", 800), user]
}

/// The worked example of CATS (draft-ietf-cats-usecases-requirements, computing-aware AR/VR): the
/// user's device takes 9.4 ms, and three sites take 4, 10 and 5 ms to compute and 9, 4 and 5 ms
/// to be reached: 22.4, 23.4 and 19.4 ms together, of which 20 are allowed. Here a millisecond is
/// ten seconds, the way there is staging of 360 MB, and the device's part is outputs on their way
/// back.
fn cats(snapshot: &mut Snapshot) -> Shape {
    let links = [
        ("user", "best-chip", 32),
        ("user", "nearest", 72),
        ("user", "between", 57),
        ("best-chip", "user", 8),
        ("nearest", "user", 8),
        ("between", "user", 8),
    ];
    let mut links = measured(&links);
    let between = links.get_mut(&("user".into(), "between".into())).expect("it is listed");
    between.throughput_bps = 57_600_000;
    snapshot.apply(Change::Links(links));
    Shape {
        inputs: vec![InputNeed { at: Some("user".into()), bytes: 360 * MB, dataset: None }],
        output_bytes: 94 * MB,
        sites: vec!["best-chip".into(), "nearest".into(), "between".into()],
        goal: Goal::Fastest,
        ..shape(1, tres(8, 1, 0), 40)
    }
}

/// Of each candidate, best first: site, staging, run, staging out, and all of it.
fn parts(plan: &Plan) -> Vec<(&str, u64, u64, u64, u64)> {
    let candidates = &plan.explanations[0].candidates;
    let part = |one: &'_ crate::reason::Candidate| (one.stage.0, one.run.0, one.out.0);
    candidates
        .iter()
        .map(|one| {
            let (stage, run, out) = part(one);
            (one.site.as_str(), stage, run, out, one.finish.since(NOW).0)
        })
        .collect()
}

#[test]
fn the_worked_example_of_cats_is_decided_jointly() {
    let mut snapshot = network(sites());
    let shape = cats(&mut snapshot);
    add(&mut snapshot, [pending(1, &shape)]);
    let plan = planned(&snapshot);
    let expected = [
        ("between", 50, 50, 94, 194),
        ("best-chip", 90, 40, 94, 224),
        ("nearest", 40, 100, 94, 234),
    ];
    assert_eq!(parts(&plan), expected);
    let sources = plan.explanations[0].candidates.iter().map(|one| (one.stage_from, one.out_from));
    assert!(sources.into_iter().all(|of| of == (Some(Origin::Measured), Some(Origin::Measured))));
    let placed = &plan.placements[0];
    assert_eq!((placed.cluster, placed.prediction.out), (ClusterId(3), Seconds(94)));

    // With the 20 ms as a deadline, the best chip and the nearest site are both ruled out by it.
    let mut by = pending(2, &shape);
    by.deadline = Some(at(200));
    let mut snapshot = network(sites());
    cats(&mut snapshot);
    add(&mut snapshot, [by]);
    let plan = planned(&snapshot);
    assert_eq!(parts(&plan), expected[..1]);
    let unfit = &plan.explanations[0].unfit;
    let late: Vec<_> = unfit.iter().map(|one| (one.site.as_str(), one.predicate)).collect();
    let deadline = Predicate::Deadline;
    assert_eq!(late[..2], [("best-chip", deadline), ("nearest", deadline)]);
}

#[test]
fn a_link_that_gets_slower_moves_the_next_job_and_back() {
    let mut snapshot = network(sites());
    snapshot.apply(Change::Dataset(
        DatasetId(1),
        Some(DatasetView {
            bytes: 500 * MB,
            present: BTreeMap::from([("hub".to_owned(), 500 * MB)]),
        }),
    ));
    let input = InputNeed { at: None, bytes: 500 * MB, dataset: Some(DatasetId(1)) };
    let asked = Shape { inputs: vec![input], goal: Goal::Fastest, ..shape(1, tres(8, 1, 0), 40) };
    add(&mut snapshot, [pending(1, &asked)]);
    let mut placed_with = |best_mbit: u64| {
        let links = [("hub", "best-chip", best_mbit), ("hub", "between", 100)];
        snapshot.apply(Change::Links(measured(&links)));
        planned(&snapshot).placements.first().map(|placed| placed.cluster)
    };
    assert_eq!(placed_with(200), Some(ClusterId(1)), "20 s + 40 s before 40 s + 50 s");
    assert_eq!(placed_with(20), Some(ClusterId(3)), "200 s + 40 s after 90 s");
    assert_eq!(placed_with(0), Some(ClusterId(3)), "cut");
    assert_eq!(placed_with(200), Some(ClusterId(1)), "healed");
}

#[test]
fn a_job_whose_data_is_nowhere_waits_and_says_so() {
    let mut snapshot = network(sites());
    let input = InputNeed { at: None, bytes: 1, dataset: Some(DatasetId(9)) };
    let asked = Shape { inputs: vec![input], ..shape(1, tres(8, 1, 0), 40) };
    assert_eq!(snapshot.catalog.possible(&asked), Ok(()), "it may come");
    add(&mut snapshot, [pending(1, &asked)]);
    let plan = planned(&snapshot);
    let unfit = &super::told(&plan, &asked).explanation.unfit;
    assert_eq!(unfit.len(), 4);
    assert_eq!(unfit[0].predicate, Predicate::Replica);
    assert_eq!(unfit[0].asked, "all of dataset 9 at some site");
}
