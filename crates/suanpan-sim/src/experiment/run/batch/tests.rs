use super::*;
use crate::workload::job::Job;
use proptest::prelude::*;

fn outcome(submit_s: u64, start_s: u64, end_s: u64, processors: u32) -> Outcome {
    let job = Job::bare(1, submit_s, end_s - start_s, processors);
    Outcome { job, start_s, end_s }
}

fn value(digest: &Digest, name: &str) -> f64 {
    let at = METRICS.iter().position(|metric| metric.name == name).expect("a metric");
    digest.metrics[at]
}

#[test]
fn metrics_of_three_jobs() {
    let outcomes = [outcome(0, 0, 100, 2), outcome(0, 100, 102, 1), outcome(50, 100, 200, 1)];
    let digest = digest(&outcomes, 2, 10);
    assert_eq!(value(&digest, "mean_wait_s"), 50.0);
    assert_eq!(value(&digest, "median_wait_s"), 50.0);
    assert_eq!(value(&digest, "max_wait_s"), 100.0);
    assert_eq!(value(&digest, "mean_bounded_slowdown"), (1.0 + 10.2 + 1.5) / 3.0);
    assert_eq!(value(&digest, "utilization"), 100.0 * 302.0 / 400.0);
    assert_eq!(value(&digest, "makespan_s"), 200.0);
    assert_eq!(digest.metrics.len(), METRICS.len());
    let waits = &digest.distributions[0];
    assert_eq!((waits.counts[0], waits.of), (1, 3));
    assert_eq!(*waits.counts.last().expect("thresholds"), 3);
}

#[test]
fn nothing_ran() {
    let digest = digest(&[], 4, 10);
    assert!(digest.metrics.iter().all(|value| *value == 0.0));
}

proptest! {
    #[test]
    fn timelines_hold_every_second(
        rows in prop::collection::vec((0u64..5000, 0u64..5000, 0u64..5000, 1u32..64), 1..50)
    ) {
        let outcomes: Vec<Outcome> = rows
            .iter()
            .map(|&(at, wait, run, wide)| outcome(at, at + wait, at + wait + run, wide))
            .collect();
        let digest = digest(&outcomes, 64, 10);
        let work: u64 = rows.iter().map(|row| row.2 * u64::from(row.3)).sum();
        let waited: u64 = rows.iter().map(|row| row.1).sum();
        prop_assert_eq!(digest.timelines[0].sums.iter().sum::<u64>(), work);
        prop_assert_eq!(digest.timelines[1].sums.iter().sum::<u64>(), waited);
        let wide = digest.timelines[0].widened(digest.timelines[0].bin_s * 8);
        prop_assert_eq!(wide.sums.iter().sum::<u64>(), work);
        // Each bin against a count of seconds.
        let bin = digest.timelines[1].bin_s;
        for (index, sum) in digest.timelines[1].sums.iter().enumerate() {
            let (from, to) = (index as u64 * bin, (index as u64 + 1) * bin);
            let overlap = |o: &Outcome| o.start_s.min(to).saturating_sub(o.job.submit_s.max(from));
            prop_assert_eq!(*sum, outcomes.iter().map(overlap).sum::<u64>());
        }
    }
}
