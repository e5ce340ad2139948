//! Sia (SOSP'23): each round, flavor and number of GPUs of every job by one integer program over
//! normalized goodputs.

use super::choice::{Costs, choose};
use super::pack::pack;
use super::{
    Allocation, Configuration, FlavorNodes, JobView, Restart, RoundPolicy, configurations,
};

/// Sia's policy. Each job's goodputs are divided by its smallest; moving away from what it holds
/// is discounted by the part of its life that a further restart would leave; and Σ goodputᵖ is
/// minimized, where a job without GPUs counts `no_allocation` (section 3.4, with the settings of
/// its evaluation). A job in the middle of a restart stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sia {
    /// p, below 0: the more so, the fairer.
    pub fairness: f64,
    /// λₙ, above 1: what a job without GPUs costs.
    pub no_allocation: f64,
}

impl Default for Sia {
    fn default() -> Sia {
        Sia { fairness: -0.5, no_allocation: 1.1 }
    }
}

/// Costs are rounded and limited so that the solver sees no tiny or huge ones.
const COST_MOST: f64 = 3000.0;

impl Sia {
    /// The costs of one job, over all configurations.
    #[must_use]
    pub fn costs(self, view: &JobView<'_>, configurations: &[Configuration]) -> Costs {
        let held = held(view, configurations);
        if let (Some(held), Restart::UnderWay) = (held, view.state) {
            return pinned(held, configurations.len());
        }
        let positive = view.goodputs.iter().copied().filter(|&g| g > 0.0);
        let least = positive.fold(f64::INFINITY, f64::min);
        let discount = if held.is_some() { discount(view) } else { 1.0 };
        let cost = |index: usize| {
            let goodput = view.goodputs.get(index).copied().unwrap_or_default();
            if goodput <= 0.0 {
                return f64::INFINITY;
            }
            let kept = if Some(index) == held { 1.0 } else { discount };
            let cost = (goodput / least * kept).powf(self.fairness);
            ((cost * 100.0).round_ties_even() / 100.0).min(COST_MOST)
        };
        Costs { of: (0..configurations.len()).map(cost).collect(), none: self.no_allocation }
    }
}

/// Index of the configuration that a job holds.
#[must_use]
pub fn held(view: &JobView<'_>, configurations: &[Configuration]) -> Option<usize> {
    let now = view.held.map(|a| Configuration { flavor: a.flavor, gpus: a.gpus() })?;
    configurations.iter().position(|c| *c == now)
}

/// Costs that leave one configuration only.
#[must_use]
pub fn pinned(configuration: usize, configurations: usize) -> Costs {
    let mut of = vec![f64::INFINITY; configurations];
    of[configuration] = 0.0;
    Costs { of, none: f64::INFINITY }
}

/// The part of a job's life that is left for work if it restarts once more (Pollux, OSDI'21,
/// section 4.2); nothing is taken from a job younger than a restart.
fn discount(view: &JobView<'_>) -> f64 {
    if view.age_s < view.restart_s {
        return 1.0;
    }
    let lost_s = f64::from(view.restarts) * view.restart_s;
    (view.age_s - lost_s).max(0.0) / (view.age_s + view.restart_s)
}

/// Chooses by costs, and packs.
#[must_use]
pub fn allocate_by_cost(
    jobs: &[JobView<'_>],
    flavors: &[FlavorNodes],
    costs: impl Fn(&JobView<'_>, &[Configuration]) -> Costs,
) -> Vec<Option<Allocation>> {
    let configurations = configurations(flavors);
    let costs: Vec<Costs> = jobs.iter().map(|view| costs(view, &configurations)).collect();
    let capacity: Vec<u32> = flavors.iter().map(|about| about.gpus()).collect();
    let choice = choose(&costs, &configurations, &capacity);
    let wanted: Vec<_> = choice.into_iter().map(|c| c.map(|c| configurations[c])).collect();
    let held: Vec<_> = jobs.iter().map(|view| view.held).collect();
    pack(&wanted, &held, flavors)
}

impl RoundPolicy for Sia {
    fn allocate(
        &mut self,
        jobs: &[JobView<'_>],
        flavors: &[FlavorNodes],
    ) -> Vec<Option<Allocation>> {
        allocate_by_cost(jobs, flavors, |view, configurations| self.costs(view, configurations))
    }
}
