//! Says why in words: the step table, the smallest change, and what beat a losing candidate.

use super::convert::{Names, word};
use std::collections::BTreeMap;
use suanpan_model::job::Goal;
use suanpan_sched::reason::{Candidate, Predicate, Unfit, WaitingFor};
use suanpan_wire::v1;

/// Why one cluster cannot take a job, as a sentence.
pub(super) fn unfit_text(unfit: &Unfit) -> String {
    match (unfit.asked.as_str(), unfit.there.as_str()) {
        ("", there) => there.to_owned(),
        (asked, "") => format!("asks {asked}"),
        (asked, there) => format!("asks {asked}; there: {there}"),
    }
}

/// Condition by condition, how many of the `names` still match.
pub(super) fn steps(unfit: &[Unfit], names: &Names) -> Vec<v1::Step> {
    let mut by_condition: BTreeMap<Predicate, Vec<&Unfit>> = BTreeMap::new();
    for one in unfit {
        by_condition.entry(one.predicate).or_default().push(one);
    }
    let mut matching = u32::try_from(names.iter().count()).unwrap_or(u32::MAX);
    let step = |(predicate, ruled_out): (Predicate, Vec<&Unfit>)| {
        matching = matching.saturating_sub(ruled_out.len() as u32);
        v1::Step {
            condition: word(&predicate),
            asked: ruled_out.first().map(|one| one.asked.clone()).unwrap_or_default(),
            matching,
            ruled_out: ruled_out.iter().map(|one| names.get(one.cluster)).collect(),
        }
    };
    by_condition.into_iter().map(step).collect()
}

/// The smallest change that would let more clusters match: relaxing the last condition that the
/// cluster which came furthest does not meet. `None` if no change of the job would help.
pub(super) fn smallest_change(unfit: &[Unfit], names: &Names) -> Option<v1::Change> {
    let may_relax = |one: &&Unfit| {
        !matches!(one.predicate, Predicate::Reachable | Predicate::Resources | Predicate::Priority)
    };
    let furthest = unfit.iter().filter(may_relax).max_by_key(|one| one.predicate)?;
    let same = |one: &&Unfit| one.predicate == furthest.predicate && one.there == furthest.there;
    let clusters: Vec<String> =
        unfit.iter().filter(same).map(|one| names.get(one.cluster)).collect();
    let text = format!(
        "{} comes nearest: it asks {}, there: {}",
        clusters.join(", "),
        furthest.asked,
        furthest.there
    );
    Some(v1::Change {
        condition: word(&furthest.predicate),
        from: furthest.asked.clone(),
        to: furthest.there.clone(),
        clusters,
        text,
    })
}

/// Why a candidate lost against the winner, by what the goal looks at first.
pub(super) fn why_not(loser: &Candidate, winner: &Candidate, goal: Goal) -> String {
    let later = loser.finish.0.saturating_sub(winner.finish.0) / 1_000_000;
    let dearer = loser.cost.0.saturating_sub(winner.cost.0);
    let slow = || format!("would finish {} later", length(later));
    let dear = || format!("costs {} credits more", suanpan_model::money::MicroCredits(dearer));
    match (goal, later > 0, dearer > 0) {
        (Goal::Fastest, true, _) => slow(),
        (Goal::Cheapest, _, true) => dear(),
        (_, true, true) => format!("{} and {}", slow(), dear()),
        (_, true, false) if dearer < 0 => format!("{}, which outweighs its lower price", slow()),
        (_, true, false) => slow(),
        (_, false, true) if later < 0 => {
            format!("{}, which outweighs its earlier finish", dear())
        }
        (_, false, true) => dear(),
        (_, false, false) => "no better, and behind by name".to_owned(),
    }
}

/// A length of time in the largest unit that is not zero: `45 s`, `12 min`, `3.5 h`.
pub(super) fn length(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{}.{} h", seconds / 3600, seconds % 3600 / 360),
    }
}

/// A pending reason as a sentence; `detail` is the dependency, begin time or limit in words.
pub(super) fn reason_text(reason: WaitingFor, detail: &str) -> String {
    let with = |text: &str| match detail {
        "" => text.to_owned(),
        _ => format!("{text}: {detail}"),
    };
    match word(&reason).as_str() {
        "Resources" => with("it is next in line, and what it needs is not free yet"),
        "Priority" => with("jobs ahead of it are promised what is free"),
        "Dependency" => with("its dependency is not satisfied yet"),
        "DependencyNeverSatisfied" => with("its dependency can no longer be satisfied"),
        "BeginTime" => with("its begin time has not come"),
        "JobHeldUser" => with("its user holds it; let it go with"),
        "JobArrayTaskLimit" => with("as many of its tasks run as its own limit allows"),
        "NoSiteFits" => with("no site of the network could ever run it"),
        "Budget" => with("every site that fits is above its budget"),
        "SiteUnreachable" => with("the sites that fit are out of contact"),
        "SiteRefused" => with("the sites that fit refused it lately"),
        "Deadline" => with("no site could finish it by its deadline"),
        other => with(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{length, smallest_change, steps, why_not};
    use crate::http::convert::Names;
    use suanpan_model::id::ClusterId;
    use suanpan_model::job::Goal;
    use suanpan_model::money::MicroCredits;
    use suanpan_model::time::{Seconds, Timestamp};
    use suanpan_sched::reason::{Candidate, Predicate, Unfit};

    fn unfit(cluster: u32, predicate: Predicate, asked: &str, there: &str) -> Unfit {
        let (asked, there) = (asked.to_owned(), there.to_owned());
        Unfit { cluster: ClusterId(cluster), site: "s".into(), predicate, asked, there }
    }

    fn candidate(finish_s: i64, cost: i64) -> Candidate {
        Candidate {
            cluster: ClusterId(1),
            site: "s".into(),
            partition: "p".into(),
            flavor: "f".into(),
            start: Timestamp(0),
            start_latest: Timestamp(0),
            stage: Seconds(0),
            run: Seconds(0),
            finish: Timestamp(finish_s * 1_000_000),
            cost: MicroCredits(cost),
            score: 0,
        }
    }

    #[test]
    fn steps_count_down_and_the_nearest_cluster_is_named() {
        let found = [
            unfit(1, Predicate::Gpus, "4 GPUs", "at most 2"),
            unfit(2, Predicate::Cpus, "64 CPUs", "at most 8"),
        ];
        let table = steps(&found, &Names::default());
        let order: Vec<&str> = table.iter().map(|step| step.condition.as_str()).collect();
        assert_eq!(order, ["cpus", "gpus"]);
        let change = smallest_change(&found, &Names::default()).expect("there is one");
        assert_eq!((change.condition.as_str(), change.to.as_str()), ("gpus", "at most 2"));
    }

    #[test]
    fn losers_hear_what_their_goal_weighs() {
        let winner = candidate(100, 1_000_000);
        let told = |finish, cost, goal| why_not(&candidate(finish, cost), &winner, goal);
        assert_eq!(told(160, 500_000, Goal::Fastest), "would finish 60 s later");
        assert_eq!(told(50, 1_500_000, Goal::Cheapest), "costs 0.50 credits more");
        assert_eq!(
            told(160, 500_000, Goal::Balanced),
            "would finish 60 s later, which outweighs its lower price"
        );
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!([length(45), length(720), length(12_600)], ["45 s", "12 min", "3.5 h"]);
    }
}
