//! Jobs whose projects have quotas.

use super::properties::{any_jobs, any_network, commit, finish, next_end};
use super::{one_site, planned};
use crate::explain::{Tweak, what_if};
use crate::fixtures::{HOUR, NOW, add, at, network, pending, policy, running, shape, tres};
use crate::plan::{Plan, plan};
use crate::quota::book::{Book, Held};
use crate::quota::policy::{CohortQuota, FlavorQuota, OTHERS, ProjectQuota, QuotaPolicy, Resource};
use crate::quota::preemption::{Borrow, Reclaim, Rules, Sharing, WithinQueue};
use crate::quota::{Quota, WEIGHT_ONE};
use crate::reason::{Predicate, PreemptedFor, WaitingFor};
use crate::snapshot::{Change, Ending, Pending, Running, Snapshot};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::time::Timestamp;

/// A quota of CPUs of the flavor that [`one_site`] has.
pub(super) fn cpus(nominal: i64, borrow: Option<i64>, lend: Option<i64>) -> FlavorQuota {
    let quota = Quota { nominal, borrowing_limit: borrow, lending_limit: lend };
    FlavorQuota { cpus: Some(quota), ..FlavorQuota::default() }
}

fn project(cohort: Option<&str>, flavor: &str, quota: FlavorQuota) -> ProjectQuota {
    ProjectQuota {
        cohort: cohort.map(str::to_owned),
        weight_milli: WEIGHT_ONE,
        rules: Rules { reclaim: Reclaim::Any, ..Rules::default() },
        flavors: BTreeMap::from([(flavor.to_owned(), quota)]),
    }
}

fn cohort(parent: Option<&str>) -> CohortQuota {
    CohortQuota {
        parent: parent.map(str::to_owned),
        weight_milli: WEIGHT_ONE,
        flavors: BTreeMap::new(),
    }
}

/// Two projects of one cohort with so many CPUs each.
fn two(a: FlavorQuota, b: FlavorQuota) -> QuotaPolicy {
    QuotaPolicy {
        sharing: Sharing::Priority,
        cohorts: BTreeMap::from([("city".to_owned(), cohort(None))]),
        projects: BTreeMap::from([
            ("a".to_owned(), project(Some("city"), "plain", a)),
            ("b".to_owned(), project(Some("city"), "plain", b)),
        ]),
    }
}

fn limited(mut snapshot: Snapshot, quotas: QuotaPolicy) -> Snapshot {
    quotas.check().expect("a fixture is sound");
    snapshot.apply(Change::Quotas(Some(Arc::new(quotas))));
    snapshot
}

fn book(snapshot: &Snapshot) -> &Book {
    snapshot.quotas.as_deref().expect("quotas are set")
}

/// A job of a project.
fn of(snapshot: &Snapshot, project: &str, job: Pending) -> Pending {
    Pending { queue: Some(book(snapshot).queue_of(project)), ..job }
}

/// A job of a project with so many CPUs on one node.
fn job(snapshot: &Snapshot, project: &str, id: u64, cpus: u32) -> Pending {
    of(snapshot, project, pending(id, &shape(1, tres(cpus, 1, 0), HOUR)))
}

/// Something of a project that runs on the first cluster.
fn runs(snapshot: &mut Snapshot, project: &str, id: u64, node: u32, cpus: u32) {
    let book = book(snapshot);
    let flavor = book.flavor("plain").expect("it is limited");
    let held = Held {
        queue: book.queue_of(project),
        amounts: book.amounts(flavor, &tres(cpus, 1, 0), 1),
        priority: 0,
        queued: Timestamp(0),
        admitted: Timestamp(id as i64),
    };
    let one = running(&[node], tres(cpus, 1, 0), at(3_600));
    let one = Running { held: Some(Box::new(held)), ..one };
    snapshot.apply(Change::Took(ClusterId(1), AllocationId(id), one));
}

fn started(plan: &Plan) -> Vec<u64> {
    plan.placements.iter().map(|placement| placement.job.0).collect()
}

fn stopped(plan: &Plan) -> Vec<(u64, u64)> {
    plan.preemptions.iter().map(|one| (one.allocation.0, one.by.0)).collect()
}

#[test]
fn a_project_borrows_up_to_its_limit_and_the_rest_waits() {
    let quotas = two(cpus(4, Some(4), None), cpus(8, None, Some(6)));
    let mut snapshot = limited(one_site(2), quotas);
    let jobs: Vec<Pending> = (1..=6).map(|id| job(&snapshot, "a", id, 2)).collect();
    add(&mut snapshot, jobs);
    let plan = planned(&snapshot);
    assert_eq!(started(&plan), [1, 2, 3, 4], "4 of its own and 4 borrowed");
    let waits = plan.waiting.values().next().expect("the rest waits");
    assert_eq!((waits.first, waits.reason), (JobId(5), WaitingFor::Quota));
    let unfit = &waits.explanation.unfit[0];
    assert_eq!(unfit.predicate, Predicate::Quota);
    assert_eq!(unfit.asked, "2 CPUs of plain");
    assert_eq!(unfit.there, "0 left of project a (4 nominal, may borrow 4): 2 short");
}

#[test]
fn what_is_kept_from_lending_is_not_borrowed() {
    let mut snapshot = limited(one_site(2), two(cpus(4, None, None), cpus(8, None, Some(3))));
    let jobs: Vec<Pending> = (1..=8).map(|id| job(&snapshot, "a", id, 1)).collect();
    add(&mut snapshot, jobs);
    assert_eq!(planned(&snapshot).placements.len(), 7, "4 of its own and 3 that b lends");
    let waits = planned(&snapshot).waiting;
    let waits = waits.values().next().expect("the rest waits");
    assert_eq!(waits.explanation.unfit[0].there, "0 left of cohort city: 1 short");
}

#[test]
fn a_gang_is_admitted_whole_or_not_at_all_and_an_array_task_by_task() {
    let alone = QuotaPolicy {
        projects: two(cpus(6, None, None), cpus(0, None, None)).projects,
        ..QuotaPolicy::default()
    };
    let alone = QuotaPolicy {
        projects: alone
            .projects
            .into_iter()
            .map(|(name, one)| (name, ProjectQuota { cohort: None, ..one }))
            .collect(),
        ..alone
    };
    let mut snapshot = limited(one_site(4), alone);
    let gang = of(&snapshot, "a", pending(1, &shape(2, tres(4, 1, 0), HOUR)));
    let array = Pending { ready: 5, ..job(&snapshot, "a", 2, 2) };
    add(&mut snapshot, [gang, array]);
    let plan = planned(&snapshot);
    assert_eq!(started(&plan), [2, 2, 2], "the gang of 8 never fits into 6, three tasks do");
    let told = what_if(&snapshot, NOW, &policy(), JobId(1)).expect("it is pending");
    assert_eq!(told.reason, Some(WaitingFor::Quota));
    assert_eq!(told.explanation.unfit[0].there, "6 at most, of project a (6 nominal): 2 short");
    let changes: Vec<&Tweak> = told.remedies.iter().flat_map(|one| &one.changes).collect();
    assert_eq!(changes, [&Tweak::Cpus(3), &Tweak::Nodes(1)]);
}

#[test]
fn who_is_not_named_has_nothing_unless_others_do() {
    let mut quotas = two(cpus(4, None, None), cpus(4, None, None));
    let mut snapshot = limited(one_site(2), quotas.clone());
    let one = job(&snapshot, "nobody", 1, 1);
    add(&mut snapshot, [one]);
    let told = what_if(&snapshot, NOW, &policy(), JobId(1)).expect("it is pending");
    let there = "0 at most, of the projects that have no quota of their own: 1 short";
    assert_eq!(told.explanation.unfit[0].there, there);
    quotas.projects.insert(OTHERS.to_owned(), project(None, "plain", cpus(1, None, None)));
    let mut snapshot = limited(one_site(2), quotas);
    let jobs = [job(&snapshot, "nobody", 1, 1), job(&snapshot, "someone", 2, 1)];
    add(&mut snapshot, jobs);
    assert_eq!(started(&planned(&snapshot)), [1], "they share one");
}

#[test]
fn another_flavor_is_taken_where_the_best_has_no_quota_left() {
    let quotas = QuotaPolicy {
        projects: BTreeMap::from([("a".into(), project(None, "quick", cpus(8, None, None)))]),
        ..QuotaPolicy::default()
    };
    let mut snapshot = limited(super::two_sites(), quotas);
    let jobs: Vec<Pending> = (1..=3).map(|id| job(&snapshot, "a", id, 8)).collect();
    add(&mut snapshot, jobs);
    let plan = planned(&snapshot);
    assert_eq!(super::clusters(&plan), [1, 2, 2], "one on `quick`, `plain` is not limited");
}

#[test]
fn the_owner_takes_back_what_was_borrowed() {
    let quotas = two(cpus(8, None, None), cpus(8, None, None));
    let mut snapshot = limited(one_site(2), quotas);
    runs(&mut snapshot, "a", 1, 0, 8);
    runs(&mut snapshot, "a", 2, 1, 4);
    runs(&mut snapshot, "a", 3, 1, 4);
    let jobs = [job(&snapshot, "b", 1, 4), job(&snapshot, "b", 2, 4), job(&snapshot, "b", 3, 4)];
    add(&mut snapshot, jobs);
    let plan = planned(&snapshot);
    assert_eq!(stopped(&plan), [(3, 1), (2, 2)], "the last admitted first, and no more");
    assert!(matches!(plan.preemptions[0].why, PreemptedFor::Quota(_)));
    // While it ends nothing more is stopped for the same job.
    let view = &snapshot.clusters[&ClusterId(1)];
    let ending = Running { ending: Ending::Stopping, ..view.running[&AllocationId(3)].clone() };
    snapshot.apply(Change::Took(ClusterId(1), AllocationId(3), ending));
    assert_eq!(stopped(&planned(&snapshot)), [(2, 2)]);
    snapshot.apply(Change::Freed(ClusterId(1), AllocationId(3)));
    assert_eq!(started(&planned(&snapshot)), [1]);
}

#[test]
fn what_is_stopped_makes_room_on_nodes_too() {
    let quotas = two(cpus(8, None, None), cpus(8, None, None));
    let mut snapshot = limited(one_site(2), quotas.clone());
    for (id, node) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
        runs(&mut snapshot, "a", id, node, 4);
    }
    let whole = job(&snapshot, "b", 1, 8);
    add(&mut snapshot, [whole.clone()]);
    assert_eq!(stopped(&planned(&snapshot)), [(3, 1), (1, 1)], "both of one node");
    // Beside what no quota is about, nothing makes room.
    let mut snapshot = limited(one_site(2), quotas);
    for node in [0, 1] {
        runs(&mut snapshot, "a", u64::from(node) + 1, node, 7);
        let other = running(&[node], tres(1, 1, 0), at(3_600));
        snapshot.apply(Change::Took(ClusterId(1), AllocationId(u64::from(node) + 3), other));
    }
    add(&mut snapshot, [whole]);
    assert_eq!(stopped(&planned(&snapshot)), []);
}

#[test]
fn with_fair_sharing_the_one_who_borrows_least_goes_first() {
    let mut quotas = two(cpus(2, None, None), cpus(2, None, None));
    quotas.projects.insert("c".into(), project(Some("city"), "plain", cpus(8, None, None)));
    let jobs = |snapshot: &Snapshot| -> Vec<Pending> {
        let a = (1..=8).map(|id| job(snapshot, "a", id, 2));
        a.chain((11..=18).map(|id| job(snapshot, "b", id, 2))).collect()
    };
    let mut snapshot = limited(one_site(2), quotas.clone());
    let all = jobs(&snapshot);
    add(&mut snapshot, all);
    assert_eq!(started(&planned(&snapshot)), [1, 11, 2, 3, 4, 5], "own first, then by submission");
    quotas.sharing = Sharing::Fair;
    let mut snapshot = limited(one_site(2), quotas);
    let all = jobs(&snapshot);
    add(&mut snapshot, all);
    assert_eq!(started(&planned(&snapshot)), [1, 11, 2, 12, 3, 13]);
}

/// Trees of up to two levels of cohorts and four projects, over the flavors `f` and `g`.
fn any_quotas() -> impl Strategy<Value = QuotaPolicy> {
    let quota = (0i64..12, prop::option::of(0i64..8), prop::option::of(0i64..6));
    let rules = (0u8..3, 0u8..3, 0u8..3);
    let place = prop_oneof![Just(None), Just(Some("inner")), Just(Some("outer"))];
    let one = (place, prop::collection::vec(quota, 2), rules, 0u32..3_000);
    let projects = prop::collection::vec(one, 1..5);
    let gpus = prop::option::of(0i64..3);
    (projects, any::<bool>(), any::<bool>(), gpus).prop_map(|(projects, nested, fair, gpus)| {
        let mut quotas = QuotaPolicy {
            sharing: if fair { Sharing::Fair } else { Sharing::Priority },
            ..QuotaPolicy::default()
        };
        quotas.cohorts.insert("outer".into(), cohort(None));
        quotas.cohorts.insert("inner".into(), cohort(nested.then_some("outer")));
        for (number, (place, given, rules, weight_milli)) in (0..).zip(projects) {
            let flavor = |&(nominal, borrow, lend): &(i64, Option<i64>, Option<i64>)| {
                let (borrow, lend) = match place {
                    Some(_) => (borrow, lend.map(|lend| lend.min(nominal))),
                    None => (None, None),
                };
                let gpus = gpus.map(|nominal| Quota { nominal, ..Quota::default() });
                FlavorQuota { gpus, ..cpus(nominal, borrow, lend) }
            };
            let flavors = ["f", "g"].into_iter().zip(&given);
            let project = ProjectQuota {
                cohort: place.map(str::to_owned),
                weight_milli,
                rules: any_rules(rules),
                flavors: flavors.map(|(name, one)| (name.to_owned(), flavor(one))).collect(),
            };
            quotas.projects.insert(format!("p{number}"), project);
        }
        quotas
    })
}

fn any_rules((within, reclaim, borrow): (u8, u8, u8)) -> Rules {
    Rules {
        within_queue: match within {
            0 => WithinQueue::Never,
            1 => WithinQueue::LowerPriority,
            _ => WithinQueue::LowerOrNewerEqual,
        },
        reclaim: match reclaim {
            0 => Reclaim::Never,
            1 => Reclaim::LowerPriority,
            _ => Reclaim::Any,
        },
        borrow: match borrow {
            0 => Borrow::Never,
            1 => Borrow::LowerPriority { at_most: None },
            _ => Borrow::LowerPriority { at_most: Some(0) },
        },
    }
}

/// Whether all that runs is within the tree, worked out the long way: of every member what the
/// projects below it use, and from the leaves up what each must take from above.
fn is_within(snapshot: &Snapshot) -> Result<(), String> {
    let book = book(snapshot);
    let policy = book.policy();
    for flavor in ["f", "g"] {
        for resource in Resource::ALL {
            let used = |project: &str| -> i64 {
                let views = snapshot.clusters.values();
                let all = views.flat_map(|view| view.running.values().map(move |one| (view, one)));
                let of_flavor = all.filter(|(view, one)| {
                    let node = &view.inventory.nodes[one.nodes[0] as usize];
                    view.inventory.flavor_of(node).name == flavor
                });
                let of_project = of_flavor.filter(|(_, one)| {
                    one.held.as_ref().is_some_and(|held| held.queue == book.queue_of(project))
                });
                let amount = |(view, one): (&crate::snapshot::ClusterView, &Running)| {
                    let node = &view.inventory.nodes[one.nodes[0] as usize];
                    let per_node = match one.sharing {
                        suanpan_model::job::Sharing::Shared => one.per_node,
                        suanpan_model::job::Sharing::Exclusive => node.capacity,
                    };
                    resource.of(&per_node) * one.nodes.len() as i64
                };
                of_project.map(amount).sum()
            };
            // What a cohort's members take from it, and give to it.
            let mut asks: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
            for (name, project) in &policy.projects {
                let Some(quota) = project.flavors.get(flavor).and_then(|one| one.of(resource))
                else {
                    continue;
                };
                let used = used(name);
                let Some(above) = project.cohort.as_deref() else {
                    if used > quota.nominal {
                        return Err(format!("{name} uses {used} of {flavor} {resource:?}"));
                    }
                    continue;
                };
                if quota.borrowing_limit.is_some_and(|most| used > quota.nominal + most) {
                    return Err(format!("{name} borrows too much: {used}"));
                }
                let kept = quota.lending_limit.map_or(0, |lend| quota.nominal - lend);
                let entry = asks.entry(above).or_default();
                entry.0 += (used - kept).max(0);
                entry.1 += quota.nominal - kept;
            }
            let inner = asks.get("inner").copied().unwrap_or_default();
            if policy.cohorts["inner"].parent.is_some() {
                let outer = asks.entry("outer").or_default();
                (outer.0, outer.1) = (outer.0 + inner.0, outer.1 + inner.1);
            } else if inner.0 > inner.1 {
                return Err(format!("cohort inner: {inner:?} of {flavor} {resource:?}"));
            }
            let outer = asks.get("outer").copied().unwrap_or_default();
            if outer.0 > outer.1 {
                return Err(format!("cohort outer: {outer:?} of {flavor} {resource:?}"));
            }
        }
    }
    Ok(())
}

/// What the engine tells of an allocation.
fn held(
    snapshot: &Snapshot,
    job: &Pending,
    allocation: u64,
    one: &Running,
    at: ClusterId,
) -> Option<Box<Held>> {
    let book = book(snapshot);
    let view = &snapshot.clusters[&at];
    let node = &view.inventory.nodes[one.nodes[0] as usize];
    let per_node = crate::fit::amount_on(&job.shape, &node.capacity);
    let flavor = book.flavor(&view.inventory.flavor_of(node).name)?;
    Some(Box::new(Held {
        queue: job.queue?,
        amounts: book.amounts(flavor, &per_node, one.nodes.len()),
        priority: job.priority,
        queued: job.submitted,
        admitted: Timestamp(allocation as i64),
    }))
}

proptest! {
    #[test]
    fn no_plan_exceeds_a_quota_at_any_instant(
        sites in any_network(), jobs in any_jobs(), quotas in any_quotas(),
        early in prop::collection::vec(any::<u8>(), 40),
    ) {
        let mut sites = sites;
        for site in sites.iter_mut().skip(1) {
            site.flavors[0].name = "g".to_owned();
        }
        prop_assert_eq!(quotas.check(), Ok(()));
        let mut snapshot = limited(network(sites), quotas);
        let projects = ["p0", "p1", "p2", "p3"];
        let jobs: Vec<Pending> = jobs
            .into_iter()
            .map(|job| of(&snapshot, projects[job.job.0 as usize % 4], job))
            .collect();
        add(&mut snapshot, jobs);
        let (mut now, mut next) = (NOW, 0);
        for early in early {
            let plan = plan(&snapshot, now, &policy());
            let jobs: BTreeMap<JobId, Pending> =
                snapshot.pending.values().map(|job| (job.job, job.clone())).collect();
            let before = next;
            commit(&mut snapshot, &plan, now, &mut next);
            for (number, placement) in (before + 1..).zip(&plan.placements) {
                let (id, cluster) = (AllocationId(number), placement.cluster);
                let one = snapshot.clusters[&cluster].running[&id].clone();
                let held = held(&snapshot, &jobs[&placement.job], number, &one, cluster);
                snapshot.apply(Change::Took(cluster, id, Running { held, ..one }));
            }
            snapshot.check();
            prop_assert_eq!(is_within(&snapshot), Ok(()));
            // What is taken back was borrowed by another, or is of the same project.
            for one in &plan.preemptions {
                let held = snapshot.clusters[&one.cluster].running[&one.allocation].held.as_ref();
                prop_assert!(held.is_some(), "only what holds a quota is taken back");
            }
            for (number, one) in plan.preemptions.iter().enumerate() {
                let again = plan.preemptions[..number].iter().any(|o| o.allocation == one.allocation);
                prop_assert!(!again, "stopped once");
                snapshot.apply(Change::Freed(one.cluster, one.allocation));
            }
            // Some end before their time.
            let running: Vec<(ClusterId, AllocationId)> = snapshot
                .clusters
                .iter()
                .flat_map(|(id, view)| view.running.keys().map(move |one| (*id, *one)))
                .collect();
            for (cluster, id) in running {
                if (id.0 as u8).wrapping_mul(31).wrapping_add(early) % 5 == 0 {
                    snapshot.apply(Change::Freed(cluster, id));
                }
            }
            let Some(end) = next_end(&snapshot, now) else { continue };
            now = end;
            finish(&mut snapshot, now);
        }
    }

    #[test]
    fn quotas_that_limit_nothing_here_change_no_plan(
        sites in any_network(), jobs in any_jobs(),
    ) {
        let mut free = network(sites.clone());
        add(&mut free, jobs.clone());
        let quotas = QuotaPolicy {
            projects: BTreeMap::from([("a".into(), project(None, "elsewhere", cpus(1, None, None)))]),
            ..QuotaPolicy::default()
        };
        let mut snapshot = limited(network(sites), quotas);
        let jobs: Vec<Pending> = jobs.into_iter().map(|job| of(&snapshot, "a", job)).collect();
        add(&mut snapshot, jobs);
        let (with, without) = (planned(&snapshot), planned(&free));
        prop_assert_eq!(with.placements, without.placements);
        prop_assert_eq!(with.shadow_starts, without.shadow_starts);
    }
}
