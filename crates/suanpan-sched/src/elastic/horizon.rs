//! Ours: Sia's program, but a restart is paid back within a horizon, and short remainders count
//! more.
//!
//! Sia discounts a move by the part of a job's *whole* life that restarts take, so a long job
//! with few restarts moves for the smallest gain, again and again. What a move gains lasts only
//! until the next one, or until the job ends; so here a goodput that needs a restart counts for
//! the part of that time that the restart leaves:
//! 1 − restart / min(horizon, remaining / goodput).
//!
//! The mean completion time falls if short remainders go first (Smith's rule, 1956; Berg et al.,
//! heSRPT, 2020, for jobs that share processors with falling returns), so a job's costs are
//! multiplied by (its longest remaining time)⁻ʷ. With Sia's own discount that backfires: weights
//! that change every round make jobs move for nothing.

use super::choice::Costs;
use super::sia::{allocate_by_cost, held, pinned};
use super::{Allocation, Configuration, FlavorNodes, JobView, Restart, RoundPolicy};

/// Sia's program with restarts paid back within a horizon, weighted by remaining time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Horizon {
    /// p, below 0: the more so, the fairer.
    pub fairness: f64,
    /// What a job without GPUs costs.
    pub no_allocation: f64,
    /// For how long a move is taken to last, in seconds.
    pub horizon_s: f64,
    /// w: 0 counts all jobs alike, 1 counts them per unit of remaining time.
    pub weight: f64,
}

impl Default for Horizon {
    fn default() -> Horizon {
        Horizon { fairness: -0.5, no_allocation: 1.1, horizon_s: 1200.0, weight: 0.25 }
    }
}

impl Horizon {
    fn costs(self, view: &JobView<'_>, configurations: &[Configuration]) -> Costs {
        let held = held(view, configurations);
        if let (Some(held), Restart::UnderWay) = (held, view.state) {
            return pinned(held, configurations.len());
        }
        let positive = view.goodputs.iter().copied().filter(|&g| g > 0.0);
        let least = positive.fold(f64::INFINITY, f64::min);
        let weight = (view.remaining / least).max(1.0).powf(-self.weight);
        let cost = |index: usize| {
            let goodput = view.goodputs.get(index).copied().unwrap_or_default();
            let lasts_s = self.horizon_s.min(view.remaining / goodput);
            let left = match held {
                Some(held) if held != index => 1.0 - view.restart_s / lasts_s,
                _ => 1.0,
            };
            if goodput <= 0.0 || left <= 0.0 {
                return f64::INFINITY;
            }
            weight * (goodput / least * left).powf(self.fairness)
        };
        Costs {
            of: (0..configurations.len()).map(cost).collect(),
            none: self.no_allocation * weight,
        }
    }
}

impl RoundPolicy for Horizon {
    fn allocate(
        &mut self,
        jobs: &[JobView<'_>],
        flavors: &[FlavorNodes],
    ) -> Vec<Option<Allocation>> {
        allocate_by_cost(jobs, flavors, |view, configurations| self.costs(view, configurations))
    }
}
