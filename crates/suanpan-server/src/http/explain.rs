//! Says why in words: the step table, the smallest change, and what beat a losing candidate.

use super::convert::{Names, word};
use suanpan_model::job::Goal;
use suanpan_sched::explain::{Effect, Remedy, Step};
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

/// Condition by condition, how many clusters still match, and which ones each ruled out.
pub(super) fn steps(found: &[Step], unfit: &[Unfit], names: &Names) -> Vec<v1::Step> {
    let ruled_out = |predicate: Predicate| {
        let here = unfit.iter().filter(|one| one.predicate == predicate);
        here.map(|one| names.get(one.cluster)).collect()
    };
    let show = |step: &Step| v1::Step {
        condition: word(&step.predicate),
        asked: names.say(&step.condition),
        matching: step.sites,
        ruled_out: ruled_out(step.predicate),
    };
    found.iter().map(show).collect()
}

/// The smallest change that would let more clusters match.
pub(super) fn smallest_change(remedies: &[Remedy], names: &Names) -> Option<v1::Change> {
    let Remedy { cluster, site, changes, effect } = remedies.first()?;
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let cluster = names.get(*cluster);
    let (effect, achieves) = match effect {
        Effect::StartsNow => (v1::ChangeEffect::StartsNow, "starts now"),
        Effect::CanRun => (v1::ChangeEffect::CanRun, "can run"),
    };
    let text = format!("{}, and it {achieves} on {cluster}", changes.join(" and "));
    Some(v1::Change { site: site.clone(), cluster, changes, effect, text })
}

/// Why a candidate lost against the winner, by what the goal looks at first.
pub(super) fn why_not(loser: &Candidate, winner: &Candidate, goal: Goal) -> String {
    let later = loser.finish.0.saturating_sub(winner.finish.0) / 1_000_000;
    let most = loser.cost.0.saturating_sub(winner.cost.0);
    let foretold = |one: &Candidate| one.score != one.cost.0;
    // The cheapest is judged by what it will cost, which is its score, and not by the most.
    let (dearer, verb) = match goal {
        Goal::Cheapest if foretold(loser) || foretold(winner) => {
            (loser.score.saturating_sub(winner.score), "is expected to cost")
        }
        _ => (most, "costs"),
    };
    let slow = || format!("would finish {} later", length(later));
    let dear = || format!("{verb} {} credits more", suanpan_model::money::MicroCredits(dearer));
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
    let word = word(&reason);
    let known = v1::WAITING_REASONS.iter().find(|one| one.word == word);
    let text = known.map_or(word.as_str(), |one| one.text);
    match detail {
        "" => text.to_owned(),
        _ => format!("{text}: {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{length, smallest_change, steps, why_not};
    use crate::http::convert::{Names, word};
    use suanpan_model::id::ClusterId;
    use suanpan_model::job::Goal;
    use suanpan_model::money::MicroCredits;
    use suanpan_model::time::{Seconds, Timestamp};
    use suanpan_sched::explain::{Effect, Remedy, Step, Tweak};
    use suanpan_sched::flavor_speed::Basis;
    use suanpan_sched::reason::{Candidate, Predicate, Unfit, WaitingFor};
    use suanpan_sched::waits::WaitBasis;
    use suanpan_wire::v1::WAITING_REASONS;

    fn candidate(finish_s: i64, cost: i64) -> Candidate {
        Candidate {
            cluster: ClusterId(1),
            site: "s".into(),
            partition: "p".into(),
            flavor: "f".into(),
            start: Timestamp(0),
            start_latest: Timestamp(0),
            wait_from: WaitBasis::Free,
            stage: Seconds(0),
            stage_from: None,
            run: Seconds(0),
            basis: Basis::Declared,
            out: Seconds(0),
            out_from: None,
            finish: Timestamp(finish_s * 1_000_000),
            cost: MicroCredits(cost),
            score: cost,
        }
    }

    #[test]
    fn steps_name_whom_they_ruled_out_and_changes_are_advice() {
        let steps_found =
            [Step { predicate: Predicate::Gpus, condition: "4 GPUs on a node".into(), sites: 1 }];
        let unfit = Unfit {
            cluster: ClusterId(1),
            site: "s".into(),
            predicate: Predicate::Gpus,
            asked: "4 GPUs on a node".into(),
            there: "at most 2".into(),
        };
        let table = steps(&steps_found, &[unfit], &Names::default());
        assert_eq!((table[0].condition.as_str(), table[0].matching), ("gpus", 1));
        assert_eq!(table[0].ruled_out, ["cluster 1"]);
        let remedy = Remedy {
            cluster: ClusterId(1),
            site: "s".into(),
            changes: vec![Tweak::Gpus(2)],
            effect: Effect::CanRun,
        };
        let change = smallest_change(&[remedy], &Names::default()).expect("there is one");
        assert_eq!(change.text, "ask at most 2 GPUs per node, and it can run on cluster 1");
    }

    #[test]
    fn losers_hear_what_their_goal_weighs() {
        let winner = candidate(100, 1_000_000);
        let told = |finish, cost, goal| why_not(&candidate(finish, cost), &winner, goal);
        assert_eq!(told(160, 500_000, Goal::Fastest), "would finish 60 s later");
        assert_eq!(told(50, 1_500_000, Goal::Cheapest), "costs 0.50 credits more");
        // The most it may cost is less, but not what it will: the run time there is known.
        let dear = Candidate { score: 400_000, ..candidate(100, 500_000) };
        let winner = Candidate { score: 100_000, ..candidate(100, 1_000_000) };
        let told_cheapest = why_not(&dear, &winner, Goal::Cheapest);
        assert_eq!(told_cheapest, "is expected to cost 0.30 credits more");
        assert_eq!(
            told(160, 500_000, Goal::Balanced),
            "would finish 60 s later, which outweighs its lower price"
        );
    }

    /// The reason after this one; every reason has a line here, or this does not compile.
    fn next(reason: WaitingFor) -> Option<WaitingFor> {
        use WaitingFor::{
            BeginTime, Budget, Deadline, Dependency, DependencyNeverSatisfied, InputMissing,
            JobArrayTaskLimit, JobHeldUser, NoSiteFits, Priority, Quota, ReqNodeNotAvail,
            Resources, SiteRefused, SiteUnreachable,
        };
        Some(match reason {
            Resources => Priority,
            Priority => Dependency,
            Dependency => DependencyNeverSatisfied,
            DependencyNeverSatisfied => BeginTime,
            BeginTime => JobHeldUser,
            JobHeldUser => InputMissing,
            InputMissing => JobArrayTaskLimit,
            JobArrayTaskLimit => NoSiteFits,
            NoSiteFits => Budget,
            Budget => Quota,
            Quota => SiteUnreachable,
            SiteUnreachable => SiteRefused,
            SiteRefused => Deadline,
            Deadline => ReqNodeNotAvail,
            ReqNodeNotAvail => return None,
        })
    }

    #[test]
    fn every_waiting_reason_is_in_the_table_of_the_reference() {
        let all = std::iter::successors(Some(WaitingFor::Resources), |reason| next(*reason));
        let words: Vec<String> = all.map(|reason| word(&reason)).collect();
        let table: Vec<&str> = WAITING_REASONS.iter().map(|one| one.word).collect();
        assert_eq!(words, table);
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!([length(45), length(720), length(12_600)], ["45 s", "12 min", "3.5 h"]);
    }
}
