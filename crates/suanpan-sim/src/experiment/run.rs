//! One run: a policy on the workload of a seed.

use super::digest::{self, Digest};
use super::outcome::Outcome;
use super::{Metrics, SiteModel};
use crate::replay::batch::{Arrival, JobRow, replay};
use crate::workload::job::{Job, Workload};
use suanpan_model::time::Seconds;
use suanpan_sched::order::list_order::ListOrder;
use suanpan_sched::predict::tsafrir::LastTwo;
use suanpan_site::model::batch::{BatchJob, BatchPolicy, BatchSettings, RunTimes};

/// What a policy does at a batch site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which waiting job starts.
    pub policy: BatchPolicy,
    /// How long jobs are expected to run.
    pub run_times: Expected,
}

/// How long jobs are expected to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// As long as requested.
    #[default]
    Requested,
    /// As long as they do: perfect knowledge, for comparison only.
    True,
    /// As long as the user's last two jobs on average (Tsafrir, Etsion and Feitelson 2007).
    LastTwo,
}

const fn rule(policy: BatchPolicy, run_times: Expected) -> Rule {
    Rule { policy, run_times }
}

const fn list(order: ListOrder) -> Rule {
    rule(BatchPolicy::List { order }, Expected::Requested)
}

impl Rule {
    /// The policies that the literature has a name for.
    pub const WORDS: [(&'static str, Rule); 12] = [
        ("fcfs", rule(BatchPolicy::FCFS, Expected::Requested)),
        ("sjf", list(ListOrder::ShortestFirst)),
        ("sjf-true", rule(BatchPolicy::List { order: ListOrder::ShortestFirst }, Expected::True)),
        ("ljf", list(ListOrder::LongestFirst)),
        ("saf", list(ListOrder::SmallestAreaFirst)),
        ("easy", rule(BatchPolicy::EASY, Expected::Requested)),
        ("easy-true", rule(BatchPolicy::EASY, Expected::True)),
        ("easy-sjbf", rule(BatchPolicy::EASY_SJBF, Expected::Requested)),
        ("easy-sjbf-true", rule(BatchPolicy::EASY_SJBF, Expected::True)),
        ("easy++", rule(BatchPolicy::EASY_SJBF, Expected::LastTwo)),
        ("conservative", rule(BatchPolicy::CONSERVATIVE, Expected::Requested)),
        ("conservative-true", rule(BatchPolicy::CONSERVATIVE, Expected::True)),
    ];

    /// The names alone.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Rule::WORDS.iter().map(|(name, _)| *name).collect()
    }

    fn run_times(self) -> RunTimes {
        match self.run_times {
            Expected::Requested => RunTimes::Requested,
            Expected::True => RunTimes::Clairvoyant,
            Expected::LastTwo => RunTimes::Predicted(Box::new(LastTwo::default())),
        }
    }
}

/// What a run gives.
pub struct Finished {
    /// What became of each job that ran, in the order of the workload.
    pub outcomes: Vec<Outcome>,
    /// What it comes to.
    pub digest: Digest,
    /// Jobs that no machine of this size could ever run, left out.
    pub too_wide: u64,
}

/// Does a run.
#[must_use]
pub fn run(workload: &Workload, site: &SiteModel, rule: Rule, metrics: &Metrics) -> Finished {
    let SiteModel::Batch { processors, convention } = *site;
    let settings = BatchSettings { processors, policy: rule.policy, convention };
    let arrivals: Vec<Arrival> = workload.jobs.iter().map(arrival).collect();
    let replayed = replay(&arrivals, settings, rule.run_times());
    drop(arrivals);
    let mut refused = replayed.refused.iter().copied().peekable();
    let ran = workload.jobs.iter().enumerate().filter(|(place, _)| {
        let is_refused = refused.peek() == Some(place);
        refused.next_if(|_| is_refused);
        !is_refused
    });
    let outcomes: Vec<Outcome> =
        ran.zip(&replayed.rows).map(|((_, job), row)| outcome(job, row)).collect();
    let digest = digest::batch(&outcomes, processors, metrics.bounded_slowdown_s);
    Finished { outcomes, digest, too_wide: replayed.refused.len() as u64 }
}

/// A job as it is submitted. One without a requested time is taken to have asked for the time that
/// it runs.
fn arrival(job: &Job) -> Arrival {
    let requested = if job.requested_s == 0 { job.run_s.max(1) } else { job.requested_s };
    Arrival {
        submit: signed(job.submit_s),
        number: signed(job.id),
        job: BatchJob {
            id: 0,
            user: job.user,
            group: job.group,
            name: job.program,
            queue: job.queue,
            processors: job.processors,
            requested: Seconds(requested),
            run: Some(Seconds(job.run_s)),
        },
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn outcome(job: &Job, row: &JobRow) -> Outcome {
    let at = |time: i64| u64::try_from(time).expect("nothing happens before the workload begins");
    Outcome { job: *job, start_s: at(row.start), end_s: at(row.end) }
}
