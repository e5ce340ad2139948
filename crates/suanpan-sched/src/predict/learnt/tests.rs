//! Beliefs are never beyond what is possible, and never come from what has not happened.

use super::*;
use proptest::prelude::*;

fn job(user: u32, requested: u64) -> JobFeatures {
    JobFeatures {
        sequence: 0,
        user,
        group: 0,
        name: 0,
        queue: 0,
        processors: 4,
        requested: Seconds(requested),
        submitted: Timestamp(0),
    }
}

#[test]
fn nothing_known_is_the_requested_time() {
    let belief = History::default().belief(&job(1, 3_600), Seconds(0));
    assert!((belief.mean() - 3_600.0).abs() < 1e-9);
    assert!((belief.urgency() - 1.0 / 3_600.0).abs() < 1e-12);
}

#[test]
fn a_user_is_believed_more_with_each_job() {
    let mut history = History::default();
    let mut before = 3_600.0;
    for _ in 0..6 {
        history.learn(&job(1, 3_600), Seconds(60));
        let mean = history.belief(&job(1, 3_600), Seconds(0)).mean();
        assert!(mean < before);
        before = mean;
    }
    assert!(before < 120.0, "{before}");
    // Another user has heard of it, and is less sure.
    let other = history.belief(&job(2, 3_600), Seconds(0)).mean();
    assert!(other > before && other < 3_600.0);
}

#[test]
fn what_is_outlived_is_forgotten() {
    let mut history = History::default();
    for run in [20, 20, 20, 2_000] {
        history.learn(&job(1, 3_600), Seconds(run));
    }
    let at_first = history.belief(&job(1, 3_600), Seconds(0)).mean();
    let later = history.belief(&job(1, 3_600), Seconds(100)).mean();
    assert!(at_first < 1_500.0 && later > 1_900.0, "{at_first} {later}");
    assert_eq!(history.belief(&job(1, 3_600), Seconds(3_700)).range(0.1).0, Seconds(3_701));
}

#[test]
fn cells_follow_each_other() {
    for run in (0..40_000).chain([1 << 31, u64::from(u32::MAX)]) {
        let place = usize::from(place_of(Seconds(run)));
        assert!(least_of(place) <= run.max(1));
        assert!(place == Histogram::CELLS - 1 || least_of(place + 1) > run);
    }
}

prop_compose! {
    fn ended()(
        user in 0_u32..3, requested in 1_u64..100_000, share in 0.0_f64..=1.0,
    ) -> (JobFeatures, Seconds) {
        (job(user, requested), Seconds((requested as f64 * share) as u64))
    }
}

proptest! {
    #[test]
    fn predictions_are_possible(
        past in prop::collection::vec(ended(), 0..60),
        user in 0_u32..4, requested in 1_u64..100_000, elapsed in 0_u64..100_000,
    ) {
        let mut learnt = Learnt::default();
        for (job, run) in &past {
            learnt.ended(job, *run, Timestamp(0));
        }
        let asked = job(user, requested);
        let predicted = learnt.predict(&asked);
        prop_assert!(Seconds(1) <= predicted && predicted <= asked.requested);
        if elapsed < requested {
            let corrected = learnt.correct(&asked, Seconds(elapsed), 0);
            prop_assert!(Seconds(elapsed) < corrected && corrected <= asked.requested);
            let belief = learnt.history.belief(&asked, Seconds(elapsed));
            prop_assert!(belief.mean() > elapsed as f64);
            prop_assert!(belief.mean() <= requested as f64 + 1e-6);
            let (low, high) = belief.range(0.1);
            prop_assert!(Seconds(elapsed) < low && low <= high && high <= asked.requested);
            prop_assert!(belief.urgency() > 0.0 && belief.urgency() <= 0.1 + 1e-12);
        }
    }

    /// Two histories with the same past say the same, bit for bit, whatever comes after.
    #[test]
    fn the_future_changes_nothing(
        past in prop::collection::vec(ended(), 0..40),
        future in prop::collection::vec(ended(), 0..40),
    ) {
        let (mut one, mut other) = (Learnt::default(), Learnt::default());
        let mut said = Vec::new();
        for (job, run) in past.iter().chain(&future) {
            said.push(one.predict(job));
            one.ended(job, *run, Timestamp(0));
        }
        for (at, (job, run)) in past.iter().chain(future.iter().rev()).enumerate() {
            let predicted = other.predict(job);
            if at < past.len() {
                prop_assert_eq!(predicted, said[at]);
            }
            other.ended(job, *run, Timestamp(0));
        }
    }
}
