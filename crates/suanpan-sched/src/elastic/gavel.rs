//! Gavel (OSDI'20): jobs of a fixed size take turns, so that over time each gets its share of
//! each flavor.
//!
//! Every round the [`shares`](super::shares) are computed anew. A job's priority on a flavor is
//! its share there over the part of the flavor's time that it has had; jobs are taken in falling
//! priority as long as they fit, also those without a share, so no GPU idles for the sake of the
//! shares. A job keeps its GPUs if it can; the rest fill nodes from the first, widest job first.
//! The policy for total throughput is the one that Sia (SOSP'23) ran as "Gavel", and its public
//! simulator's rules are followed one by one; max-min fairness is the one that Gavel's authors
//! evaluate most, once with the speeds of the flavors and once as if all were alike.

use std::collections::BTreeMap;

use super::max_min::max_min_shares;
use super::shares::{Claim, shares};
use super::{Allocation, FlavorNodes, JobView, RoundPolicy};

/// What shares are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// As much as possible is done together.
    TotalThroughput,
    /// The job that gets on least gets on as well as it can.
    MaxMinFairness,
    /// The same, by time alone: as if all flavors were equally fast.
    MaxMinFairnessAgnostic,
}

/// Gavel with one of its policies.
#[derive(Clone, Debug)]
pub struct Gavel {
    round_s: f64,
    objective: Objective,
    /// Seconds that each job has had on each flavor, half a round to begin with.
    job_time: BTreeMap<usize, Vec<f64>>,
    /// The sum of it by flavor, jobs that have ended included.
    flavor_time: Vec<f64>,
    /// Which GPUs each running job has: its flavor, and numbers within it.
    holds: BTreeMap<usize, (usize, Vec<u32>)>,
}

/// What a job is taken to do per second on a flavor that has fewer GPUs than it asks for. It is
/// never placed there, but its share counts: Sia's simulator does so.
const TOO_WIDE_STEPS_PER_S: f64 = 0.1;

impl Gavel {
    /// A policy for rounds of so many seconds.
    #[must_use]
    pub fn new(round_s: f64, objective: Objective) -> Gavel {
        Gavel {
            round_s,
            objective,
            job_time: BTreeMap::new(),
            flavor_time: Vec::new(),
            holds: BTreeMap::new(),
        }
    }

    /// Notes new jobs and forgets those that are gone.
    fn admit(&mut self, jobs: &[JobView<'_>], flavors: usize) {
        self.flavor_time.resize(flavors, 0.0);
        for view in jobs {
            self.job_time.entry(view.job).or_insert_with(|| {
                let half = self.round_s / 2.0;
                self.flavor_time.iter_mut().for_each(|time| *time += half);
                vec![half; flavors]
            });
        }
        let here = |job: &usize| jobs.binary_search_by_key(job, |view| view.job).is_ok();
        self.job_time.retain(|job, _| here(job));
    }

    /// (Index into `jobs`, flavor) in falling priority, then share, then as they came.
    fn ranked(&self, jobs: &[JobView<'_>], flavors: &[FlavorNodes]) -> Vec<(usize, usize)> {
        let claim = |view: &JobView<'_>| {
            let rate = |(flavor, about): (usize, &FlavorNodes)| {
                let is_too_wide = view.gpus > about.gpus();
                match self.objective {
                    Objective::TotalThroughput if is_too_wide => TOO_WIDE_STEPS_PER_S,
                    Objective::TotalThroughput => view.steps_per_s[flavor],
                    _ if is_too_wide || view.steps_per_s[flavor] <= 0.0 => 0.0,
                    Objective::MaxMinFairness => view.steps_per_s[flavor],
                    Objective::MaxMinFairnessAgnostic => 1.0,
                }
            };
            let rates = flavors.iter().enumerate().map(rate).collect();
            Claim { gpus: f64::from(view.gpus), rates }
        };
        let claims: Vec<Claim> = jobs.iter().map(claim).collect();
        let capacity: Vec<f64> = flavors.iter().map(|about| f64::from(about.gpus())).collect();
        let shares = match self.objective {
            Objective::TotalThroughput => shares(&claims, &capacity),
            Objective::MaxMinFairness | Objective::MaxMinFairnessAgnostic => {
                max_min_shares(&claims, &capacity)
            }
        };
        let mut ranked = Vec::with_capacity(jobs.len() * flavors.len());
        for (flavor, time_s) in self.flavor_time.iter().enumerate() {
            for (index, view) in jobs.iter().enumerate() {
                let had = self.job_time[&view.job][flavor] / time_s;
                let share = shares[index][flavor];
                ranked.push((share / had, share, index, flavor));
            }
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
        ranked.into_iter().map(|(_, _, index, flavor)| (index, flavor)).collect()
    }

    /// Which jobs run on each flavor, as indexes into `jobs`, the widest first.
    fn chosen(&self, jobs: &[JobView<'_>], flavors: &[FlavorNodes]) -> Vec<Vec<usize>> {
        let mut free: Vec<u32> = flavors.iter().map(|about| about.gpus()).collect();
        let mut taken = vec![false; jobs.len()];
        let mut chosen = vec![Vec::new(); flavors.len()];
        for (index, flavor) in self.ranked(jobs, flavors) {
            let gpus = jobs[index].gpus;
            let runs = self.objective == Objective::TotalThroughput
                || jobs[index].steps_per_s[flavor] > 0.0;
            if !taken[index] && gpus <= free[flavor] && runs {
                free[flavor] -= gpus;
                taken[index] = true;
                chosen[flavor].push(index);
            }
        }
        for list in &mut chosen {
            list.sort_by_key(|&index| std::cmp::Reverse(jobs[index].gpus));
        }
        chosen
    }

    /// GPU numbers for the jobs of one flavor, which come widest first. Width by width, those that
    /// stay are seated before those that come.
    fn seat(&self, jobs: &[JobView<'_>], chosen: &[usize], flavor: usize, gpus: u32) -> Seats {
        let mut seats: Seats = BTreeMap::new();
        let mut used = vec![false; gpus as usize];
        for same_width in chosen.chunk_by(|&a, &b| jobs[a].gpus == jobs[b].gpus) {
            for &index in same_width {
                let Some((before, held)) = self.holds.get(&jobs[index].job) else { continue };
                let width = jobs[index].gpus as usize;
                if *before == flavor
                    && held.len() == width
                    && held.iter().all(|&gpu| !used[gpu as usize])
                {
                    held.iter().for_each(|&gpu| used[gpu as usize] = true);
                    seats.insert(index, held.clone());
                }
            }
            for &index in same_width {
                seats.entry(index).or_insert_with(|| {
                    let free = (0..gpus).filter(|&gpu| !used[gpu as usize]);
                    let own: Vec<u32> = free.take(jobs[index].gpus as usize).collect();
                    own.iter().for_each(|&gpu| used[gpu as usize] = true);
                    own
                });
            }
        }
        seats
    }
}

/// GPU numbers by index of the job.
type Seats = BTreeMap<usize, Vec<u32>>;

impl RoundPolicy for Gavel {
    fn allocate(
        &mut self,
        jobs: &[JobView<'_>],
        flavors: &[FlavorNodes],
    ) -> Vec<Option<Allocation>> {
        self.admit(jobs, flavors.len());
        let mut holds = BTreeMap::new();
        let mut allocations = vec![None; jobs.len()];
        for (flavor, chosen) in self.chosen(jobs, flavors).into_iter().enumerate() {
            let about = flavors[flavor];
            for (index, gpus) in self.seat(jobs, &chosen, flavor, about.gpus()) {
                let nodes =
                    gpus.chunk_by(|a, b| a / about.gpus_per_node == b / about.gpus_per_node);
                let parts =
                    nodes.map(|on| (on[0] / about.gpus_per_node, on.len() as u32)).collect();
                allocations[index] = Some(Allocation { flavor, parts });
                let job = jobs[index].job;
                if let Some(times) = self.job_time.get_mut(&job) {
                    times[flavor] += self.round_s;
                }
                self.flavor_time[flavor] += self.round_s;
                holds.insert(job, (flavor, gpus));
            }
        }
        self.holds = holds;
        allocations
    }
}

#[cfg(test)]
mod tests;
