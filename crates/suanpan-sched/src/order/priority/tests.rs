use super::{Asked, Entitlement, PriorityPolicy, Qos};
use crate::order::multifactor::{Factor, Size};
use suanpan_model::time::{Seconds, Timestamp};

fn asked(qos: Option<&str>, nice: i32) -> Asked<'_> {
    let size = Size { nodes: 1, cpus: 1, time: Seconds(60), nodes_there: 10, cpus_there: 10 };
    Asked { qos, nice, size, eligible_since: Timestamp(0), fair_share: Factor::ONE }
}

#[test]
fn every_factor_counts_by_its_weight() {
    let mut policy = PriorityPolicy::default();
    policy.weights.qos = 500;
    policy.qos.insert("urgent".into(), Qos { priority: 10, ..Qos::default() });
    policy.qos.insert("low".into(), Qos { priority: 1, ..Qos::default() });
    let at = |days: u64| Timestamp(0).plus(Seconds(days * 24 * 3_600));
    let priority = |asked: &Asked<'_>, days| policy.parts(asked, at(days)).priority();
    assert_eq!(priority(&asked(None, 0), 0), 10_100, "fair share and a tenth of the network");
    assert_eq!(priority(&asked(Some("urgent"), 0), 0), 10_600);
    assert_eq!(priority(&asked(Some("low"), 0), 0), 10_150);
    assert_eq!(priority(&asked(Some("unknown"), 0), 0), 10_100);
    assert_eq!(priority(&asked(None, 100), 0), 10_000);
    assert_eq!(priority(&asked(None, 0), 7), 11_100);
    assert_eq!(priority(&asked(None, 0), 70), 11_100, "age stops counting");
}

#[test]
fn projects_are_ranked_before_their_users() {
    let mut policy = PriorityPolicy::default();
    policy.shares.insert("physics".into(), Entitlement { shares: 3, ..Entitlement::default() });
    let idle = Entitlement { shares: 1, users: [("dora".to_owned(), 1)].into() };
    policy.shares.insert("idle".into(), idle);
    let used = [("chemistry", "ada", 100), ("chemistry", "bob", 300), ("physics", "cleo", 600)];
    let shares = policy.fair_shares(used);
    let factor = |user: &str| {
        shares.iter().find(|one| one.user == user).map(|one| one.factor).expect("it is ranked")
    };
    assert_eq!(factor("dora"), Factor::ONE, "no usage");
    assert_eq!(factor("cleo"), Factor::of(3, 4), "three shares of 600 are more than one of 400");
    assert_eq!(factor("ada"), Factor::of(2, 4));
    assert_eq!(factor("bob"), Factor::of(1, 4));
}
