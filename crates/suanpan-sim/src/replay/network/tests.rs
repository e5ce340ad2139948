//! Replays of small networks. The auditor checks each of them as it goes: no node is given out
//! twice, every attempt ends once, no charge exceeds what was set aside.

use super::*;
use crate::workload::generate::steady::{self, Steady, SteadyJob};
use suanpan_model::walltime::Walltime;

const SITES: u32 = 4;
const CPUS: u32 = 64;

fn network(depth: u32, cycles: Cycles) -> Network {
    let sites = (0..SITES).map(|number| Arc::new(steady::site(number, CPUS)));
    let policy = Policy { reservation_depth: depth, ..Policy::default() };
    Network::new(Timestamp(0), sites, policy, cycles).expect("the sites are sound")
}

fn workload(jobs: u64, seed: u64) -> impl Iterator<Item = Arrival> {
    let runs = (10, 5_000);
    let steady = Steady { jobs, cpus: SITES * CPUS, load: 0.95, size_power_max: 5, runs, seed };
    steady.jobs().map(SteadyJob::arrival)
}

fn rows(network: Network, arrivals: impl Iterator<Item = Arrival>) -> (Vec<Row>, Counts) {
    let mut rows = Vec::new();
    let counts = network.run(arrivals, |told| {
        if let Told::Ended { row, .. } = told {
            rows.push(row);
        }
    });
    (rows, counts)
}

#[test]
fn every_job_runs_once_for_its_length_and_pays_for_it() {
    let jobs: Vec<Arrival> = workload(2_000, 3).collect();
    let (mut rows, counts) = rows(network(1, Cycles::AtEveryChange), jobs.clone().into_iter());
    assert_eq!((counts.submitted, counts.attempts, counts.rejected), (2_000, 2_000, 0));
    rows.sort_by_key(|row| row.job);
    for (row, job) in rows.iter().zip(&jobs) {
        assert_eq!((row.state, row.submitted), (JobState::Completed, job.at));
        assert!(row.started >= job.at, "{} starts after it was submitted", row.job);
        assert_eq!(row.ended, row.started.plus(job.runs));
        assert!(row.charge > MicroCredits::ZERO, "{} is charged", row.job);
    }
}

#[test]
fn the_same_workload_gives_the_same_rows() {
    for cycles in [Cycles::AtEveryChange, Cycles::Every(Seconds(60))] {
        let once = rows(network(1, cycles), workload(1_000, 7));
        assert_eq!(once, rows(network(1, cycles), workload(1_000, 7)));
    }
}

#[test]
fn rare_cycles_let_jobs_wait_for_the_next_one() {
    let (rows, _) = rows(network(1, Cycles::Every(Seconds(60))), workload(200, 1));
    assert!(rows.iter().all(|row| row.started.0 % 60_000_000 == 0), "starts are at cycles");
}

#[test]
fn a_job_past_its_limit_is_stopped_and_an_impossible_one_refused() {
    let mut jobs: Vec<Arrival> = workload(2, 1).collect();
    jobs[0].runs = Seconds(1_000_000);
    let limit = jobs[0].spec.shape.time.expect("steady jobs have limits");
    let mut wide = (*jobs[1].spec.shape).clone();
    wide.per_node.cpus = CPUS + 1;
    wide.time = Walltime::from_seconds(60);
    jobs[1].spec.shape = Arc::new(wide);
    let (rows, counts) = rows(network(1, Cycles::AtEveryChange), jobs.into_iter());
    assert_eq!((counts.submitted, counts.rejected, rows.len()), (1, 1, 1));
    assert_eq!(rows[0].state, JobState::Timeout);
    assert_eq!(rows[0].ended.since(rows[0].started), Seconds(limit.seconds().into()));
}
