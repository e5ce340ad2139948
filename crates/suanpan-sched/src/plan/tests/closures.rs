//! Drains and reservations.

use super::{one_site, planned, reason, told};
use crate::explain::what_if;
use crate::fixtures::{HOUR, NOW, add, at, pending, policy, running, shape, take, tres};
use crate::reason::{Predicate, WaitingFor};
use crate::snapshot::{Change, Closure, ClosureId, ClosureKind, Pending, Snapshot};
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::time::Timestamp;

fn close(snapshot: &mut Snapshot, id: u64, nodes: &[&str], from: Timestamp, until: Timestamp) {
    let closure = Closure {
        id: ClosureId(id),
        kind: ClosureKind::Drain,
        nodes: nodes.iter().map(ToString::to_string).collect(),
        from,
        until,
        reason: "new disks".to_owned(),
    };
    snapshot.apply(Change::Closed(ClusterId(1), closure));
}

#[test]
fn a_drained_node_takes_nothing_new_until_it_is_back() {
    let mut snapshot = one_site(2);
    let wide = shape(2, tres(1, 1, 0), HOUR);
    add(&mut snapshot, [pending(1, &wide), pending(2, &shape(1, tres(8, 1, 0), HOUR))]);
    close(&mut snapshot, 1, &["a01", "not there"], NOW, Timestamp::MAX);
    let plan = planned(&snapshot);
    assert_eq!(reason(&plan, &wide), WaitingFor::ReqNodeNotAvail);
    assert_eq!(plan.placements[0].nodes, [1], "the other node takes the single one");
    let unfit = &told(&plan, &wide).explanation.unfit;
    assert_eq!(unfit[0].predicate, Predicate::Available);
    assert_eq!(unfit[0].there, "drained: new disks");
    snapshot.apply(Change::Opened(ClusterId(1), ClosureId(1)));
    assert_eq!(planned(&snapshot).placements[0].nodes, [0, 1]);
}

#[test]
fn nothing_starts_that_would_run_into_a_closure() {
    let mut snapshot = one_site(1);
    let long = shape(1, tres(1, 1, 0), 2 * HOUR);
    add(&mut snapshot, [pending(1, &long), pending(2, &shape(1, tres(1, 1, 0), HOUR))]);
    close(&mut snapshot, 1, &["a01"], at(HOUR.into()), at(5 * u64::from(HOUR)));
    let plan = planned(&snapshot);
    assert_eq!(reason(&plan, &long), WaitingFor::ReqNodeNotAvail);
    assert_eq!(plan.shadow_starts[&JobId(1)], at(5 * u64::from(HOUR)), "it waits for the end");
    assert_eq!(plan.placements[0].job, JobId(2), "what ends in time runs");
    let steps = what_if(&snapshot, NOW, &policy(), JobId(1)).expect("it is pending").steps;
    let said = steps.iter().find(|step| step.predicate == Predicate::Available);
    assert_eq!(said.map(|step| step.sites), Some(0));
}

#[test]
fn what_runs_goes_on_and_leaves_nothing_free() {
    let mut snapshot = one_site(1);
    take(&mut snapshot, 1, 1, running(&[0], tres(4, 1, 0), at(60)));
    close(&mut snapshot, 1, &["a01"], NOW, at(3_600));
    let job = shape(1, tres(1, 1, 0), HOUR);
    add(&mut snapshot, [pending(1, &job)]);
    assert_eq!(planned(&snapshot).shadow_starts[&JobId(1)], at(3_600));
}

#[test]
fn a_reservation_is_for_those_it_was_made_for() {
    let mut snapshot = one_site(1);
    close(&mut snapshot, 7, &["a01"], NOW, at(7_200));
    let job = shape(1, tres(8, 1, 0), HOUR);
    let member = Pending { may_use: vec![ClosureId(7)], ..pending(3, &job) };
    add(&mut snapshot, [pending(1, &job), member.clone(), pending(4, &job)]);
    let plan = planned(&snapshot);
    assert_eq!(plan.placements.len(), 1);
    assert_eq!(plan.placements[0].job, JobId(3), "although it came later");
    assert_eq!(plan.shadow_starts[&JobId(1)], at(7_200));
    // The second of the members waits for the first, within the reservation.
    add(&mut snapshot, [Pending { job: JobId(5), submitted: Timestamp(5), ..member }]);
    assert_eq!(planned(&snapshot).shadow_starts[&JobId(5)], at(3_600));
}
