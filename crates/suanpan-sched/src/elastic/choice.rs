//! One configuration, or none, for each job at the lowest total cost: Sia's integer program.
//!
//! > minimize Σ costᵢ꜀ xᵢ꜀ + Σ noneᵢ (1 − Σ꜀ xᵢ꜀) such that Σ꜀ xᵢ꜀ ≤ 1 per job, and the GPUs of
//! > each flavor suffice
//!
//! Flavors are few and their GPUs some dozens, so the GPUs left of each flavor make a small state
//! and a dynamic programme over jobs is exact: jobs × configurations × Π (GPUsⱼ + 1) additions,
//! in straight runs over memory. Beyond a limit the prices of GPUs are searched for instead
//! (Lagrangian relaxation), then what does not fit is repaired.

use super::Configuration;

/// What the configurations of one job cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// By configuration; infinite where it may not run.
    pub of: Vec<f64>,
    /// Of running nowhere; infinite if it must run.
    pub none: f64,
}

/// The additions up to which the exact programme is run.
const EXACT_WORK: usize = 400_000_000;

/// The choice of each job: an index of a configuration, or none. Exact up to some hundred jobs on
/// some dozens of GPUs per flavor.
///
/// # Panics
/// If a job has not one cost per configuration, or a configuration is of an unknown flavor.
#[must_use]
pub fn choose(
    jobs: &[Costs],
    configurations: &[Configuration],
    capacity: &[u32],
) -> Vec<Option<usize>> {
    let states = capacity.iter().try_fold(1usize, |n, &gpus| n.checked_mul(gpus as usize + 1));
    let work = states.and_then(|n| n.checked_mul(jobs.len())?.checked_mul(configurations.len()));
    if work.is_some_and(|work| work <= EXACT_WORK) {
        choose_exactly(jobs, configurations, capacity)
    } else {
        choose_by_prices(jobs, configurations, capacity)
    }
}

/// The total cost of a choice.
#[must_use]
pub fn cost(jobs: &[Costs], choice: &[Option<usize>]) -> f64 {
    jobs.iter().zip(choice).map(|(job, c)| c.map_or(job.none, |c| job.of[c])).sum()
}

/// The exact choice, by dynamic programming over the GPUs left of each flavor.
///
/// # Panics
/// As [`choose`].
#[must_use]
pub fn choose_exactly(
    jobs: &[Costs],
    configurations: &[Configuration],
    capacity: &[u32],
) -> Vec<Option<usize>> {
    let mut strides = Vec::with_capacity(capacity.len());
    let mut states = 1;
    for &gpus in capacity {
        strides.push(states);
        states *= gpus as usize + 1;
    }
    // Least cost of the first k jobs by GPUs at hand, for every k. Decisions are not kept: walking
    // back, the one that gives the same sum is found again, so the inner loop is a plain minimum.
    let mut least = vec![0.0; states * (jobs.len() + 1)];
    for (k, job) in jobs.iter().enumerate() {
        let (before, after) = least[k * states..].split_at_mut(states);
        let after = &mut after[..states];
        for (to, from) in after.iter_mut().zip(&*before) {
            *to = from + job.none;
        }
        for index in worthwhile(job, configurations, capacity) {
            let Configuration { flavor, gpus } = configurations[index];
            let cost = job.of[index];
            // States that differ in the GPUs of this flavor only are `stride` apart.
            let block = strides[flavor] * (capacity[flavor] as usize + 1);
            let used = strides[flavor] * gpus as usize;
            for (to, from) in after.chunks_mut(block).zip(before.chunks(block)) {
                for (to, from) in to[used..].iter_mut().zip(from) {
                    let through = from + cost;
                    *to = if through < *to { through } else { *to };
                }
            }
        }
    }
    let mut state = states - 1;
    let mut choice = vec![None; jobs.len()];
    for (k, job) in jobs.iter().enumerate().rev() {
        let (before, after) = (&least[k * states..], &least[(k + 1) * states..]);
        if after[state] >= before[state] + job.none {
            continue;
        }
        for index in worthwhile(job, configurations, capacity) {
            let Configuration { flavor, gpus } = configurations[index];
            let free = state / strides[flavor] % (capacity[flavor] as usize + 1);
            let used = strides[flavor] * gpus as usize;
            if gpus as usize <= free && before[state - used] + job.of[index] <= after[state] {
                choice[k] = Some(index);
                state -= used;
                break;
            }
        }
    }
    choice
}

/// The configurations of a job that may be in a cheapest choice: they fit, cost less than nothing
/// at all, and less than every one of the same flavor with fewer GPUs.
fn worthwhile(
    job: &Costs,
    configurations: &[Configuration],
    capacity: &[u32],
) -> impl Iterator<Item = usize> {
    (0..configurations.len()).filter(move |&index| {
        let (cost, c) = (job.of[index], configurations[index]);
        let beaten = |(other, o): (usize, &Configuration)| {
            o.flavor == c.flavor && o.gpus < c.gpus && job.of[other] <= cost
        };
        cost < job.none
            && c.gpus <= capacity[c.flavor]
            && !configurations.iter().enumerate().any(beaten)
    })
}

/// A good choice for any size: prices per GPU of each flavor rise while more is asked for than
/// there is and fall while some is left; the best feasible choice seen is kept, each made feasible
/// by taking jobs down in rising order of what that costs per GPU, and then improved while single
/// jobs gain from a change. Cost: rounds × jobs × configurations.
#[must_use]
pub fn choose_by_prices(
    jobs: &[Costs],
    configurations: &[Configuration],
    capacity: &[u32],
) -> Vec<Option<usize>> {
    const ROUNDS: u32 = 60;
    let mut prices = vec![0.0f64; capacity.len()];
    let spread = jobs.iter().flat_map(|job| job.of.iter().copied().chain([job.none]));
    let finite = || spread.clone().filter(|cost| cost.is_finite());
    let range = finite().fold(0.0, f64::max) - finite().fold(f64::INFINITY, f64::min).min(0.0);
    let mut best: Option<(f64, Vec<Option<usize>>)> = None;
    for round in 1..=ROUNDS {
        let choice: Vec<Option<usize>> =
            jobs.iter().map(|job| cheapest(job, configurations, &prices)).collect();
        let left = left(&choice, configurations, capacity);
        let mut feasible = choice;
        repair(jobs, configurations, &mut feasible, left.clone());
        let total = cost(jobs, &feasible);
        if best.as_ref().is_none_or(|(other, _)| total < *other) {
            best = Some((total, feasible));
        }
        let step = range / f64::from(round).sqrt() / 4.0;
        for (price, (left, all)) in prices.iter_mut().zip(left.iter().zip(capacity)) {
            let over = -(*left as f64) / f64::from((*all).max(1));
            *price = (*price + step * over / f64::from((*all).max(1)).sqrt()).max(0.0);
        }
    }
    best.map(|(_, choice)| choice).unwrap_or_default()
}

/// The choice of one job at prices per GPU.
fn cheapest(job: &Costs, configurations: &[Configuration], prices: &[f64]) -> Option<usize> {
    let priced = |(index, c): (usize, &Configuration)| {
        (job.of[index] + prices[c.flavor] * f64::from(c.gpus), index)
    };
    let best = configurations.iter().enumerate().map(priced).min_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(cost, _)| *cost < job.none).map(|(_, index)| index)
}

/// GPUs left of each flavor; negative if too many are taken.
fn left(choice: &[Option<usize>], configurations: &[Configuration], capacity: &[u32]) -> Vec<i64> {
    let mut left: Vec<i64> = capacity.iter().map(|&gpus| i64::from(gpus)).collect();
    for &index in choice.iter().flatten() {
        left[configurations[index].flavor] -= i64::from(configurations[index].gpus);
    }
    left
}

/// Takes jobs down until everything fits, then lets jobs change while that lowers the cost.
fn repair(
    jobs: &[Costs],
    configurations: &[Configuration],
    choice: &mut [Option<usize>],
    mut left: Vec<i64>,
) {
    const PASSES: usize = 8;
    let take = |left: &mut [i64], index: Option<usize>, sign: i64| {
        if let Some(index) = index {
            let c = configurations[index];
            left[c.flavor] += sign * i64::from(c.gpus);
        }
    };
    while let Some(short) = left.iter().position(|&gpus| gpus < 0) {
        let mut cut: Option<(f64, usize, Option<usize>)> = None;
        for (job, costs) in jobs.iter().enumerate() {
            let Some(now) = choice[job].filter(|&c| configurations[c].flavor == short) else {
                continue;
            };
            let fewer = |&(_, c): &(usize, &Configuration)| {
                let fits = i64::from(c.gpus) <= left[c.flavor].max(0);
                let less = c.flavor == short && c.gpus < configurations[now].gpus;
                less || (c.flavor != short && fits)
            };
            let other = configurations.iter().enumerate().filter(fewer);
            let other = other.map(|(index, _)| Some(index)).chain([None]);
            for to in other {
                let freed = match to.filter(|&c| configurations[c].flavor == short) {
                    Some(c) => configurations[now].gpus - configurations[c].gpus,
                    None => configurations[now].gpus,
                };
                let rise = to.map_or(costs.none, |c| costs.of[c]) - costs.of[now];
                // A job that must run is taken down last of all.
                let rise = if rise.is_finite() { rise } else { 1e18 };
                let per_gpu = rise / f64::from(freed);
                if cut.is_none_or(|(least, _, _)| per_gpu < least) {
                    cut = Some((per_gpu, job, to));
                }
            }
        }
        let (_, job, to) = cut.expect("a flavor that is short has a job on it");
        take(&mut left, choice[job], 1);
        take(&mut left, to, -1);
        choice[job] = to;
    }
    for _ in 0..PASSES {
        let mut changed = false;
        for (job, costs) in jobs.iter().enumerate() {
            let now = choice[job].map_or(costs.none, |c| costs.of[c]);
            take(&mut left, choice[job], 1);
            let fitting = configurations.iter().enumerate();
            let fitting = fitting.filter(|(_, c)| i64::from(c.gpus) <= left[c.flavor]);
            let best = fitting.min_by(|a, b| costs.of[a.0].total_cmp(&costs.of[b.0]));
            if let Some((index, _)) = best.filter(|(index, _)| costs.of[*index] < now) {
                changed |= choice[job] != Some(index);
                choice[job] = Some(index);
            }
            take(&mut left, choice[job], -1);
        }
        if !changed {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
