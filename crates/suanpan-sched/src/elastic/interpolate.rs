//! Linear interpolation between scattered points of three coordinates.
//!
//! The value at `q` is the mix of the corners of the Delaunay tetrahedron that holds `q`. That
//! tetrahedron needs no triangulation: lifted to the paraboloid |p|², the Delaunay cells are the
//! lower faces of the hull (Edelsbrunner and Seidel, 1986), so the corners and their weights are
//! the optimal basis of
//!
//! > minimize Σ wᵢ |pᵢ − q|² such that Σ wᵢ pᵢ = q, Σ wᵢ = 1, w ≥ 0,
//!
//! a linear program of four rows, solved here by the simplex method. Where more than four points
//! lie on one empty sphere (measurements on a grid do) every choice among them is a Delaunay
//! choice; the first found is taken.

/// A point and the two values measured at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Coordinates.
    pub at: [f64; 3],
    /// Values.
    pub value: [f64; 2],
}

/// Rows of the program: three coordinates, and the sum of the weights.
const ROWS: usize = 4;
/// A number that stands in the basis for no point.
const ARTIFICIAL: usize = usize::MAX;
/// What counts as 0 beside coordinates of up to some thousands.
const TINY: f64 = 1e-9;

/// The interpolated values at `q`; `None` outside of the points' convex hull.
///
/// Cost: n per step of the simplex method, mostly some tens of steps.
#[must_use]
pub fn interpolate(points: &[Point], q: [f64; 3]) -> Option<[f64; 2]> {
    let mut basis = Basis::artificial();
    let columns: Vec<Column> = points.iter().map(|point| Column::new(point, q)).collect();
    basis.improve(&columns, Phase::Feasible);
    if basis.infeasibility() > 1e-7 {
        return None;
    }
    basis.improve(&columns, Phase::Delaunay);
    let mut value = [0.0; 2];
    for (row, &column) in basis.columns.iter().enumerate() {
        if column != ARTIFICIAL {
            for (sum, of) in value.iter_mut().zip(points[column].value) {
                *sum += basis.weights[row] * of;
            }
        }
    }
    Some(value)
}

/// A point as a column of the program, moved so that `q` is the origin.
struct Column {
    entries: [f64; ROWS],
    cost: f64,
}

impl Column {
    fn new(point: &Point, q: [f64; 3]) -> Column {
        let moved: [f64; 3] = std::array::from_fn(|axis| point.at[axis] - q[axis]);
        let cost = moved.iter().map(|x| x * x).sum();
        Column { entries: [moved[0], moved[1], moved[2], 1.0], cost }
    }
}

/// What is being minimized.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The weight of artificial columns.
    Feasible,
    /// The height over the paraboloid.
    Delaunay,
}

/// A basis with the inverse of its matrix.
struct Basis {
    columns: [usize; ROWS],
    inverse: [[f64; ROWS]; ROWS],
    weights: [f64; ROWS],
}

impl Basis {
    /// The identity: all weight on artificial columns, which is feasible as the right-hand side
    /// is (0, 0, 0, 1).
    fn artificial() -> Basis {
        let mut inverse = [[0.0; ROWS]; ROWS];
        for (row, line) in inverse.iter_mut().enumerate() {
            line[row] = 1.0;
        }
        Basis { columns: [ARTIFICIAL; ROWS], inverse, weights: [0.0, 0.0, 0.0, 1.0] }
    }

    fn infeasibility(&self) -> f64 {
        let rows = self.columns.iter().zip(self.weights);
        rows.filter(|(column, _)| **column == ARTIFICIAL).map(|(_, weight)| weight.abs()).sum()
    }

    /// Pivots until nothing gets better. After many steps the lowest candidate is taken instead
    /// of the steepest (Bland, 1977), which cannot cycle.
    fn improve(&mut self, columns: &[Column], phase: Phase) {
        const STEEPEST_STEPS: usize = 200;
        const MOST_STEPS: usize = 5_000;
        for step in 0..MOST_STEPS {
            let prices = self.prices(columns, phase);
            let mut entering = None;
            let mut best = -TINY;
            for (index, column) in columns.iter().enumerate() {
                let cost = if phase == Phase::Delaunay { column.cost } else { 0.0 };
                let priced: f64 = prices.iter().zip(column.entries).map(|(p, a)| p * a).sum();
                let reduced = (cost - priced) / (1.0 + cost.abs());
                if reduced < best && !self.columns.contains(&index) {
                    entering = Some(index);
                    if step > STEEPEST_STEPS {
                        break;
                    }
                    best = reduced;
                }
            }
            let Some(entering) = entering else { return };
            if !self.pivot(entering, &columns[entering]) {
                return;
            }
        }
    }

    /// The dual values of the rows.
    fn prices(&self, columns: &[Column], phase: Phase) -> [f64; ROWS] {
        let mut prices = [0.0; ROWS];
        for (row, &column) in self.columns.iter().enumerate() {
            let cost = match (phase, column) {
                (Phase::Feasible, ARTIFICIAL) => 1.0,
                (Phase::Delaunay, column) if column != ARTIFICIAL => columns[column].cost,
                _ => 0.0,
            };
            for (price, entry) in prices.iter_mut().zip(self.inverse[row]) {
                *price += cost * entry;
            }
        }
        prices
    }

    /// Brings a column in; false if nothing would leave.
    fn pivot(&mut self, entering: usize, column: &Column) -> bool {
        let direction: [f64; ROWS] = std::array::from_fn(|row| {
            self.inverse[row].iter().zip(column.entries).map(|(b, a)| b * a).sum()
        });
        let mut leaving: Option<(usize, f64)> = None;
        for (row, &along) in direction.iter().enumerate() {
            // An artificial column without weight must not gain any: it leaves at once.
            let idle = self.columns[row] == ARTIFICIAL && self.weights[row].abs() <= TINY;
            let ratio = match along {
                along if idle && along.abs() > 1e-7 => 0.0,
                along if along > 1e-7 => self.weights[row].max(0.0) / along,
                _ => continue,
            };
            let better = leaving.is_none_or(|(other, least)| {
                ratio < least - TINY
                    || (ratio <= least + TINY && direction[row].abs() > direction[other].abs())
            });
            if better {
                leaving = Some((row, ratio));
            }
        }
        let Some((out, ratio)) = leaving else { return false };
        for (row, along) in direction.iter().enumerate() {
            self.weights[row] -= ratio * along;
        }
        self.weights[out] = ratio;
        let scale = direction[out];
        for entry in &mut self.inverse[out] {
            *entry /= scale;
        }
        let pivot_row = self.inverse[out];
        for (row, along) in direction.iter().enumerate() {
            if row != out {
                for (entry, base) in self.inverse[row].iter_mut().zip(pivot_row) {
                    *entry -= along * base;
                }
            }
        }
        self.columns[out] = entering;
        true
    }
}

#[cfg(test)]
mod tests;
