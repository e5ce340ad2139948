//! Our policy.

use super::choice::Costs;
use super::sia::{allocate_by_cost, held, pinned};
use super::{Allocation, Configuration, FlavorNodes, JobView, Restart, RoundPolicy};

/// Experiment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remaining {
    /// p
    pub fairness: f64,
    /// a
    pub weight: f64,
    /// λₙ
    pub no_allocation: f64,
    /// restarts by true cost
    pub restart: f64,
}

impl Remaining {
    fn costs(self, view: &JobView<'_>, configurations: &[Configuration]) -> Costs {
        let held = held(view, configurations);
        if let (Some(held), Restart::UnderWay) = (held, view.state) {
            return pinned(held, configurations.len());
        }
        let positive = view.goodputs.iter().copied().filter(|&g| g > 0.0);
        let least = positive.fold(f64::INFINITY, f64::min);
        let longest = view.remaining.max(1e-9) / least;
        let weight = longest.powf(-self.weight);
        let cost = |(index, &goodput): (usize, &f64)| {
            if goodput <= 0.0 {
                return f64::INFINITY;
            }
            let restart = if Some(index) == held { 0.0 } else { view.restart_s * self.restart };
            let time = restart + view.remaining / goodput;
            (longest / time).powf(self.fairness) * weight
        };
        Costs {
            of: view.goodputs.iter().enumerate().map(cost).collect(),
            none: self.no_allocation * weight,
        }
    }
}

impl RoundPolicy for Remaining {
    fn allocate(
        &mut self,
        jobs: &[JobView<'_>],
        flavors: &[FlavorNodes],
    ) -> Vec<Option<Allocation>> {
        allocate_by_cost(jobs, flavors, |view, configurations| self.costs(view, configurations))
    }
}
