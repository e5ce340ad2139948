//! An elastic training site: rounds, in which GPUs move between training jobs.

use super::{Finished, Rows};
use crate::experiment::ElasticFlavor;
use crate::experiment::digest::{
    Better, Bins, Digest, Metric, bin_width, distribution, metric, percentile,
};
use crate::replay::elastic::replay;
use crate::workload::job::field;
use std::io::{self, Write};
use std::sync::Arc;
use suanpan_sched::elastic::gavel::{Gavel, Objective};
use suanpan_sched::elastic::horizon::Horizon;
use suanpan_sched::elastic::model::Model;
use suanpan_sched::elastic::sia::Sia;
use suanpan_sched::elastic::{FlavorNodes, RoundPolicy};
use suanpan_site::model::elastic::{Batches, Knowledge, TrainingJob};

/// The metrics of a training site. Percentiles are by nearest rank.
pub const METRICS: [Metric; 9] = [
    metric("mean_jct_s", "Mean job completion time", "s", 0, Better::Lower),
    metric("median_jct_s", "Median job completion time", "s", 0, Better::Lower),
    metric("p99_jct_s", "99th percentile of completion time", "s", 0, Better::Lower),
    metric("mean_wait_s", "Mean wait for the first GPUs", "s", 0, Better::Lower),
    metric("makespan_s", "From first submission to last end", "s", 0, Better::Lower),
    metric("utilization", "GPU time held until the last end", "%", 1, Better::Neutral),
    metric("restarts", "Mean restarts of a job", "", 2, Better::Lower),
    metric("restart_share", "GPU time spent in restarts", "%", 2, Better::Lower),
    metric("jobs", "Jobs", "", 0, Better::Neutral),
];

/// Who gets which GPUs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ElasticRule {
    /// Gavel; jobs keep the GPUs and the batch that their users chose.
    Gavel(Objective),
    /// Sia: GPUs and batches follow goodput, which is estimated so.
    Sia(Knowledge, Sia),
    /// Ours: Sia's program, with restarts paid back within a horizon and short remainders first.
    Horizon(Knowledge, Horizon),
}

impl ElasticRule {
    /// Their names in experiment files, with the settings of their authors.
    #[must_use]
    pub fn words() -> [(&'static str, ElasticRule); 8] {
        let sia = |knowledge| ElasticRule::Sia(knowledge, Sia::default());
        let horizon = |knowledge| ElasticRule::Horizon(knowledge, Horizon::default());
        [
            ("gavel", ElasticRule::Gavel(Objective::TotalThroughput)),
            ("gavel-max-min", ElasticRule::Gavel(Objective::MaxMinFairness)),
            ("gavel-max-min-agnostic", ElasticRule::Gavel(Objective::MaxMinFairnessAgnostic)),
            ("sia", sia(Knowledge::OwnRun)),
            ("sia-all-runs", sia(Knowledge::AllRuns)),
            ("sia-measured", sia(Knowledge::Measured)),
            ("horizon", horizon(Knowledge::AllRuns)),
            ("horizon-measured", horizon(Knowledge::Measured)),
        ]
    }

    /// Length of a round in the authors' evaluation, seconds: Sia (SOSP 2023) runs its own policy
    /// in rounds of one minute and Gavel in rounds of six, as Gavel (OSDI 2020) does. Jobs that
    /// restart for longer than a round never get on under a policy that takes turns.
    fn round_s(self) -> u64 {
        match self {
            ElasticRule::Gavel(_) => 360,
            ElasticRule::Sia(..) | ElasticRule::Horizon(..) => 60,
        }
    }

    /// Whether jobs keep what their users chose.
    pub(super) fn is_fixed(self) -> bool {
        matches!(self, ElasticRule::Gavel(_))
    }

    fn policy(self, round_s: u64) -> (Batches, Box<dyn RoundPolicy>) {
        match self {
            ElasticRule::Gavel(objective) => {
                (Batches::Fixed, Box::new(Gavel::new(round_s as f64, objective)))
            }
            ElasticRule::Sia(knowledge, sia) => (Batches::Tuned(knowledge), Box::new(sia)),
            ElasticRule::Horizon(knowledge, horizon) => {
                (Batches::Tuned(knowledge), Box::new(horizon))
            }
        }
    }
}

/// Training jobs and what is known of their models.
pub struct Training {
    /// Profiles.
    pub models: Arc<[Model]>,
    /// The jobs.
    pub jobs: Vec<TrainingJob>,
}

/// What became of a training job.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingRow {
    /// Its name.
    pub name: String,
    /// The model it trains.
    pub model: String,
    /// When it was submitted, seconds.
    pub submit_s: f64,
    /// When it first got GPUs, seconds.
    pub start_s: u64,
    /// When it ended, seconds.
    pub end_s: u64,
    /// GPU seconds that it held.
    pub gpu_s: u64,
    /// Of these, spent in restarts.
    pub restart_gpu_s: u64,
    /// How often it was stopped and started again.
    pub restarts: u32,
}

impl TrainingRow {
    /// From submission to end, seconds.
    #[must_use]
    pub fn jct_s(&self) -> f64 {
        self.end_s as f64 - self.submit_s
    }

    /// From submission to the first GPUs, seconds.
    #[must_use]
    pub fn wait_s(&self) -> f64 {
        self.start_s as f64 - self.submit_s
    }
}

/// Does a run.
pub(super) fn run(
    training: &Training,
    flavors: &[ElasticFlavor],
    round_s: Option<u64>,
    rule: ElasticRule,
) -> anyhow::Result<Finished> {
    let round_s = round_s.unwrap_or(rule.round_s());
    let nodes: Vec<FlavorNodes> = flavors.iter().map(|flavor| flavor.nodes).collect();
    let gpus: u64 = nodes.iter().map(|nodes| u64::from(nodes.gpus())).sum();
    let (batches, policy) = rule.policy(round_s);
    let done = replay(&training.models, &nodes, round_s, batches, policy, &training.jobs)?;
    let rows: Vec<TrainingRow> = done
        .into_iter()
        .map(|done| TrainingRow {
            name: done.job.name,
            model: done.job.model,
            submit_s: done.job.submitted_s,
            start_s: done.outcome.started_s.or(done.outcome.ended_s).unwrap_or(0),
            end_s: done.outcome.ended_s.unwrap_or(0),
            gpu_s: done.outcome.gpu_s.iter().sum(),
            restart_gpu_s: done.outcome.restart_gpu_s,
            restarts: done.outcome.restarts,
        })
        .collect();
    let digest = digest(&rows, gpus);
    Ok(Finished { rows: Rows::Elastic(rows), digest, left_out: 0 })
}

fn digest(rows: &[TrainingRow], gpus: u64) -> Digest {
    let count = rows.len() as f64;
    let share = |part: f64, of: f64| if of == 0.0 { 0.0 } else { part / of };
    let mean = |of: &dyn Fn(&TrainingRow) -> f64| share(rows.iter().map(of).sum::<f64>(), count);
    let mut jct: Vec<f64> = rows.iter().map(TrainingRow::jct_s).collect();
    let mut waits: Vec<f64> = rows.iter().map(TrainingRow::wait_s).collect();
    jct.sort_unstable_by(f64::total_cmp);
    waits.sort_unstable_by(f64::total_cmp);
    let first = rows.iter().map(|row| row.submit_s).fold(f64::INFINITY, f64::min);
    let last = rows.iter().map(|row| row.end_s).max().unwrap_or(0);
    let makespan = if rows.is_empty() { 0.0 } else { last as f64 - first };
    let held: u64 = rows.iter().map(|row| row.gpu_s).sum();
    let restarting: u64 = rows.iter().map(|row| row.restart_gpu_s).sum();
    let bin_s = bin_width(last);
    let (mut running, mut queue) = (Bins::new(bin_s, last), Bins::new(bin_s, last));
    for row in rows {
        // Seconds are whole on the axis of time.
        let submit = (row.submit_s.floor() as u64).min(row.start_s);
        queue.add(submit, row.start_s, 1);
        running.add(row.start_s, row.end_s, 1);
    }
    Digest {
        metrics: vec![
            mean(&TrainingRow::jct_s),
            percentile(&jct, 50).unwrap_or(0.0),
            percentile(&jct, 99).unwrap_or(0.0),
            mean(&TrainingRow::wait_s),
            makespan,
            100.0 * share(held as f64, gpus as f64 * makespan),
            mean(&|row| f64::from(row.restarts)),
            100.0 * share(restarting as f64, held as f64),
            count,
        ],
        timelines: vec![running.timeline("running", 1), queue.timeline("queue", 1)],
        distributions: vec![distribution("jct_s", &jct, 7), distribution("wait_s", &waits, 7)],
        ..Digest::default()
    }
}

/// Writes one line a job.
///
/// # Errors
/// As the writer's.
pub fn write_csv(rows: &[TrainingRow], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "job,model,submit_s,start_s,end_s,gpu_s,restart_gpu_s,restarts")?;
    let mut line = Vec::new();
    for row in rows {
        line.clear();
        field(&mut line, &row.name);
        line.push(b',');
        field(&mut line, &row.model);
        let TrainingRow { submit_s, start_s, end_s, gpu_s, restart_gpu_s, restarts, .. } = row;
        writeln!(line, ",{submit_s},{start_s},{end_s},{gpu_s},{restart_gpu_s},{restarts}")?;
        out.write_all(&line)?;
    }
    Ok(())
}
