//! A batch site: which rules there are, one run, and what it comes to.

use super::outcome::Outcome;
use super::{Finished, Rows};
use crate::experiment::Metrics;
use crate::experiment::digest::{
    Better, Bins, Digest, Metric, bin_width, distribution, metric, percentile,
};
use crate::metrics::bounded_slowdown;
use crate::replay::batch::{Arrival, JobRow, replay, replay_graded};
use crate::workload::job::{Job, Workload};
use std::sync::Arc;
use suanpan_model::time::Seconds;
use suanpan_sched::order::list_order::ListOrder;
use suanpan_sched::predict::correction::Correction;
use suanpan_sched::predict::learnt::Learnt;
use suanpan_sched::predict::tsafrir::LastTwo;
use suanpan_site::model::batch::{BatchJob, BatchPolicy, BatchSettings, RunTimes};

mod grades;
#[cfg(test)]
mod tests;

pub use grades::GRADED_METRICS;

/// The metrics of a batch site. Percentiles are by nearest rank.
pub const METRICS: [Metric; 14] = [
    metric("mean_bounded_slowdown", "Mean bounded slowdown", "", 2, Better::Lower),
    metric("median_bounded_slowdown", "Median bounded slowdown", "", 2, Better::Lower),
    metric("p95_bounded_slowdown", "95th percentile of bounded slowdown", "", 2, Better::Lower),
    metric("mean_wait_s", "Mean wait", "s", 0, Better::Lower),
    metric("median_wait_s", "Median wait", "s", 0, Better::Lower),
    metric("p95_wait_s", "95th percentile of wait", "s", 0, Better::Lower),
    metric("p99_wait_s", "99th percentile of wait", "s", 0, Better::Lower),
    metric("max_wait_s", "Longest wait", "s", 0, Better::Lower),
    metric("mean_turnaround_s", "Mean turnaround (wait and run)", "s", 0, Better::Lower),
    metric("utilization", "Utilization until the last end", "%", 1, Better::Higher),
    metric("mean_queue", "Mean jobs waiting", "jobs", 1, Better::Lower),
    metric("started_at_once", "Jobs that started at once", "%", 1, Better::Higher),
    metric("makespan_s", "From first submission to last end", "s", 0, Better::Lower),
    metric("jobs", "Jobs", "", 0, Better::Neutral),
];

/// What a policy does at a batch site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRule {
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
    /// As long as the user's last two jobs on average (Tsafrir, Etsion and Feitelson 2007), and
    /// what becomes of that once it is exceeded.
    LastTwo(Correction),
    /// As long as like jobs on average (see [`suanpan_sched::predict::learnt`]).
    Learnt,
}

const fn rule(policy: BatchPolicy, run_times: Expected) -> BatchRule {
    BatchRule { policy, run_times }
}

const fn list(order: ListOrder) -> BatchRule {
    rule(BatchPolicy::List { order }, Expected::Requested)
}

/// Orders of the queue, by the names of the literature: first and last come, shortest and longest
/// job, fewest and most processors, smallest and largest area, smallest and largest ratio of
/// length to processors.
pub const ORDERS: [(&str, ListOrder); 10] = [
    ("fcfs", ListOrder::Fcfs),
    ("lcfs", ListOrder::Lcfs),
    ("sjf", ListOrder::ShortestFirst),
    ("ljf", ListOrder::LongestFirst),
    ("sqf", ListOrder::NarrowestFirst),
    ("lqf", ListOrder::WidestFirst),
    ("saf", ListOrder::SmallestAreaFirst),
    ("laf", ListOrder::LargestAreaFirst),
    ("srf", ListOrder::SmallestRatioFirst),
    ("lrf", ListOrder::LargestRatioFirst),
];

impl BatchRule {
    /// The policies that the literature has a name for, and those that learn run times.
    pub const WORDS: [(&'static str, BatchRule); 14] = [
        ("fcfs", rule(BatchPolicy::FCFS, Expected::Requested)),
        ("sjf", list(ListOrder::ShortestFirst)),
        ("sjf-true", rule(BatchPolicy::List { order: ListOrder::ShortestFirst }, Expected::True)),
        ("ljf", list(ListOrder::LongestFirst)),
        ("saf", list(ListOrder::SmallestAreaFirst)),
        ("easy", rule(BatchPolicy::EASY, Expected::Requested)),
        ("easy-true", rule(BatchPolicy::EASY, Expected::True)),
        ("easy-sjbf", rule(BatchPolicy::EASY_SJBF, Expected::Requested)),
        ("easy-sjbf-true", rule(BatchPolicy::EASY_SJBF, Expected::True)),
        ("easy++", rule(BatchPolicy::EASY_SJBF, Expected::LastTwo(Correction::Gradual))),
        ("easy-sjbf-learnt", rule(BatchPolicy::EASY_SJBF, Expected::Learnt)),
        ("easy-learnt", rule(BatchPolicy::LearntBackfill, Expected::Requested)),
        ("conservative", rule(BatchPolicy::CONSERVATIVE, Expected::Requested)),
        ("conservative-true", rule(BatchPolicy::CONSERVATIVE, Expected::True)),
    ];

    /// Whether Alea has it: FCFS and EASY, by limits or by exact estimates.
    pub(super) fn is_aleas(self) -> bool {
        let known = [BatchPolicy::FCFS, BatchPolicy::EASY].contains(&self.policy);
        known && matches!(self.run_times, Expected::Requested | Expected::True)
    }

    /// Whether all that it goes by can be seen from outside.
    pub(super) fn is_visible(self) -> bool {
        self.run_times == Expected::Requested && self.policy != BatchPolicy::LearntBackfill
    }

    fn run_times(self) -> RunTimes {
        match self.run_times {
            Expected::Requested => RunTimes::Requested,
            Expected::True => RunTimes::Clairvoyant,
            Expected::LastTwo(correction) => {
                RunTimes::Predicted(Box::new(LastTwo::new(correction)))
            }
            Expected::Learnt => RunTimes::Predicted(Box::new(Learnt::default())),
        }
    }
}

/// Does a run.
pub(super) fn run(
    workload: &Arc<Workload>,
    settings: BatchSettings,
    rule: BatchRule,
    grade_starts: Option<u64>,
    metrics: &Metrics,
) -> Finished {
    let arrivals: Vec<Arrival> = workload.jobs.iter().map(arrival).collect();
    let replayed = match grade_starts {
        Some(every) => replay_graded(&arrivals, settings, rule.run_times(), every as usize),
        None => replay(&arrivals, settings, rule.run_times()),
    };
    drop(arrivals);
    let mut refused = replayed.refused.iter().copied().peekable();
    let ran = workload.jobs.iter().enumerate().filter(|(place, _)| {
        let is_refused = refused.peek() == Some(place);
        refused.next_if(|_| is_refused);
        !is_refused
    });
    let outcomes: Vec<Outcome> =
        ran.zip(&replayed.rows).map(|((_, job), row)| outcome(job, row)).collect();
    let mut digest = digest(&outcomes, settings.processors, metrics.bounded_slowdown_s);
    if grade_starts.is_some() {
        grades::add(&mut digest, &outcomes, &replayed.said);
    }
    let left_out = replayed.refused.len() as u64;
    let rows = Rows::Batch(outcomes, replayed.said, Arc::clone(workload));
    Finished { rows, digest, left_out }
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

/// Digests the outcomes of a batch site. O(n log n), for the percentiles.
pub(super) fn digest(outcomes: &[Outcome], processors: u32, bounded_slowdown_s: u64) -> Digest {
    let count = outcomes.len();
    let mut waits: Vec<u64> = outcomes.iter().map(Outcome::wait_s).collect();
    let slowdown =
        |outcome: &Outcome| bounded_slowdown(outcome.wait_s(), outcome.ran_s(), bounded_slowdown_s);
    let mut slowdowns: Vec<f64> = outcomes.iter().map(slowdown).collect();
    let mean = |sum: f64| if count == 0 { 0.0 } else { sum / count as f64 };
    let whole = |of: fn(&Outcome) -> u64| {
        let sum: u128 = outcomes.iter().map(|outcome| u128::from(of(outcome))).sum();
        sum as f64
    };
    let mean_slowdown = mean(slowdowns.iter().sum());
    let wait_sum = whole(Outcome::wait_s);
    let first = outcomes.iter().map(|outcome| outcome.job.submit_s).min().unwrap_or(0);
    let last = outcomes.iter().map(|outcome| outcome.end_s).max().unwrap_or(first);
    let makespan = last - first;
    let busy: u128 = outcomes
        .iter()
        .map(|outcome| u128::from(outcome.job.processors) * u128::from(outcome.ran_s()))
        .sum();
    let share = |part: f64, of: f64| if of == 0.0 { 0.0 } else { part / of };
    waits.sort_unstable();
    slowdowns.sort_unstable_by(f64::total_cmp);
    let at_once = waits.partition_point(|wait| *wait == 0);
    let metrics = vec![
        mean_slowdown,
        percentile(&slowdowns, 50).unwrap_or(0.0),
        percentile(&slowdowns, 95).unwrap_or(0.0),
        mean(wait_sum),
        percentile(&waits, 50).unwrap_or(0) as f64,
        percentile(&waits, 95).unwrap_or(0) as f64,
        percentile(&waits, 99).unwrap_or(0) as f64,
        waits.last().copied().unwrap_or(0) as f64,
        mean(whole(|outcome| outcome.end_s - outcome.job.submit_s)),
        100.0 * share(busy as f64, f64::from(processors) * makespan as f64),
        share(wait_sum, makespan as f64),
        100.0 * share(at_once as f64, count as f64),
        makespan as f64,
        count as f64,
    ];
    let bin_s = bin_width(last);
    let mut utilization = Bins::new(bin_s, last);
    let mut queue = Bins::new(bin_s, last);
    for outcome in outcomes {
        utilization.add(outcome.start_s, outcome.end_s, outcome.job.processors.into());
        queue.add(outcome.job.submit_s, outcome.start_s, 1);
    }
    let timelines =
        vec![utilization.timeline("utilization", processors.into()), queue.timeline("queue", 1)];
    let waits: Vec<f64> = waits.into_iter().map(|wait| wait as f64).collect();
    let distributions =
        vec![distribution("wait_s", &waits, 7), distribution("bounded_slowdown", &slowdowns, 5)];
    Digest { metrics, timelines, distributions, ..Digest::default() }
}
