//! The profile against a plain array of one number for each second.

use super::*;
use proptest::prelude::*;

const SPAN: usize = 400;
const PROCESSORS: u32 = 10;

fn at(second: usize) -> Timestamp {
    Timestamp(second as i64 * 1_000_000)
}

fn second(at: Timestamp) -> usize {
    (at.0 / 1_000_000) as usize
}

struct Naive([u32; SPAN]);

impl Naive {
    fn free(&self, second: usize) -> u32 {
        self.0.get(second).copied().unwrap_or(PROCESSORS)
    }

    fn fits(&self, from: usize, processors: u32, hold: usize) -> bool {
        (from..from + hold).all(|second| self.free(second) >= processors)
    }

    fn earliest(&self, from: usize, processors: u32, hold: usize) -> usize {
        (from..).find(|start| self.fits(*start, processors, hold)).expect("free at the end")
    }
}

#[test]
fn a_job_wider_than_the_machine_never_fits() {
    let profile = Profile::new(at(0), PROCESSORS);
    assert_eq!(profile.earliest(at(0), PROCESSORS + 1, Seconds(1)), None);
    assert_eq!(profile.earliest(at(5), PROCESSORS, Seconds(1)), Some(at(5)));
}

#[test]
fn equal_neighbors_become_one_step() {
    let mut profile = Profile::new(at(0), PROCESSORS);
    profile.take(at(10), at(20), 4);
    profile.take(at(20), at(30), 4);
    assert_eq!(profile.steps(), 3);
    profile.release(at(10), at(20), 4);
    profile.release(at(20), at(30), 4);
    assert_eq!(profile.steps(), 1);
}

#[test]
fn a_large_profile_keeps_its_promises() {
    let mut profile = Profile::new(at(0), 64);
    let mut starts = Vec::new();
    for job in 0..5_000_u32 {
        let (processors, hold) = (1 + job * 7 % 64, Seconds(u64::from(1 + job * 13 % 97)));
        let start = profile.earliest(at(0), processors, hold).expect("it fits the machine");
        assert!(profile.fits(start, processors, hold));
        profile.take(start, start.plus(hold), processors);
        starts.push((start, processors, hold));
    }
    for (start, processors, hold) in starts {
        profile.release(start, start.plus(hold), processors);
    }
    assert_eq!((profile.steps(), profile.free_at(at(1_000))), (1, 64));
}

proptest! {
    #[test]
    fn answers_as_an_array_of_seconds_does(
        jobs in proptest::collection::vec(
            (0..80_usize, 1..=PROCESSORS, 1..40_usize, 0..4_u8),
            1..60,
        ),
    ) {
        let mut naive = Naive([PROCESSORS; SPAN]);
        let mut profile = Profile::new(at(0), PROCESSORS);
        let mut held: Vec<(usize, u32, usize)> = Vec::new();
        for (from, processors, hold, action) in jobs {
            if action == 0 && let Some((start, processors, hold)) = held.pop() {
                profile.release(at(start), at(start + hold), processors);
                naive.0[start..start + hold].iter_mut().for_each(|free| *free += processors);
                continue;
            }
            let start = naive.earliest(from, processors, hold);
            let seconds = Seconds(hold as u64);
            prop_assert_eq!(profile.earliest(at(from), processors, seconds), Some(at(start)));
            for probe in [from, start, start.saturating_sub(1)] {
                let fits = naive.fits(probe, processors, hold);
                prop_assert_eq!(profile.fits(at(probe), processors, seconds), fits);
                prop_assert_eq!(profile.free_at(at(probe)), naive.free(probe));
            }
            if start + hold < SPAN {
                profile.take(at(start), at(start + hold), processors);
                naive.0[start..start + hold].iter_mut().for_each(|free| *free -= processors);
                held.push((start, processors, hold));
            }
        }
        // A job that is promised something moves as if it held nothing.
        for (start, processors, hold) in held {
            let seconds = Seconds(hold as u64);
            let moved = profile.earliest_before(at(0), processors, seconds, at(start));
            naive.0[start..start + hold].iter_mut().for_each(|free| *free += processors);
            let expected = naive.earliest(0, processors, hold);
            naive.0[start..start + hold].iter_mut().for_each(|free| *free -= processors);
            prop_assert_eq!(moved.map_or(start, second), expected);
        }
    }

    #[test]
    fn forgetting_the_past_changes_nothing_after_it(
        jobs in proptest::collection::vec((1..=PROCESSORS, 1..40_usize), 1..60),
        now in 0..200_usize,
    ) {
        let mut profile = Profile::new(at(0), PROCESSORS);
        for (processors, hold) in jobs {
            let seconds = Seconds(hold as u64);
            let start = profile.earliest(at(0), processors, seconds).expect("it fits");
            profile.take(start, start.plus(seconds), processors);
        }
        let mut later = profile.clone();
        later.forget_before(at(now));
        for probe in now..now + 100 {
            prop_assert_eq!(later.free_at(at(probe)), profile.free_at(at(probe)));
        }
    }
}
