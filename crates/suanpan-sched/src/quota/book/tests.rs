use super::*;
use crate::quota::policy::{CohortQuota, ProjectQuota, QuotaFault};

fn gpus(nominal: i64, borrow: Option<i64>, lend: Option<i64>) -> FlavorQuota {
    let quota = Quota { nominal, borrowing_limit: borrow, lending_limit: lend };
    FlavorQuota { gpus: Some(quota), ..FlavorQuota::default() }
}

fn project(cohort: Option<&str>, quota: FlavorQuota) -> ProjectQuota {
    ProjectQuota {
        cohort: cohort.map(str::to_owned),
        weight_milli: WEIGHT_ONE,
        rules: Rules::default(),
        flavors: BTreeMap::from([("h200".to_owned(), quota)]),
    }
}

fn cohort(parent: Option<&str>) -> CohortQuota {
    let parent = parent.map(str::to_owned);
    CohortQuota { parent, weight_milli: WEIGHT_ONE, flavors: BTreeMap::new() }
}

/// `city` holds `labs` (with `a` and `b`) and `c`.
fn tree() -> QuotaPolicy {
    QuotaPolicy {
        cohorts: [("city", cohort(None)), ("labs", cohort(Some("city")))]
            .map(|(name, one)| (name.to_owned(), one))
            .into(),
        projects: [
            ("a", project(Some("labs"), gpus(8, Some(4), None))),
            ("b", project(Some("labs"), gpus(8, None, Some(2)))),
            ("c", project(Some("city"), gpus(16, None, None))),
        ]
        .map(|(name, one)| (name.to_owned(), one))
        .into(),
        ..QuotaPolicy::default()
    }
}

fn refused(change: impl FnOnce(&mut QuotaPolicy)) -> QuotaFault {
    let mut policy = tree();
    assert_eq!(policy.check(), Ok(()));
    change(&mut policy);
    policy.check().expect_err("it is refused")
}

#[test]
fn a_tree_that_cannot_be_kept_is_refused_by_name() {
    let circle = refused(|tree| tree.cohorts.get_mut("city").unwrap().parent = Some("labs".into()));
    assert_eq!((&*circle.field, &*circle.value), ("cohorts.city.parent", "city > labs > city"));
    let own = refused(|tree| tree.cohorts.get_mut("city").unwrap().parent = Some("city".into()));
    assert_eq!(own.value, "city > city");
    let unknown = refused(|tree| tree.projects.get_mut("a").unwrap().cohort = Some("town".into()));
    assert_eq!((&*unknown.field, &*unknown.value), ("projects.a.cohort", "town"));
    assert_eq!(unknown.expected, "a cohort of the tree: city, labs");
    let below = refused(|tree| {
        tree.projects.insert("a".into(), project(Some("labs"), gpus(-1, None, None)));
    });
    assert_eq!(
        below.to_string(),
        "`projects.a.flavors.h200.gpus.nominal` is `-1`: expected 0 or more"
    );
    let lends = refused(|tree| {
        tree.projects.insert("a".into(), project(Some("labs"), gpus(4, None, Some(5))));
    });
    assert_eq!(
        (&*lends.field, &*lends.expected),
        ("projects.a.flavors.h200.gpus.lend", "at most the nominal 4")
    );
    let alone = refused(|tree| {
        tree.projects.insert("a".into(), project(None, gpus(4, Some(5), None)));
    });
    assert_eq!(alone.field, "projects.a.flavors.h200.gpus.borrow");
    let other = refused(|tree| {
        let cpus = FlavorQuota { cpus: Some(Quota::default()), ..gpus(4, None, None) };
        tree.projects.insert("b".into(), project(Some("labs"), cpus));
    });
    assert_eq!((&*other.value, &*other.expected), ("cpus and gpus", "gpus, as project a has"));
    assert_eq!(refused(|tree| tree.projects.clear()).field, "projects");
    assert_eq!(
        refused(|tree| {
            tree.projects.insert(" a".into(), project(None, gpus(4, None, None)));
        })
        .value,
        " a"
    );
}

#[test]
fn a_table_tells_of_every_member() {
    let mut book = Book::new(Arc::new(tree()));
    let flavor = book.flavor("h200").expect("it is limited");
    assert_eq!(book.flavor("a100"), None);
    let nodes = Tres { gpus: 5, ..Tres::default() };
    let held = Held {
        queue: book.queue_of("a"),
        amounts: book.amounts(flavor, &nodes, 2),
        priority: 0,
        queued: Timestamp(0),
        admitted: Timestamp(0),
    };
    book.hold(&held);
    let row = |entry: &Entry| {
        let name = entry.name.clone();
        (name, entry.quota.nominal, entry.used, entry.borrowed, entry.lendable, entry.available)
    };
    let rows: Vec<_> = book.entries().iter().map(row).collect();
    let expected = [
        ("city", 0, 10, 0, 0, 16),
        ("labs", 0, 10, 0, 0, 16),
        ("a", 8, 10, 2, 0, 2),
        ("b", 8, 0, 0, 2, 22),
        ("c", 16, 0, 0, 16, 16),
    ];
    let expected = expected.map(|(name, n, u, b, l, a)| (name.to_owned(), n, u, b, l, a));
    assert_eq!(rows, expected);
    book.release(&held);
    assert_eq!(book, Book::new(Arc::new(tree())), "as before");
}
