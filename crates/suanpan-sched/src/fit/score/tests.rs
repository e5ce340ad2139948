use crate::fit::Offer;
use crate::fit::score::{Score, Yardstick, score, shown};
use crate::fixtures::{NOW, at, wall};
use crate::flavor_speed::Basis;
use suanpan_model::id::ClusterId;
use suanpan_model::job::Goal;
use suanpan_model::money::MicroCredits;
use suanpan_model::time::{Seconds, Timestamp};

fn offer(cluster: u32, stage: u64, run: u64, cost: i64, preference: u16) -> Offer {
    Offer {
        cluster: ClusterId(cluster),
        partition: 0,
        flavor: 0,
        pool: 0,
        picked: None,
        preference,
        limit: wall(100),
        wait: Seconds(0),
        stage: Seconds(stage),
        stage_from: None,
        out: Seconds(0),
        out_from: None,
        run: Seconds(run),
        basis: Basis::Declared,
        cost: MicroCredits(cost),
        expected_cost: MicroCredits(cost),
    }
}

/// Clusters in the order of their scores.
fn ranked(goal: Goal, offers: &[(Offer, Timestamp)]) -> Vec<u32> {
    let all: Vec<Offer> = offers.iter().map(|(offer, _)| offer.clone()).collect();
    let yardstick = Yardstick::of(&all);
    let mut scores: Vec<(Score, u32)> = offers
        .iter()
        .map(|(offer, start)| (score(goal, offer, *start, &yardstick), offer.cluster.0))
        .collect();
    scores.sort();
    scores.into_iter().map(|(_, cluster)| cluster).collect()
}

#[test]
fn goals_rank_as_documented() {
    let offers = [
        (offer(1, 0, 100, 9, 0), at(0)),
        (offer(2, 10, 100, 5, 0), at(0)),
        (offer(3, 0, 100, 1, 0), at(500)),
        (offer(4, 0, 200, 5, 0), at(0)),
    ];
    assert_eq!(ranked(Goal::Fastest, &offers), [1, 2, 4, 3]);
    assert_eq!(ranked(Goal::Cheapest, &offers), [3, 2, 4, 1]);
    // 1 + 9, 1.1 + 5, 6 + 1, 2 + 5: the later start is as good, and ranks by its finish.
    assert_eq!(ranked(Goal::Balanced, &offers), [2, 4, 3, 1]);
}

#[test]
fn the_flavor_order_comes_after_the_goal_and_before_the_rest() {
    let offers = [(offer(1, 0, 100, 5, 1), at(0)), (offer(2, 0, 100, 9, 0), at(0))];
    assert_eq!(ranked(Goal::Fastest, &offers), [2, 1]);
    assert_eq!(ranked(Goal::Cheapest, &offers), [1, 2]);
    let equal = [(offer(2, 0, 100, 5, 0), at(0)), (offer(1, 0, 100, 5, 0), at(0))];
    assert_eq!(ranked(Goal::Fastest, &equal), [1, 2], "then by cluster");
    let earlier = [(offer(1, 0, 50, 5, 0), at(50)), (offer(2, 0, 100, 5, 0), at(0))];
    assert_eq!(ranked(Goal::Fastest, &earlier), [2, 1], "the same finish: the earlier start");
}

#[test]
fn a_free_site_does_not_outweigh_everything() {
    let offers = [(offer(1, 0, 500, 0, 0), at(0)), (offer(2, 0, 100, 2, 0), at(0))];
    assert_eq!(ranked(Goal::Balanced, &offers), [2, 1]);
    let all_free = [(offer(1, 0, 500, 0, 0), at(0)), (offer(2, 0, 100, 0, 0), at(0))];
    assert_eq!(ranked(Goal::Balanced, &all_free), [2, 1]);
}

#[test]
fn balanced_does_not_change_as_time_passes() {
    // At any common shift of starts the order stays.
    for shift in [0, 1, 1_000, 1_000_000] {
        let offers =
            [(offer(1, 0, 100, 9, 0), at(shift)), (offer(2, 0, 110, 5, 0), at(shift + 69))];
        // 1 + 1.8 against 1.79 + 1.
        assert_eq!(ranked(Goal::Balanced, &offers), [2, 1]);
    }
}

#[test]
fn scores_are_shown_in_the_goals_unit() {
    let one = offer(1, 10, 100, 6, 0);
    let yardstick = Yardstick { length: Seconds(55), cost: MicroCredits(3) };
    let shown = |goal| shown(goal, &one, at(1), NOW, &yardstick);
    assert_eq!(shown(Goal::Fastest), 111_000);
    assert_eq!(shown(Goal::Cheapest), 6);
    assert_eq!(shown(Goal::Balanced), 2_018 + 2_000);
}
