//! A model of step time with seven parameters, learnt from the steps that a job did.
//!
//! Pollux (OSDI'21, section 4.1): a pass computes for αc + βc · local batch; exchanging gradients
//! takes α + β · (GPUs − 2), with one pair for several nodes and one inside a node; the two overlap
//! as (computeᵞ + networkᵞ)^(1/γ), γ between 1 (one after the other) and 10 (the longer of the
//! two).

use super::model::Split;
use super::step_times::Times;

/// One observed step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// Nodes of the job.
    pub nodes: u32,
    /// GPUs of the job.
    pub gpus: u32,
    /// Samples per pass and GPU.
    pub local_batch: u32,
    /// What it took.
    pub times: Times,
}

/// Number of parameters.
const N: usize = 7;
const COMPUTE: usize = 0;
const ACROSS_NODES: usize = 2;
const INSIDE_NODE: usize = 4;
const OVERLAP: usize = 6;
/// The smallest value of a parameter, and the time of a network that is not used.
const NOTHING: f64 = 1e-8;
const OVERLAP_MOST: f64 = 10.0;

/// The fitted parameters: αc, βc, αn, βn (across nodes), αr, βr (inside a node), γ. Seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Performance([f64; N]);

impl Default for Performance {
    /// Where a fit begins.
    fn default() -> Performance {
        Performance([0.1, 0.01, 0.1, 0.01, 0.1, 0.01, 1.001])
    }
}

impl Performance {
    /// Predicted seconds of a step of a split batch.
    #[must_use]
    pub fn step_s(&self, nodes: u32, gpus: u32, split: Split) -> f64 {
        let parts = self.parts(nodes, gpus, f64::from(split.local_batch));
        f64::from(split.accumulated) * parts.compute + parts.log_step.exp()
    }

    fn parts(&self, nodes: u32, gpus: u32, local_batch: f64) -> Parts {
        let Performance(p) = self;
        let compute = p[COMPUTE] + p[COMPUTE + 1] * local_batch;
        let beyond = f64::from(gpus.saturating_sub(2)).max(NOTHING);
        let link = link(nodes, gpus);
        let network = link.map_or(NOTHING, |at| p[at] + p[at + 1] * beyond);
        let gamma = p[OVERLAP];
        let (c, n) = (gamma * compute.ln(), gamma * network.ln());
        let most = c.max(n);
        let sum = (c - most).exp() + (n - most).exp();
        Parts {
            compute,
            network,
            beyond,
            link,
            compute_share: (c - most).exp() / sum,
            log_step: (most + sum.ln()) / gamma,
        }
    }

    /// Fits the parameters to observed steps, starting from `self`: Levenberg and Marquardt's
    /// method on the logarithms of pass and step times, with Pollux's small penalties for overlap
    /// and for network time that grows with GPUs. Parameters that nothing was observed of keep to
    /// Pollux's optimistic priors. (Pollux minimizes the sum of the two root mean squares; here it
    /// is the sum of the mean squares.)
    ///
    /// Cost: at most 30 passes over the observations.
    #[must_use]
    pub fn fitted(self, observed: &[Observed]) -> Performance {
        let Some(free) = self.free(observed) else { return self };
        let (mut at, free) = free;
        let mut damping = 1e-3;
        let mut now = at.cost(observed);
        for _ in 0..30 {
            let (hessian, gradient) = at.normal_equations(observed, &free);
            let Some(step) = solve(hessian, gradient, damping, &free) else { break };
            let mut next = at;
            for (k, by) in step.iter().enumerate() {
                // Parameters but the last move by their logarithm, at most by a factor of e².
                next.0[k] = match k {
                    OVERLAP => (next.0[k] - by).clamp(1.0, OVERLAP_MOST),
                    _ => (next.0[k] * (-by).clamp(-2.0, 2.0).exp()).max(NOTHING),
                };
            }
            let cost = next.cost(observed);
            if cost < now {
                let small = now - cost < 1e-7 * now.max(1e-6);
                (at, now) = (next, cost);
                damping = (damping * 0.3).max(1e-9);
                if small {
                    break;
                }
            } else {
                damping *= 8.0;
                if damping > 1e6 {
                    break;
                }
            }
        }
        at.with_priors(observed)
    }

    /// Which parameters the observations say something about, and where the others are held.
    fn free(mut self, observed: &[Observed]) -> Option<(Performance, [bool; N])> {
        let first = observed.first()?;
        let mut free = [true; N];
        let p = &mut self.0;
        if observed.iter().all(|o| o.local_batch == first.local_batch) {
            // One batch size: half of the time is taken for constant.
            let passes = observed.iter().map(|o| pass_s(o.times));
            p[COMPUTE] = passes.sum::<f64>() / observed.len() as f64 / 2.0;
            free[COMPUTE] = false;
        }
        let any = |test: fn(&Observed) -> bool| observed.iter().any(test);
        let wide = any(|o| o.gpus > 2);
        let across = any(|o| o.nodes > 1);
        let inside = any(|o| o.nodes == 1 && o.gpus > 1);
        for (at, seen) in [(ACROSS_NODES, across), (INSIDE_NODE, inside)] {
            free[at] = seen;
            free[at + 1] = seen && wide;
            for k in [at, at + 1] {
                p[k] = if free[k] { p[k].max(1e-4) } else { NOTHING };
            }
        }
        Some((self, free))
    }

    /// A network across nodes is taken to be at least a tenth slower than inside one until seen.
    fn with_priors(mut self, observed: &[Observed]) -> Performance {
        if observed.iter().all(|o| o.nodes == 1) {
            for k in 0..2 {
                let inside = self.0[INSIDE_NODE + k] * 1.1;
                self.0[ACROSS_NODES + k] = self.0[ACROSS_NODES + k].max(inside);
            }
        }
        self
    }

    /// Mean squared errors of logarithms, and the penalties.
    fn cost(&self, observed: &[Observed]) -> f64 {
        let one = |o: &Observed| {
            let parts = self.parts(o.nodes, o.gpus, f64::from(o.local_batch));
            let pass = parts.compute.ln() - pass_s(o.times).ln();
            let step = parts.log_step - o.times.step_s.ln();
            pass * pass + step * step
        };
        let errors = observed.iter().map(one).sum::<f64>() / observed.len() as f64;
        let growth = |at: usize| (self.0[at + 1] / self.0[at]).powi(2);
        let grown = growth(ACROSS_NODES) + growth(INSIDE_NODE);
        errors + 1e-3 * (self.0[OVERLAP] - 1.0).powi(2) + 1e-2 * grown
    }

    /// Gauss and Newton's approximation of the cost's second derivatives, and its first ones.
    fn normal_equations(
        &self,
        observed: &[Observed],
        free: &[bool; N],
    ) -> ([[f64; N]; N], [f64; N]) {
        let Performance(p) = self;
        let mut hessian = [[0.0; N]; N];
        let mut gradient = [0.0; N];
        let mut add = |slope: [f64; N], error: f64, weight: f64| {
            for a in (0..N).filter(|&a| free[a]) {
                gradient[a] += weight * slope[a] * error;
                for b in (0..N).filter(|&b| free[b]) {
                    hessian[a][b] += weight * slope[a] * slope[b];
                }
            }
        };
        let weight = 1.0 / observed.len() as f64;
        for o in observed {
            let batch = f64::from(o.local_batch);
            let parts = self.parts(o.nodes, o.gpus, batch);
            let mut pass = [0.0; N];
            pass[COMPUTE] = p[COMPUTE] / parts.compute;
            pass[COMPUTE + 1] = p[COMPUTE + 1] * batch / parts.compute;
            let mut step = pass.map(|slope| slope * parts.compute_share);
            let network_share = 1.0 - parts.compute_share;
            if let Some(at) = parts.link {
                step[at] = network_share * p[at] / parts.network;
                step[at + 1] = network_share * p[at + 1] * parts.beyond / parts.network;
            }
            let mean =
                parts.compute_share * parts.compute.ln() + network_share * parts.network.ln();
            step[OVERLAP] = (mean - parts.log_step) / p[OVERLAP];
            add(pass, parts.compute.ln() - pass_s(o.times).ln(), weight);
            add(step, parts.log_step - o.times.step_s.ln(), weight);
        }
        let mut overlap = [0.0; N];
        overlap[OVERLAP] = 1.0;
        add(overlap, p[OVERLAP] - 1.0, 1e-3);
        for at in [ACROSS_NODES, INSIDE_NODE] {
            let growth = p[at + 1] / p[at];
            let mut slope = [0.0; N];
            (slope[at], slope[at + 1]) = (-growth, growth);
            add(slope, growth, 1e-2);
        }
        (hessian, gradient)
    }
}

/// What a prediction is made of.
struct Parts {
    compute: f64,
    network: f64,
    /// GPUs beyond two.
    beyond: f64,
    /// Index of the network parameters that hold, if any do.
    link: Option<usize>,
    /// computeᵞ / (computeᵞ + networkᵞ).
    compute_share: f64,
    log_step: f64,
}

/// Seconds of a pass: the step without the exchange.
fn pass_s(times: Times) -> f64 {
    (times.step_s - times.sync_s).max(NOTHING)
}

/// Which network a job uses.
fn link(nodes: u32, gpus: u32) -> Option<usize> {
    match (nodes, gpus) {
        (2.., _) => Some(ACROSS_NODES),
        (_, 2..) => Some(INSIDE_NODE),
        _ => None,
    }
}

/// Solves the damped normal equations over the free parameters, by elimination; `None` if they
/// have no sound solution.
fn solve(
    mut matrix: [[f64; N]; N],
    mut right: [f64; N],
    damping: f64,
    free: &[bool; N],
) -> Option<[f64; N]> {
    for k in 0..N {
        matrix[k][k] += if free[k] { damping * (matrix[k][k] + 1e-6) } else { 1.0 };
    }
    for k in 0..N {
        let pivot = matrix[k][k];
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        for row in k + 1..N {
            let factor = matrix[row][k] / pivot;
            let above = matrix[k];
            for (entry, base) in matrix[row].iter_mut().zip(above).skip(k) {
                *entry -= factor * base;
            }
            right[row] -= factor * right[k];
        }
    }
    for k in (0..N).rev() {
        let known: f64 = (k + 1..N).map(|j| matrix[k][j] * right[j]).sum();
        right[k] = (right[k] - known) / matrix[k][k];
    }
    right.iter().all(|x| x.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests;
