//! Ours: Sia's program, with more weight on jobs that have little left to do.
//!
//! Sia counts all jobs alike, which is right as long as nobody knows how long they run. A training
//! job's epochs are known, though, and the mean completion time falls if short remainders go
//! first (Smith's rule, 1956; for jobs that share processors with falling returns, Berg et al.,
//! heSRPT, 2020). So each job's costs are multiplied by (its longest remaining time)⁻ʷ.

use super::sia::{Sia, allocate_by_cost};
use super::{Allocation, FlavorNodes, JobView, RoundPolicy};

/// Sia's policy, weighted by remaining time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShortestRemaining {
    /// The policy that is weighted.
    pub sia: Sia,
    /// w: 0 is Sia, 1 counts jobs per unit of remaining time.
    pub weight: f64,
}

impl Default for ShortestRemaining {
    fn default() -> ShortestRemaining {
        ShortestRemaining { sia: Sia::default(), weight: 0.5 }
    }
}

impl RoundPolicy for ShortestRemaining {
    fn allocate(
        &mut self,
        jobs: &[JobView<'_>],
        flavors: &[FlavorNodes],
    ) -> Vec<Option<Allocation>> {
        allocate_by_cost(jobs, flavors, |view, configurations| {
            let mut costs = self.sia.costs(view, configurations);
            let slowest = view.goodputs.iter().copied().filter(|&g| g > 0.0);
            let longest_s = view.remaining / slowest.fold(f64::INFINITY, f64::min);
            let weight = longest_s.max(1.0).powf(-self.weight);
            costs.none *= weight;
            costs.of.iter_mut().for_each(|cost| *cost *= weight);
            costs
        })
    }
}
