use super::*;
use crate::workload::generate::Estimates;
use crate::workload::generate::lublin::{self, Model, Types};
use crate::workload::job::write_csv;

fn log() -> Workload {
    let model = Model { types: Types::Whole, processors: 128, estimates: Estimates::Factor(3.0) };
    let mut log = lublin::generate(&model, 20_000, 11);
    log.begins = Some(0);
    log
}

fn mean(jobs: &[Job], of: impl Fn(&Job) -> f64) -> f64 {
    jobs.iter().map(of).sum::<f64>() / jobs.len() as f64
}

#[test]
fn marginals_cycle_and_dependence_are_those_of_the_log() {
    let log = log();
    let drawn = Fitted::new(&log).draw(0, 5);
    assert_eq!(drawn.jobs.len(), log.jobs.len());
    let near = |what: &str, of: &dyn Fn(&Job) -> f64, tolerance: f64| {
        let (one, other) = (mean(&log.jobs, of), mean(&drawn.jobs, of));
        assert!((one / other - 1.0).abs() < tolerance, "{what}: {one} and {other}");
    };
    near("log size", &|job| f64::from(job.processors).log2(), 0.02);
    near("log run time", &|job| (job.run_s as f64 + 1.0).ln(), 0.02);
    near("run time", &|job| job.run_s as f64, 0.05);
    near("requested", &|job| job.requested_s as f64, 0.05);
    let wide = |jobs: &[Job]| -> Vec<Job> {
        jobs.iter().filter(|job| job.processors >= 64).copied().collect()
    };
    let (one, other) = (wide(&log.jobs), wide(&drawn.jobs));
    let run = |job: &Job| job.run_s as f64;
    assert!((mean(&one, run) / mean(&other, run) - 1.0).abs() < 0.08);
    // The daily cycle: the share of each six hours.
    for quarter in 0..4 {
        let in_quarter = |job: &Job| f64::from(u8::from(job.submit_s / 21_600 % 4 == quarter));
        let (one, other) = (mean(&log.jobs, in_quarter), mean(&drawn.jobs, in_quarter));
        assert!((one - other).abs() < 0.03, "{quarter}: {one} and {other}");
    }
    let spans = (log.span_s() as f64, drawn.span_s() as f64);
    assert!((spans.0 / spans.1 - 1.0).abs() < 0.1, "{spans:?}");
    assert!(drawn.jobs.iter().all(|job| job.requested_s >= job.run_s));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let log = log();
    let csv = |seed| {
        let mut out = Vec::new();
        write_csv(&Fitted::new(&log).draw(300, seed), &mut out).expect("memory takes everything");
        out
    };
    assert_eq!(csv(1), csv(1));
    assert_ne!(csv(1), csv(2));
}

#[test]
fn logs_of_none_and_of_one_job() {
    let mut log = Workload::default();
    assert!(Fitted::new(&log).draw(10, 1).jobs.is_empty());
    log.jobs.push(Job::bare(1, 0, 60, 4));
    let drawn = Fitted::new(&log).draw(10, 1);
    assert_eq!(drawn.jobs.len(), 10);
    assert!(drawn.jobs.iter().all(|job| job.run_s == 60 && job.processors == 4));
}
