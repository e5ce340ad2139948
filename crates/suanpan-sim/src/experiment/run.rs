//! One run: a policy on the workload of a seed.

use super::digest::{self, Digest};
use super::outcome::Outcome;
use super::{Metrics, SiteModel};
use crate::workload::job::{Job, Workload};

/// What a policy does at a batch site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// First come, first served.
    Fcfs,
    /// Shortest requested time first, without backfill.
    Sjf,
    /// EASY backfill.
    Easy,
}

impl Rule {
    /// Their names in experiment files.
    pub const WORDS: [(&'static str, Rule); 3] =
        [("fcfs", Rule::Fcfs), ("sjf", Rule::Sjf), ("easy", Rule::Easy)];

    /// The names alone.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Rule::WORDS.iter().map(|(name, _)| *name).collect()
    }
}

/// What a run gives.
pub struct Finished {
    /// What became of each job, in the order of the workload.
    pub outcomes: Vec<Outcome>,
    /// What it comes to.
    pub digest: Digest,
    /// Jobs that no machine of this size could ever run, left out.
    pub too_wide: u64,
}

/// Does a run.
#[must_use]
pub fn run(workload: &Workload, site: &SiteModel, rule: Rule, metrics: &Metrics) -> Finished {
    let SiteModel::Batch { processors } = *site;
    let fits = |job: &&Job| job.processors <= processors;
    let jobs: Vec<Job> = workload.jobs.iter().filter(fits).copied().collect();
    let too_wide = (workload.jobs.len() - jobs.len()) as u64;
    let outcomes = replay(&jobs, processors, rule);
    let digest = digest::batch(&outcomes, processors, metrics.bounded_slowdown_s);
    Finished { outcomes, digest, too_wide }
}

/// TEMPORARY naive replay.
fn replay(jobs: &[Job], processors: u32, rule: Rule) -> Vec<Outcome> {
    let mut queue: Vec<usize> = Vec::new();
    let mut running: Vec<(u64, u64, usize)> = Vec::new(); // end, expected end, job
    let mut free = processors;
    let mut start = vec![0; jobs.len()];
    let mut next = 0;
    let mut now;
    let expected = |job: &Job| job.requested_s.max(job.run_s).max(1);
    loop {
        let end = running.iter().map(|r| r.0).min();
        let arrive = jobs.get(next).map(|j| j.submit_s);
        now = match (end, arrive) {
            (None, None) => break,
            (a, b) => a.unwrap_or(u64::MAX).min(b.unwrap_or(u64::MAX)),
        };
        while next < jobs.len() && jobs[next].submit_s <= now {
            queue.push(next);
            next += 1;
        }
        running.retain(|r| {
            if r.0 <= now {
                free += jobs[r.2].processors;
            }
            r.0 > now
        });
        if rule == Rule::Sjf {
            queue.sort_by_key(|j| (expected(&jobs[*j]), *j));
        }
        loop {
            let Some(&head) = queue.first() else { break };
            if jobs[head].processors > free {
                break;
            }
            queue.remove(0);
            free -= jobs[head].processors;
            start[head] = now;
            running.push((now + jobs[head].run_s, now + expected(&jobs[head]), head));
        }
        if rule == Rule::Easy && queue.len() > 1 {
            let head = queue[0];
            let mut ends: Vec<(u64, u32)> =
                running.iter().map(|r| (r.1, jobs[r.2].processors)).collect();
            ends.sort_unstable();
            let (mut at, mut there) = (now, free);
            for (end, wide) in ends {
                if there >= jobs[head].processors {
                    break;
                }
                there += wide;
                at = end;
            }
            let mut spare = there.saturating_sub(jobs[head].processors);
            let mut index = 1;
            while index < queue.len() {
                let job = &jobs[queue[index]];
                let ends = now + expected(job) <= at;
                if job.processors <= free && (ends || job.processors <= spare) {
                    free -= job.processors;
                    if !ends {
                        spare -= job.processors;
                    }
                    let job = queue.remove(index);
                    start[job] = now;
                    running.push((now + jobs[job].run_s, now + expected(&jobs[job]), job));
                } else {
                    index += 1;
                }
            }
        }
    }
    jobs.iter()
        .zip(start)
        .map(|(job, start_s)| Outcome { job: *job, start_s, end_s: start_s + job.run_s })
        .collect()
}
