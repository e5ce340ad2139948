//! Ranges hold the share they promise, also of jobs that change their ways.

use super::*;
use suanpan_model::time::Timestamp;

fn job(sequence: u64, user: u32) -> JobFeatures {
    JobFeatures {
        sequence,
        user,
        group: 0,
        name: 0,
        queue: 0,
        processors: 1,
        requested: Seconds(100_000),
        submitted: Timestamp(0),
    }
}

#[test]
fn ranges_keep_their_word() {
    let mut predictor = RangePredictor::new(0.8);
    let mut state = 1_u64;
    for sequence in 0..20_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let user = (state >> 60) as u32;
        // Run times grow over the log, and each user has a spread of its own.
        let spread = 1 + (state >> 33) % (50 * (u64::from(user) + 1));
        let run = Seconds((spread * (1 + sequence / 4_000)).min(100_000));
        let job = job(sequence, user);
        let range = predictor.predict(&job);
        assert!(range.low <= range.high && range.high <= job.requested);
        predictor.ended(&job, run);
    }
    let coverage = predictor.coverage();
    assert_eq!(coverage.graded, 20_000);
    let inside = coverage.inside() as f64 / coverage.graded as f64;
    assert!((0.78..=0.88).contains(&inside), "{inside}");
    assert!(coverage.width.0 * 20 < coverage.requested.0);
}
