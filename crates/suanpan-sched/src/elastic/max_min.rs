//! Gavel's max-min fairness: what part of the time each job should run on each flavor so that the
//! job that gets on least, against an equal split of the cluster, gets on as well as it can.
//!
//! > maximize minᵢ gpusᵢ (Σⱼ rateᵢⱼ xᵢⱼ) / equalᵢ such that Σⱼ xᵢⱼ ≤ 1, Σᵢ gpusᵢ xᵢⱼ ≤ GPUsⱼ, x ≥ 0
//!
//! where equalᵢ is what the job would do per second if its time were split over the flavors as
//! their GPUs are (Gavel, OSDI'20, section 4.1, least attained service; weights are 1). With all
//! rates 1 it is the policy that does not know that flavors differ.
//!
//! Jobs with the same rates and GPUs have the same shares, so they are one variable with a count.
//! Solved by the simplex method on a dense tableau with Bland's rule, which cannot cycle: x = 0 is
//! feasible, so there is no first phase. A pivot costs rows × columns, with a row for each kind of
//! job twice and each flavor once, and a column for each kind and flavor.

use super::shares::Claim;

/// The share of time of each claim on each flavor.
///
/// # Panics
/// If a claim has not one rate per flavor.
#[must_use]
pub fn max_min_shares(claims: &[Claim], capacity: &[f64]) -> Vec<Vec<f64>> {
    let flavors = capacity.len();
    assert!(claims.iter().all(|claim| claim.rates.len() == flavors), "one rate per flavor");
    let mut kinds: Vec<(&Claim, f64)> = Vec::new();
    let mut kind_of = Vec::with_capacity(claims.len());
    for claim in claims {
        let found = kinds.iter().position(|(kind, _)| *kind == claim);
        let kind = found.unwrap_or_else(|| {
            kinds.push((claim, 0.0));
            kinds.len() - 1
        });
        kinds[kind].1 += 1.0;
        kind_of.push(kind);
    }
    let shares = solve(&kinds, capacity);
    kind_of.into_iter().map(|kind| shares[kind * flavors..][..flavors].to_vec()).collect()
}

/// The shares of each kind, kind by kind.
fn solve(kinds: &[(&Claim, f64)], capacity: &[f64]) -> Vec<f64> {
    let flavors = capacity.len();
    let (pairs, least) = (kinds.len() * flavors, kinds.len() * flavors);
    let all: f64 = capacity.iter().sum();
    let mut table = Tableau::new(2 * kinds.len() + flavors, pairs + 1);
    for (kind, (claim, count)) in kinds.iter().enumerate() {
        let split = |(rate, gpus): (&f64, &f64)| rate * gpus / all;
        let equal: f64 = claim.rates.iter().zip(capacity).map(split).sum();
        let column = kind * flavors;
        for (flavor, rate) in claim.rates.iter().enumerate() {
            if equal > 0.0 {
                table.set(kind, column + flavor, -rate * claim.gpus / equal);
            }
            table.set(kinds.len() + kind, column + flavor, 1.0);
            table.set(2 * kinds.len() + flavor, column + flavor, count * claim.gpus);
        }
        // A job that runs nowhere does not hold the others back.
        table.set(kind, least, if equal > 0.0 { 1.0 } else { 0.0 });
        table.limit(kinds.len() + kind, 1.0);
    }
    for (flavor, gpus) in capacity.iter().enumerate() {
        table.limit(2 * kinds.len() + flavor, *gpus);
    }
    table.maximize(least);
    (0..pairs).map(|column| table.value(column).clamp(0.0, 1.0)).collect()
}

/// A linear program in the form A x ≤ b with b ≥ 0 and x ≥ 0, and a column for each slack.
struct Tableau {
    rows: Vec<Vec<f64>>,
    /// What each row's basic variable is.
    basis: Vec<usize>,
    /// Columns with slacks; the limits come after them.
    columns: usize,
}

/// Smaller than this is rounding.
const NOTHING: f64 = 1e-9;

impl Tableau {
    fn new(rows: usize, variables: usize) -> Tableau {
        let columns = variables + rows;
        let row = |index: usize| {
            let mut row = vec![0.0; columns + 1];
            row[variables + index] = 1.0;
            row
        };
        Tableau {
            rows: (0..rows).map(row).collect(),
            basis: (variables..columns).collect(),
            columns,
        }
    }

    fn set(&mut self, row: usize, column: usize, value: f64) {
        self.rows[row][column] = value;
    }

    fn limit(&mut self, row: usize, value: f64) {
        self.rows[row][self.columns] = value;
    }

    fn value(&self, column: usize) -> f64 {
        let row = self.basis.iter().position(|basic| *basic == column);
        row.map_or(0.0, |row| self.rows[row][self.columns])
    }

    /// Makes one variable as large as it can be.
    fn maximize(&mut self, target: usize) {
        let mut costs = vec![0.0; self.columns + 1];
        costs[target] = -1.0;
        while let Some(column) = costs[..self.columns].iter().position(|cost| *cost < -NOTHING)
            && let Some(row) = self.leaving(column)
        {
            self.pivot(row, column);
            let factor = costs[column];
            for (cost, value) in costs.iter_mut().zip(&self.rows[row]) {
                *cost -= factor * value;
            }
        }
    }

    /// The row that limits a column first; of several, that of the lowest variable.
    fn leaving(&self, column: usize) -> Option<usize> {
        let mut found: Option<(f64, usize)> = None;
        for (index, row) in self.rows.iter().enumerate() {
            if row[column] <= NOTHING {
                continue;
            }
            let ratio = row[self.columns] / row[column];
            let is_better = found.is_none_or(|(least, other)| {
                let is_tie = (ratio - least).abs() <= NOTHING;
                if is_tie { self.basis[index] < self.basis[other] } else { ratio < least }
            });
            if is_better {
                found = Some((ratio, index));
            }
        }
        found.map(|(_, index)| index)
    }

    fn pivot(&mut self, at: usize, column: usize) {
        let by = self.rows[at][column];
        for value in &mut self.rows[at] {
            *value /= by;
        }
        let own = std::mem::take(&mut self.rows[at]);
        for row in self.rows.iter_mut().filter(|row| !row.is_empty()) {
            let factor = row[column];
            if factor != 0.0 {
                for (value, other) in row.iter_mut().zip(&own) {
                    *value -= factor * other;
                }
                row[column] = 0.0;
            }
        }
        self.rows[at] = own;
        self.basis[at] = column;
    }
}

#[cfg(test)]
mod tests;
