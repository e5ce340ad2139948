//! The cases are Kueue's own (its tests of the cache, of fair sharing and of preemption), told
//! anew: queues and amounts as there, and what is expected there.

use super::preemption::{
    Borrow, Reclaim, Rules, Sharing, Target, Why, WithinQueue, Workload, targets,
};
use super::{Amounts, Bound, Cell, Fit, MemberId, Quota, Quotas, Share, Shortage, WEIGHT_ONE};
use proptest::prelude::*;
use suanpan_model::time::Timestamp;

const CPU: Cell = Cell { flavor: 0, resource: 0 };
const GPU: Cell = Cell { flavor: 0, resource: 1 };
const OTHER_CPU: Cell = Cell { flavor: 1, resource: 0 };

fn of(cells: &[(Cell, i64)]) -> Amounts {
    cells.iter().copied().collect()
}

fn nominal(nominal: i64) -> Quota {
    Quota { nominal, ..Quota::default() }
}

fn lends(nominal: i64, limit: i64) -> Quota {
    Quota { nominal, lending_limit: Some(limit), ..Quota::default() }
}

fn borrows(nominal: i64, limit: i64) -> Quota {
    Quota { nominal, borrowing_limit: Some(limit), ..Quota::default() }
}

/// A cohort with queues that have these quotas of CPUs.
fn cohort(queues: &[Quota]) -> (Quotas, Vec<MemberId>) {
    let mut quotas = Quotas::default();
    let cohort = quotas.add_member(None, WEIGHT_ONE);
    let ids: Vec<MemberId> =
        queues.iter().map(|_| quotas.add_member(Some(cohort), WEIGHT_ONE)).collect();
    for (id, quota) in ids.iter().zip(queues) {
        quotas.set_quota(*id, CPU, *quota);
    }
    (quotas, ids)
}

#[test]
fn what_is_lent_can_be_borrowed_and_no_more() {
    let (mut quotas, ids) = cohort(&[nominal(2), lends(3, 2)]);
    quotas.add(ids[0], &of(&[(CPU, 2)]));
    assert_eq!(quotas.available(ids[0], CPU), 2, "one of the other's three is not lent");
    let shortage =
        Shortage { cell: CPU, asked: 3, there: 2, bound: Bound::Cohort, member: MemberId(0) };
    assert_eq!(quotas.check(ids[0], &of(&[(CPU, 3)])), Fit::Full(shortage));
    quotas.remove(ids[0], &of(&[(CPU, 1)]));
    assert_eq!(quotas.check(ids[0], &of(&[(CPU, 3)])), Fit::Borrowing);
    assert_eq!(quotas.check(ids[0], &of(&[(CPU, 1)])), Fit::Nominal);
    quotas.add(ids[0], &of(&[(CPU, 3)]));
    assert_eq!(quotas.available(ids[1], CPU), 1, "what is guaranteed is still there");
    let never =
        Shortage { cell: CPU, asked: 5, there: 4, bound: Bound::Cohort, member: MemberId(0) };
    assert_eq!(quotas.check(ids[0], &of(&[(CPU, 5)])), Fit::Never(never));
    quotas.check_sums();
}

#[test]
fn the_borrowing_limit_holds() {
    let (mut quotas, ids) = cohort(&[borrows(5, 1), nominal(10)]);
    assert_eq!(quotas.potential(ids[0], CPU), 6);
    quotas.add(ids[0], &of(&[(CPU, 4)]));
    let shortage =
        Shortage { cell: CPU, asked: 3, there: 2, bound: Bound::BorrowingLimit, member: ids[0] };
    assert_eq!(quotas.check(ids[0], &of(&[(CPU, 3)])), Fit::Full(shortage));
    assert_eq!(quotas.check(ids[0], &of(&[(CPU, 2)])), Fit::Borrowing);
}

#[test]
fn what_has_no_quota_never_fits() {
    let (quotas, ids) = cohort(&[nominal(5)]);
    assert_eq!(quotas.check(ids[0], &Amounts::new()), Fit::Nominal, "an empty request fits");
    let found = quotas.check(ids[0], &of(&[(CPU, 1), (GPU, 1)]));
    assert!(matches!(found, Fit::Never(Shortage { cell: GPU, there: 0, .. })), "{found:?}");
}

/// Kueue's `TestDominantResourceShare`.
#[test]
fn dominant_shares_are_those_of_kueues_tests() {
    let share = |value, resource| Share { value, resource: Some(resource) };
    let mut quotas = Quotas::default();
    let cohort = quotas.add_member(None, WEIGHT_ONE);
    let queue = quotas.add_member(Some(cohort), WEIGHT_ONE);
    let lender = quotas.add_member(Some(cohort), WEIGHT_ONE);
    quotas.set_quota(queue, CPU, nominal(2_000));
    quotas.set_quota(queue, GPU, nominal(5));
    quotas.set_quota(lender, CPU, nominal(8_000));
    quotas.set_quota(lender, GPU, nominal(5));
    let with = |cpu, gpu, more: &Amounts| {
        let mut quotas = quotas.clone();
        quotas.add(queue, &of(&[(CPU, cpu), (GPU, gpu)]));
        quotas.dominant_share(queue, more)
    };
    let nothing = Amounts::new();
    assert_eq!(with(1_000, 2, &nothing), Share::NONE, "usage below nominal");
    assert_eq!(with(3_000, 7, &nothing), share(200, 1), "usage above nominal");
    assert_eq!(with(3_000, 3, &nothing), share(100, 0), "one resource above nominal");
    let more = of(&[(CPU, 4_000), (GPU, 4)]);
    assert_eq!(with(1_000, 2, &more), share(300, 0), "usage with workload above nominal");
    let mut alone = Quotas::default();
    let queue = alone.add_member(None, WEIGHT_ONE);
    alone.set_quota(queue, CPU, nominal(1));
    assert_eq!(alone.dominant_share(queue, &of(&[(CPU, 5)])), Share::NONE, "no cohort");
}

#[test]
fn weights_and_flavors_count_as_in_kueues_tests() {
    let weighed = |weight_milli| {
        let mut quotas = Quotas::default();
        let cohort = quotas.add_member(None, WEIGHT_ONE);
        let queue = quotas.add_member(Some(cohort), weight_milli);
        let lender = quotas.add_member(Some(cohort), WEIGHT_ONE);
        quotas.set_quota(queue, GPU, nominal(5));
        quotas.set_quota(lender, GPU, nominal(5));
        quotas.add(queue, &of(&[(GPU, 7)]));
        quotas.dominant_share(queue, &Amounts::new()).value
    };
    assert_eq!([weighed(2_000), weighed(500), weighed(0)], [100, 400, u64::MAX]);
    let (mut quotas, ids) = cohort(&[nominal(20_000), Quota::default()]);
    quotas.set_quota(ids[0], OTHER_CPU, nominal(80_000));
    let third = Cell { flavor: 2, resource: 0 };
    quotas.set_quota(ids[1], third, nominal(100_000));
    quotas.add(ids[0], &of(&[(CPU, 15_000), (OTHER_CPU, 5_000)]));
    let found = quotas.dominant_share(ids[0], &of(&[(CPU, 10_000)]));
    assert_eq!(found, Share { value: 25, resource: Some(0) }, "multiple flavors");
}

#[test]
fn what_is_not_lendable_does_not_count() {
    let (mut quotas, ids) = cohort(&[nominal(2_000), nominal(8_000)]);
    quotas.set_quota(ids[0], GPU, lends(2, 0));
    quotas.set_quota(ids[1], GPU, lends(64, 0));
    quotas.add(ids[0], &of(&[(CPU, 1_000), (GPU, 1)]));
    let found = quotas.dominant_share(ids[0], &of(&[(CPU, 4_000), (GPU, 4)]));
    assert_eq!(found, Share { value: 300, resource: Some(0) });
}

/// Admitted workloads as (queue, priority, CPUs, admitted at); ids count from 1.
type Admitted = [(MemberId, i64, i64, i64)];

fn workload(id: u64, (queue, priority, cpus, admitted): (MemberId, i64, i64, i64)) -> Workload {
    Workload {
        id,
        queue,
        priority,
        amounts: of(&[(CPU, cpus)]),
        queued: Timestamp(admitted),
        admitted: Timestamp(admitted),
    }
}

/// What is stopped for a workload in `queue` with this priority that asks for so many CPUs.
fn stopped(
    quotas: &Quotas,
    rules: Rules,
    sharing: Sharing,
    admitted: &Admitted,
    (queue, priority, cpus): (MemberId, i64, i64),
) -> Vec<(u64, Why)> {
    let admitted: Vec<Workload> = (1..).zip(admitted).map(|(id, w)| workload(id, *w)).collect();
    let mut quotas = quotas.clone();
    for one in &admitted {
        quotas.add(one.queue, &one.amounts);
    }
    quotas.check_sums();
    let incoming = workload(0, (queue, priority, cpus, -15));
    let found = targets(&quotas, &rules, sharing, &incoming, &admitted);
    found.into_iter().map(|Target { id, why }| (id, why)).collect()
}

const LOWER: Rules = Rules {
    within_queue: WithinQueue::LowerPriority,
    reclaim: Reclaim::LowerPriority,
    borrow: Borrow::Never,
};

#[test]
fn within_one_queue_the_lowest_priority_goes() {
    let (quotas, ids) = cohort(&[nominal(6)]);
    let q = ids[0];
    let run = |admitted: &Admitted, priority, cpus| {
        stopped(&quotas, LOWER, Sharing::Priority, admitted, (q, priority, cpus))
    };
    let three = [(q, -1, 2, 0), (q, 0, 2, 0), (q, 1, 2, 0)];
    assert_eq!(run(&three, 1, 2), [(1, Why::InQueue)], "preempt lowest priority");
    assert_eq!(run(&three, 1, 3), [(1, Why::InQueue), (2, Why::InQueue)], "preempt multiple");
    let two = [(q, -1, 3, 0), (q, 0, 3, 0)];
    assert_eq!(run(&two, -1, 1), [], "no preemption for low priority");
    assert_eq!(run(&two, 0, 4), [], "not enough low priority workloads");
    let free = [(q, -1, 1, 0), (q, 0, 1, 0), (q, 1, 3, 0)];
    assert_eq!(run(&free, 1, 2), [(1, Why::InQueue)], "some free quota");
    let minimal = [(q, -1, 1, 0), (q, 0, 2, 0), (q, 1, 3, 0)];
    assert_eq!(run(&minimal, 1, 2), [(2, Why::InQueue)], "minimal set excludes low priority");
}

#[test]
fn equal_priority_yields_if_it_is_newer() {
    let (quotas, ids) = cohort(&[nominal(6)]);
    let rules = Rules { within_queue: WithinQueue::LowerOrNewerEqual, ..Rules::default() };
    let admitted = [(ids[0], 2, 2, 0), (ids[0], 1, 2, 1), (ids[0], 1, 2, 0)];
    let found = stopped(&quotas, rules, Sharing::Priority, &admitted, (ids[0], 1, 2));
    assert_eq!(found, [(2, Why::InQueue)], "the one admitted last");
}

#[test]
fn an_owner_takes_back_what_others_borrow() {
    let (quotas, ids) = cohort(&[borrows(6, 6), borrows(6, 6)]);
    let (c1, c2) = (ids[0], ids[1]);
    let any = Rules { within_queue: WithinQueue::Never, reclaim: Reclaim::Any, ..Rules::default() };
    let same = [(c1, 0, 2, 0), (c2, 0, 4, 0), (c2, 0, 4, 0)];
    let run = |rules, admitted: &Admitted, incoming| {
        stopped(&quotas, rules, Sharing::Priority, admitted, incoming)
    };
    assert_eq!(run(LOWER, &same, (c1, 0, 4)), [], "not from the same priority");
    let low = [(c1, 0, 4, 0), (c1, 1, 4, 0), (c2, 0, 2, 0)];
    assert_eq!(run(any, &low, (c2, 0, 4)), [(1, Why::Reclaimed)], "from any");
    let mixed = [(c1, -1, 3, 0), (c1, 0, 2, 0), (c2, -1, 3, 0), (c2, 0, 4, 0)];
    let expected = [(3, Why::Reclaimed), (1, Why::InQueue)];
    assert_eq!(run(LOWER, &mixed, (c1, 0, 4)), expected, "from all queues in the cohort");
    assert_eq!(run(any, &[(c2, -1, 3, 0)], (c2, 1, 4)), [], "its own, which it may not stop");
}

#[test]
fn a_lender_takes_back_what_it_lent() {
    let (quotas, ids) = cohort(&[lends(6, 4), lends(6, 2)]);
    let (one, two) = (ids[0], ids[1]);
    let run = |admitted: &Admitted, incoming| {
        stopped(&quotas, LOWER, Sharing::Priority, admitted, incoming)
    };
    let lent = [(one, -1, 3, 0), (two, 0, 3, 0), (two, 1, 4, 0)];
    assert_eq!(run(&lent, (one, 1, 3)), [(2, Why::Reclaimed)]);
    let mixed = [(one, -1, 3, 0), (one, 0, 2, 0), (two, -1, 3, 0), (two, 0, 4, 0)];
    assert_eq!(run(&mixed, (one, 0, 4)), [(3, Why::Reclaimed), (1, Why::InQueue)]);
    assert_eq!(run(&[(two, -1, 10, 0)], (one, 0, 9)), [], "more than could ever be lent");
}

/// Kueue's cohort `with_shared_cq`: standard and best-effort queues around a shared one.
#[test]
fn borrowing_from_borrowers_is_bounded_by_priority() {
    let quota = [borrows(1, 12), borrows(1, 12), borrows(1, 12), borrows(0, 13), nominal(10)];
    let (quotas, ids) = cohort(&quota);
    let [a_standard, b_standard, a_best, b_best, _] = ids[..] else { unreachable!("five queues") };
    let borrow = Borrow::LowerPriority { at_most: Some(0) };
    let a_rules =
        Rules { within_queue: WithinQueue::Never, reclaim: Reclaim::LowerPriority, borrow };
    let b_rules = Rules { within_queue: WithinQueue::LowerPriority, reclaim: Reclaim::Any, borrow };
    let run = |rules, admitted: &Admitted, incoming| {
        stopped(&quotas, rules, Sharing::Priority, admitted, incoming)
    };
    let low = [(a_best, -1, 10, 0), (b_best, -1, 1, 0)];
    assert_eq!(run(a_rules, &low, (a_standard, 0, 10)), [(1, Why::ReclaimedWhileBorrowing)]);
    let above = [(b_standard, 1, 10, 0)];
    assert_eq!(run(a_rules, &above, (a_standard, 2, 10)), [], "would still borrow");
    let all = [(b_standard, 1, 13, 0)];
    assert_eq!(run(a_rules, &all, (a_standard, 2, 1)), [(1, Why::Reclaimed)], "no need to borrow");
    let own = [(a_standard, 1, 13, 0)];
    assert_eq!(run(a_rules, &own, (a_standard, 2, 1)), [], "not from its own queue");
    let over = [
        (a_standard, 1, 10, 0),
        (a_standard, 1, 1, 0),
        (b_standard, 1, 1, 0),
        (b_standard, 2, 1, 0),
    ];
    assert_eq!(run(b_rules, &over, (b_standard, 3, 1)), [(3, Why::InQueue)]);
    let both =
        [(b_standard, 2, 10, 0), (b_standard, 1, 1, 0), (a_best, -1, 1, 0), (a_best, -2, 1, 0)];
    let expected = [(4, Why::ReclaimedWhileBorrowing), (2, Why::InQueue)];
    assert_eq!(run(b_rules, &both, (b_standard, 2, 2)), expected);
}

#[test]
fn a_queue_at_its_quota_takes_only_from_itself() {
    let (quotas, ids) = cohort(&[nominal(2), nominal(2), nominal(2)]);
    let (a, b) = (ids[0], ids[1]);
    let rules = Rules {
        within_queue: WithinQueue::LowerPriority,
        reclaim: Reclaim::Any,
        borrow: Borrow::Never,
    };
    let run = |admitted: &Admitted, incoming| {
        stopped(&quotas, rules, Sharing::Priority, admitted, incoming)
    };
    let full =
        [(a, -2, 1, 0), (a, -2, 1, 0), (a, -1, 1, 0), (b, 0, 1, 0), (b, 0, 1, 0), (b, 0, 1, 0)];
    assert_eq!(run(&full, (a, 0, 2)), [(1, Why::InQueue), (2, Why::InQueue)]);
    let under =
        [(a, -1, 1, 0), (b, 0, 1, 0), (b, 0, 1, 0), (b, 0, 1, 0), (b, 0, 1, 0), (b, -1, 1, 0)];
    assert_eq!(run(&under, (a, 0, 2)), [(6, Why::Reclaimed), (1, Why::InQueue)]);
}

/// Kueue's `TestHierarchicalPreemptions` and its "long range preemption".
#[test]
fn cohorts_in_cohorts_protect_their_own() {
    let any = Rules {
        within_queue: WithinQueue::LowerPriority,
        reclaim: Reclaim::Any,
        borrow: Borrow::Never,
    };
    let mut quotas = Quotas::default();
    let root = quotas.add_member(None, WEIGHT_ONE);
    let c = quotas.add_member(Some(root), WEIGHT_ONE);
    let q = quotas.add_member(Some(c), WEIGHT_ONE);
    let borrowing = quotas.add_member(Some(root), WEIGHT_ONE);
    quotas.set_quota(c, CPU, nominal(2));
    let run = |quotas: &Quotas, rules, admitted: &Admitted, incoming| {
        stopped(quotas, rules, Sharing::Priority, admitted, incoming)
    };
    let one = [(borrowing, 0, 2, 0)];
    assert_eq!(run(&quotas, any, &one, (q, 0, 2)), [(1, Why::Reclaimed)], "with advantage");
    let two = [(borrowing, 1, 1, 0), (borrowing, 2, 1, 0)];
    let both = [(1, Why::Reclaimed), (2, Why::Reclaimed)];
    assert_eq!(run(&quotas, any, &two, (q, 0, 2)), both, "multiple with advantage");
    let within = quotas.add_member(Some(root), WEIGHT_ONE);
    quotas.set_quota(within, CPU, nominal(2));
    let avoid = [(within, -10, 2, 0), (borrowing, 0, 2, 0)];
    assert_eq!(run(&quotas, any, &avoid, (q, 0, 2)), [(2, Why::Reclaimed)], "not within quota");
    let mut far = Quotas::default();
    let root = far.add_member(None, WEIGHT_ONE);
    let (left, right) =
        (far.add_member(Some(root), WEIGHT_ONE), far.add_member(Some(root), WEIGHT_ONE));
    let (here, there) =
        (far.add_member(Some(left), WEIGHT_ONE), far.add_member(Some(right), WEIGHT_ONE));
    far.set_quota(here, CPU, nominal(10));
    let rules = Rules { reclaim: Reclaim::Any, ..Rules::default() };
    assert_eq!(run(&far, rules, &[(there, 0, 5, 0)], (here, 0, 8)), [(1, Why::Reclaimed)]);
}

/// The rules S2-a and S2-b of the enhancement proposal, on three queues of three CPUs.
#[test]
fn fair_sharing_takes_from_who_borrows_most() {
    let (quotas, ids) = cohort(&[nominal(3), nominal(3), nominal(3)]);
    let (a, b, c) = (ids[0], ids[1], ids[2]);
    let rules = Rules {
        within_queue: WithinQueue::LowerPriority,
        reclaim: Reclaim::Any,
        borrow: Borrow::Never,
    };
    let run =
        |admitted: &Admitted, incoming| stopped(&quotas, rules, Sharing::Fair, admitted, incoming);
    // B borrows three; A has its three and would like a fourth: after that both borrow one at
    // least, so A may take one from B, and a second, but not a third.
    let mut admitted = vec![(a, 0, 1, 0), (a, 0, 1, 0), (a, 0, 1, 0)];
    admitted.extend((0..6).map(|number| (b, 0, 1, number)));
    assert_eq!(run(&admitted, (a, 0, 1)), [(9, Why::FairShare)], "the youngest of B");
    assert_eq!(run(&admitted, (a, 0, 3)), [], "A would borrow more than B");
    // C is within its quota and takes back from whoever borrows most.
    let mut admitted: Vec<_> = (0..5).map(|number| (a, 0, 1, number)).collect();
    admitted.extend((0..4).map(|number| (b, 0, 1, number)));
    let found = run(&admitted, (c, 0, 2));
    assert_eq!(found, [(5, Why::FairShare), (4, Why::FairShare)], "A borrows two, B one");
}

proptest! {
    /// Sums stay right whatever is added and removed, no check lets more be used than there is,
    /// and what is chosen makes room.
    #[test]
    fn quotas_hold(
        quota in prop::collection::vec(
            (0i64..9, prop::option::of(0i64..5), prop::option::of(0i64..5)), 5,
        ),
        asks in prop::collection::vec((0usize..3, -2i64..3, 1i64..6), 0..20),
    ) {
        let mut quotas = Quotas::default();
        let root = quotas.add_member(None, WEIGHT_ONE);
        let inner = quotas.add_member(Some(root), WEIGHT_ONE);
        let ids = [Some(root), Some(inner), Some(inner)].map(|p| quotas.add_member(p, WEIGHT_ONE));
        let all = [root, inner, ids[0], ids[1], ids[2]];
        for (id, (nominal, borrow, lend)) in all.iter().zip(&quota) {
            let of = Quota { nominal: *nominal, borrowing_limit: *borrow, lending_limit: *lend };
            quotas.set_quota(*id, CPU, of);
        }
        let rules = Rules {
            within_queue: WithinQueue::LowerOrNewerEqual,
            reclaim: Reclaim::Any,
            borrow: Borrow::LowerPriority { at_most: None },
        };
        let mut admitted: Vec<Workload> = Vec::new();
        for (number, (queue, priority, cpus)) in (0u64..).zip(asks) {
            let queue = ids[queue];
            let incoming = workload(number, (queue, priority, cpus, number as i64));
            for sharing in [Sharing::Priority, Sharing::Fair] {
                let found = targets(&quotas, &rules, sharing, &incoming, &admitted);
                let mut without = quotas.clone();
                for one in admitted.iter().filter(|one| found.iter().any(|t| t.id == one.id)) {
                    without.remove(one.queue, &one.amounts);
                }
                without.check_sums();
                if !found.is_empty() {
                    prop_assert!(without.check(queue, &incoming.amounts) <= Fit::Borrowing);
                }
            }
            if quotas.check(queue, &incoming.amounts) <= Fit::Borrowing {
                quotas.add(queue, &incoming.amounts);
                admitted.push(incoming);
                quotas.check_sums();
            }
            let used = ids.iter().map(|id| quotas.usage(*id, CPU)).sum::<i64>();
            let there = quota.iter().map(|(nominal, ..)| nominal).sum::<i64>();
            prop_assert!(used <= there);
            prop_assert!(ids.iter().all(|id| quotas.available(*id, CPU) >= 0));
        }
        for one in admitted {
            quotas.remove(one.queue, &one.amounts);
            quotas.check_sums();
        }
        prop_assert!(ids.iter().all(|id| quotas.usage(*id, CPU) == 0));
    }
}
