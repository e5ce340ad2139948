//! A training workload through an elastic site.

use std::sync::Arc;

use anyhow::{anyhow, ensure};
use suanpan_sched::elastic::model::Model;
use suanpan_sched::elastic::{FlavorNodes, RoundPolicy};
use suanpan_site::model::elastic::{Batches, ElasticSite, Outcome, Refusal, TrainingJob};

/// One job of a finished replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// What was asked for.
    pub job: TrainingJob,
    /// What became of it.
    pub outcome: Outcome,
    /// Seconds from submission to end: its job completion time (JCT).
    pub jct_s: f64,
}

/// Replays a workload until its last job has ended. As in Sia's simulator, a round runs first and
/// then the jobs that have been submitted meanwhile are given GPUs.
///
/// # Errors
/// A job trains an unknown model, or makes no progress for a hundred days.
pub fn replay(
    models: &Arc<[Model]>,
    flavors: &[FlavorNodes],
    round_s: u64,
    batches: Batches,
    policy: Box<dyn RoundPolicy>,
    workload: &[TrainingJob],
) -> anyhow::Result<Vec<Finished>> {
    ensure!(round_s > 0, "a round lasts at least a second");
    let mut waiting: Vec<&TrainingJob> = workload.iter().collect();
    waiting.sort_by(|a, b| a.submitted_s.total_cmp(&b.submitted_s));
    let last = waiting.last().map_or(0.0, |job| job.submitted_s);
    let mut waiting = waiting.into_iter().peekable();
    let mut site = ElasticSite::new(models.clone(), flavors.to_vec(), round_s, batches, policy);
    while waiting.peek().is_some() || site.active() > 0 {
        const LONGEST_S: f64 = 100.0 * 86_400.0;
        ensure!((site.now_s() as f64) < last + LONGEST_S, "{} jobs do not end", site.active());
        site.run_round();
        while let Some(job) = waiting.next_if(|job| job.submitted_s <= site.now_s() as f64) {
            let refused = |Refusal::UnknownModel(model)| {
                anyhow!("job {} trains {model}, which has no profile", job.name)
            };
            site.submit(job.clone()).map_err(refused)?;
        }
        site.allocate();
    }
    Ok(site.outcomes().map(|(job, outcome)| finished(job, outcome)).collect())
}

fn finished(job: &TrainingJob, outcome: &Outcome) -> Finished {
    let ended_s = outcome.ended_s.expect("the replay went on until all jobs had ended");
    let jct_s = ended_s as f64 - job.submitted_s;
    Finished { job: job.clone(), outcome: outcome.clone(), jct_s }
}

/// What Sia (SOSP'23, table 3) reports of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Number of jobs.
    pub jobs: usize,
    /// Mean job completion time, seconds.
    pub jct_s_mean: f64,
    /// Of the times in rising order, the one at place ⌊0.99 n⌋, seconds.
    pub jct_s_p99: f64,
    /// From the first submission to the last end, seconds.
    pub makespan_s: f64,
    /// Mean restarts per job.
    pub restarts_mean: f64,
    /// GPU hours held, by flavor.
    pub gpu_hours: Vec<f64>,
    /// Part of them spent in restarts.
    pub restart_share: f64,
}

/// Sums up a replay; of nothing, nothing.
#[must_use]
pub fn summary(jobs: &[Finished]) -> Option<Summary> {
    let n = jobs.len();
    let mut jct_s: Vec<f64> = jobs.iter().map(|job| job.jct_s).collect();
    jct_s.sort_by(f64::total_cmp);
    let first = jobs.iter().map(|job| job.job.submitted_s).fold(f64::INFINITY, f64::min);
    let last = jobs.iter().map(|job| job.job.submitted_s + job.jct_s).fold(0.0, f64::max);
    let flavors = jobs.first()?.outcome.gpu_s.len();
    let gpu_hours: Vec<f64> = (0..flavors)
        .map(|flavor| jobs.iter().map(|job| job.outcome.gpu_s[flavor] as f64).sum::<f64>() / 3600.0)
        .collect();
    let restarting = jobs.iter().map(|job| job.outcome.restart_gpu_s as f64).sum::<f64>() / 3600.0;
    Some(Summary {
        jobs: n,
        jct_s_mean: jct_s.iter().sum::<f64>() / n as f64,
        jct_s_p99: jct_s[n * 99 / 100],
        makespan_s: last - first,
        restarts_mean: jobs.iter().map(|job| f64::from(job.outcome.restarts)).sum::<f64>()
            / n as f64,
        restart_share: restarting / gpu_hours.iter().sum::<f64>().max(f64::MIN_POSITIVE),
        gpu_hours,
    })
}
