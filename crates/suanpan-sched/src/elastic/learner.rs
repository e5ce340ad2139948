//! Goodputs that are not known beforehand but learnt from what ran, as Sia (SOSP'23, section 3.3)
//! does it.

use std::collections::BTreeSet;

use super::goodput::{Candidate, best, shape};
use super::performance::{Observed, Performance};
use super::training::Gradient;
use super::{Configuration, FlavorNodes};

/// What was learnt of a program: step times on each flavor that it ran on.
///
/// Before anything ran it may have the fewest GPUs of any flavor that can run it, mostly one. Then
/// it may have twice the GPUs it ever had. Flavors that it has not run on are taken to be faster
/// or slower than one that it has in the ratio of their one-GPU speeds, which are profiled at
/// submission.
#[derive(Clone, Debug)]
pub struct Learner {
    /// Samples per second on one GPU, by flavor; 0 where it cannot run.
    alone: Vec<f64>,
    flavors: Vec<Learnt>,
    most_gpus: u32,
}

/// What was learnt on one flavor.
#[derive(Clone, Debug, Default)]
struct Learnt {
    seen: BTreeSet<(u32, u32, u32)>,
    observed: Vec<Observed>,
    fitted: Option<Performance>,
}

impl Learner {
    /// A program of which only its one-GPU speeds, by flavor, are known.
    #[must_use]
    pub fn new(alone: Vec<f64>) -> Learner {
        let flavors = vec![Learnt::default(); alone.len()];
        Learner { alone, flavors, most_gpus: 0 }
    }

    /// Takes note of a step; fits anew if it is of a kind not seen before, and says so.
    pub fn observe(&mut self, flavor: usize, step: Observed) -> News {
        let learnt = &mut self.flavors[flavor];
        if !learnt.seen.insert((step.nodes, step.gpus, step.local_batch)) {
            return News::None;
        }
        learnt.observed.push(step);
        let from = learnt.fitted.unwrap_or_default();
        learnt.fitted = Some(from.fitted(&learnt.observed));
        self.most_gpus = self.most_gpus.max(step.gpus);
        News::Learnt
    }

    /// The fitted step times on a flavor, if it ran there.
    #[must_use]
    pub fn on(&self, flavor: usize) -> Option<&Performance> {
        self.flavors[flavor].fitted.as_ref()
    }

    /// Estimated goodput of each configuration, in progress per second; 0 where it may not run.
    /// Before anything ran, 1 for the fewest GPUs of each flavor.
    #[must_use]
    pub fn goodputs(
        &self,
        configurations: &[Configuration],
        flavors: &[FlavorNodes],
        table: &[Vec<Candidate>],
        gradient: Gradient,
        initial_batch: u32,
    ) -> Vec<f64> {
        let known = (0..flavors.len()).find(|&flavor| self.on(flavor).is_some());
        let most = 2 * self.most_gpus;
        let mut tried = None;
        let estimate = |(c, candidates): (&Configuration, &Vec<Candidate>)| {
            let Some(known) = known else {
                // The fewest GPUs of each flavor that can run it: mostly one.
                let first = !candidates.is_empty() && tried != Some(c.flavor);
                tried = if first { Some(c.flavor) } else { tried };
                return if first { 1.0 } else { 0.0 };
            };
            if c.gpus > most {
                return 0.0;
            }
            let from = if self.on(c.flavor).is_some() { c.flavor } else { known };
            let by = self.on(from).expect("it was found as known");
            let ratio =
                if from == c.flavor { 1.0 } else { self.alone[c.flavor] / self.alone[from] };
            if !ratio.is_finite() {
                return 0.0;
            }
            let nodes = shape(Configuration { flavor: from, ..*c }, flavors).nodes();
            let step_s = |candidate: &Candidate| by.step_s(nodes, c.gpus, candidate.split);
            best(candidates, gradient, initial_batch, step_s).map_or(0.0, |b| b.1 * ratio)
        };
        configurations.iter().zip(table).map(estimate).collect()
    }
}

/// Whether an observation was of a kind not seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It was seen before.
    None,
    /// Estimates have changed.
    Learnt,
}

#[cfg(test)]
mod tests;
