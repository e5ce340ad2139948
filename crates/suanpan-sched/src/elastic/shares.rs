//! Gavel's linear program: what part of the time each job should run on each flavor.
//!
//! > maximize Σ rateᵢⱼ xᵢⱼ such that Σⱼ xᵢⱼ ≤ 1, Σᵢ gpusᵢ xᵢⱼ ≤ GPUsⱼ, x ≥ 0
//!
//! (Gavel, OSDI'20, section 4, the policy that maximizes total throughput). Jobs that are alike
//! make whole faces of optimal shares. An interior-point method ends in the middle of that face,
//! so like jobs get like shares, which a vertex method would not give; Gavel's own solver is one
//! too. This is Mehrotra's predictor-corrector (1992); the normal equations fall apart into one
//! number per job and one small dense matrix over flavors, so a step costs jobs × flavors².

/// One job of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// GPUs it takes while it runs.
    pub gpus: f64,
    /// What it does per second, by flavor.
    pub rates: Vec<f64>,
}

/// The share of time of each claim on each flavor, rounded to five decimals as Gavel does.
///
/// # Panics
/// If a claim has not one rate per flavor.
#[must_use]
pub fn shares(claims: &[Claim], capacity: &[f64]) -> Vec<Vec<f64>> {
    let flavors = capacity.len();
    assert!(claims.iter().all(|c| c.rates.len() == flavors), "one rate per flavor");
    if claims.is_empty() || flavors == 0 {
        return vec![Vec::new(); claims.len()];
    }
    let program = Program { claims, capacity };
    let mut at = program.start();
    for _ in 0..MOST_STEPS {
        if program.step(&mut at) == Progress::Done {
            break;
        }
    }
    let round = |x: f64| ((x * 1e5).round() / 1e5).clamp(0.0, 1.0);
    at.primal[..claims.len() * flavors]
        .chunks(flavors)
        .map(|row| row.iter().map(|&x| round(x)).collect())
        .collect()
}

const MOST_STEPS: usize = 100;
/// Relative gap and infeasibility at which the program counts as solved.
const SOLVED: f64 = 1e-8;

struct Program<'a> {
    claims: &'a [Claim],
    capacity: &'a [f64],
}

/// The point: shares by job and flavor, then what is left of each job's time, then of each
/// flavor; their duals in the same order; and the prices of jobs, then of flavors.
struct Point {
    primal: Vec<f64>,
    dual: Vec<f64>,
    prices: Vec<f64>,
}

#[derive(PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

impl Program<'_> {
    fn variables(&self) -> usize {
        let (jobs, flavors) = (self.claims.len(), self.capacity.len());
        jobs * flavors + jobs + flavors
    }

    fn start(&self) -> Point {
        let rates = self.claims.iter().flat_map(|claim| &claim.rates);
        let largest = rates.copied().fold(1.0, f64::max);
        let prices = vec![0.0; self.claims.len() + self.capacity.len()];
        let n = self.variables();
        Point { primal: vec![1.0; n], dual: vec![largest; n], prices }
    }

    /// Row sums: time of each job, GPUs of each flavor.
    fn rows(&self, of: &[f64]) -> Vec<f64> {
        let (jobs, flavors) = (self.claims.len(), self.capacity.len());
        let mut sums = of[jobs * flavors..].to_vec();
        for (job, claim) in self.claims.iter().enumerate() {
            for flavor in 0..flavors {
                let x = of[job * flavors + flavor];
                sums[job] += x;
                sums[jobs + flavor] += claim.gpus * x;
            }
        }
        sums
    }

    /// The transpose: what each variable costs at these prices.
    fn columns(&self, prices: &[f64]) -> Vec<f64> {
        let jobs = self.claims.len();
        let (of_jobs, of_flavors) = prices.split_at(jobs);
        let mut costs = Vec::with_capacity(self.variables());
        for (claim, price) in self.claims.iter().zip(of_jobs) {
            costs.extend(of_flavors.iter().map(|flavor| price + claim.gpus * flavor));
        }
        costs.extend_from_slice(prices);
        costs
    }

    /// One predictor-corrector step.
    fn step(&self, at: &mut Point) -> Progress {
        let n = self.variables();
        let right: Vec<f64> =
            self.claims.iter().map(|_| 1.0).chain(self.capacity.iter().copied()).collect();
        let short: Vec<f64> =
            right.iter().zip(self.rows(&at.primal)).map(|(want, have)| want - have).collect();
        let mut gain = vec![0.0; n];
        for (slot, rate) in gain.iter_mut().zip(self.claims.iter().flat_map(|c| &c.rates)) {
            *slot = *rate;
        }
        let costs = self.columns(&at.prices);
        let slack: Vec<f64> = (0..n).map(|i| -gain[i] - costs[i] - at.dual[i]).collect();
        let mu = dot(&at.primal, &at.dual) / n as f64;
        let size = 1.0 + dot(&gain, &at.primal).abs();
        let off = largest(&short).max(largest(&slack) / (1.0 + largest(&gain)));
        if mu * n as f64 <= SOLVED * size && off <= SOLVED {
            return Progress::Done;
        }
        let normal = Normal::new(self, at);
        let aim: Vec<f64> = (0..n).map(|i| -at.primal[i] * at.dual[i]).collect();
        let guess = normal.direction(self, at, &short, &slack, &aim);
        let (p, d) = (reach(&at.primal, &guess.primal), reach(&at.dual, &guess.dual));
        let ahead =
            |i: usize| (at.primal[i] + p * guess.primal[i]) * (at.dual[i] + d * guess.dual[i]);
        let after = (0..n).map(ahead).sum::<f64>() / n as f64;
        let centre = mu * (after / mu).powi(3);
        let aim: Vec<f64> = (0..n)
            .map(|i| centre - at.primal[i] * at.dual[i] - guess.primal[i] * guess.dual[i])
            .collect();
        let step = normal.direction(self, at, &short, &slack, &aim);
        let (p, d) = (reach(&at.primal, &step.primal), reach(&at.dual, &step.dual));
        const KEEP_INSIDE: f64 = 0.99;
        let (p, d) = ((KEEP_INSIDE * p).min(1.0), (KEEP_INSIDE * d).min(1.0));
        add(&mut at.primal, &step.primal, p);
        add(&mut at.dual, &step.dual, d);
        add(&mut at.prices, &step.prices, d);
        if p.max(d) < 1e-10 || !at.primal.iter().all(|x| x.is_finite()) {
            return Progress::Done;
        }
        Progress::More
    }
}

/// The matrix of the normal equations with the jobs' rows eliminated.
struct Normal {
    /// primal / dual.
    ratio: Vec<f64>,
    /// The diagonal over jobs.
    jobs: Vec<f64>,
    /// What is left over flavors, as its Cholesky factor.
    flavors: Vec<Vec<f64>>,
}

impl Normal {
    fn new(program: &Program<'_>, at: &Point) -> Normal {
        let (jobs, flavors) = (program.claims.len(), program.capacity.len());
        let ratio: Vec<f64> = at.primal.iter().zip(&at.dual).map(|(z, w)| z / w).collect();
        let mut matrix = vec![vec![0.0; flavors]; flavors];
        for (flavor, row) in matrix.iter_mut().enumerate() {
            row[flavor] = ratio[jobs * flavors + jobs + flavor];
        }
        let mut diagonal = Vec::with_capacity(jobs);
        for (job, claim) in program.claims.iter().enumerate() {
            let of = &ratio[job * flavors..][..flavors];
            let own = of.iter().sum::<f64>() + ratio[jobs * flavors + job];
            diagonal.push(own);
            let square = claim.gpus * claim.gpus;
            for (a, row) in matrix.iter_mut().enumerate() {
                // The diagonal is summed up from what is positive: taking the difference of two
                // almost equal numbers would lose it near the end.
                let mut others = ratio[jobs * flavors + job];
                for (b, (entry, other)) in row.iter_mut().zip(of).enumerate() {
                    if b != a {
                        *entry -= square * of[a] * other / own;
                        others += other;
                    }
                }
                row[a] += square * of[a] * others / own;
            }
        }
        Normal { ratio, jobs: diagonal, flavors: cholesky(matrix) }
    }

    /// The step towards primal × dual = now + `aim`, closing `short` and `slack`.
    fn direction(
        &self,
        program: &Program<'_>,
        at: &Point,
        short: &[f64],
        slack: &[f64],
        aim: &[f64],
    ) -> Point {
        let jobs = program.claims.len();
        let flavors = program.capacity.len();
        let n = at.primal.len();
        let moved: Vec<f64> =
            (0..n).map(|i| self.ratio[i] * slack[i] - aim[i] / at.dual[i]).collect();
        let mut right: Vec<f64> =
            short.iter().zip(program.rows(&moved)).map(|(a, b)| a + b).collect();
        let (of_jobs, of_flavors) = right.split_at_mut(jobs);
        for (job, claim) in program.claims.iter().enumerate() {
            for (flavor, slot) in of_flavors.iter_mut().enumerate() {
                let link = claim.gpus * self.ratio[job * flavors + flavor];
                *slot -= link * of_jobs[job] / self.jobs[job];
            }
        }
        solve(&self.flavors, of_flavors);
        for (job, claim) in program.claims.iter().enumerate() {
            let links = &self.ratio[job * flavors..][..flavors];
            let taken: f64 =
                links.iter().zip(of_flavors.iter()).map(|(r, y)| claim.gpus * r * y).sum();
            of_jobs[job] = (of_jobs[job] - taken) / self.jobs[job];
        }
        let prices = right;
        let dual: Vec<f64> =
            slack.iter().zip(program.columns(&prices)).map(|(r, c)| r - c).collect();
        let primal = (0..n).map(|i| aim[i] / at.dual[i] - self.ratio[i] * dual[i]).collect();
        Point { primal, dual, prices }
    }
}

/// The lower factor of a symmetric positive definite matrix.
fn cholesky(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for i in 0..a.len() {
        for j in 0..=i {
            let sum: f64 = a[i][j] - (0..j).map(|k| a[i][k] * a[j][k]).sum::<f64>();
            a[i][j] = if i == j { sum.max(1e-30).sqrt() } else { sum / a[j][j] };
        }
    }
    a
}

/// Solves with a Cholesky factor, in place.
fn solve(factor: &[Vec<f64>], right: &mut [f64]) {
    let n = right.len();
    for i in 0..n {
        let done: f64 = (0..i).map(|k| factor[i][k] * right[k]).sum();
        right[i] = (right[i] - done) / factor[i][i];
    }
    for i in (0..n).rev() {
        let done: f64 = (i + 1..n).map(|k| factor[k][i] * right[k]).sum();
        right[i] = (right[i] - done) / factor[i][i];
    }
}

/// How far one may go before something turns negative; at most 1/0.99, so that a whole step stays
/// possible.
fn reach(from: &[f64], step: &[f64]) -> f64 {
    let limits = from.iter().zip(step).filter(|(_, d)| **d < 0.0).map(|(z, d)| -z / d);
    limits.fold(1.0 / 0.99, f64::min)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn largest(of: &[f64]) -> f64 {
    of.iter().fold(0.0, |most, x| x.abs().max(most))
}

fn add(to: &mut [f64], step: &[f64], by: f64) {
    for (x, d) in to.iter_mut().zip(step) {
        *x += by * d;
    }
}

#[cfg(test)]
mod tests;
