//! Replays of small networks. The auditor checks each of them as it goes: no node is given out
//! twice, every attempt ends once, no charge exceeds what was set aside.

use super::*;
use crate::workload::generate::steady::{self, Steady, SteadyJob};
use std::collections::BTreeMap;
use suanpan_model::job::Requeue;
use suanpan_model::walltime::Walltime;
use suanpan_sched::quota::Quota;
use suanpan_sched::quota::policy::{CohortQuota, FlavorQuota, ProjectQuota};
use suanpan_sched::quota::preemption::{Borrow, Reclaim, Rules, Sharing};

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

/// Three projects in two levels of cohorts, that share the CPUs of all sites.
fn quotas(sharing: Sharing) -> Arc<QuotaPolicy> {
    let flavors = |quota: Quota| {
        let one = FlavorQuota { cpus: Some(quota), ..FlavorQuota::default() };
        BTreeMap::from([("cpu".to_owned(), one)])
    };
    let cohort = |parent: Option<&str>| CohortQuota {
        parent: parent.map(str::to_owned),
        weight_milli: 1_000,
        flavors: BTreeMap::new(),
    };
    let borrow = Borrow::LowerPriority { at_most: None };
    let project = |cohort: &str, quota: Quota| ProjectQuota {
        cohort: Some(cohort.to_owned()),
        weight_milli: 1_000,
        rules: Rules { reclaim: Reclaim::Any, borrow, ..Rules::default() },
        flavors: flavors(quota),
    };
    let own = |nominal| Quota { nominal, borrowing_limit: Some(100), lending_limit: None };
    let keeps = Quota { nominal: 128, borrowing_limit: Some(32), lending_limit: Some(64) };
    Arc::new(QuotaPolicy {
        sharing,
        cohorts: [("city", cohort(None)), ("labs", cohort(Some("city")))]
            .map(|(name, one)| (name.to_owned(), one))
            .into(),
        projects: [
            ("p0", project("labs", own(96))),
            ("p1", project("labs", own(32))),
            ("p2", project("city", keeps)),
        ]
        .map(|(name, one)| (name.to_owned(), one))
        .into(),
    })
}

#[test]
fn quotas_hold_at_every_start_and_what_is_taken_back_runs_again() {
    for sharing in [Sharing::Priority, Sharing::Fair] {
        let jobs = workload(600, 11).zip(0u32..).map(|(mut job, number)| {
            job.spec.project = format!("p{}", number * number % 3 + number % 2);
            job.spec.requeue = Requeue::OnFailure;
            job
        });
        let network = network(10, Cycles::AtEveryChange)
            .with_quotas(Timestamp(0), quotas(sharing))
            .expect("the tree can be kept");
        let mut done = 0;
        let counts = network.run(jobs, |told| {
            let over = |row: &Row| row.state == JobState::Completed;
            done += u64::from(matches!(&told, Told::Ended { row, .. } if over(row)));
        });
        assert_eq!(done, counts.submitted, "every job is over, with {sharing:?}");
        assert!(counts.attempts > done, "something was taken back, with {sharing:?}");
    }
}
