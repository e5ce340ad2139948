//! Wafers: dies cut from a disc, some of them and some of their links broken.

use super::{LinkTerms, grid};
use crate::fabric::{Fabric, Grid, Kind, Link, Position, Shape, State, Wrap};
use crate::problem::Problem;
use crate::units::Micrometers;

/// A disc and the dies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wafer {
    /// Diameter of the disc, 300 mm in today's production.
    pub diameter: Micrometers,
    /// Rim without whole dies, on each side.
    pub edge: Micrometers,
    /// Width of a die with its part of the street between dies.
    pub die_width: Micrometers,
    /// Height of a die with its part of the street.
    pub die_height: Micrometers,
}

/// The dies that lie wholly on the disc, joined to their neighbors left, right, above and below.
/// The lattice of dies is centered on a die or on a street, each way, whichever gives more dies.
/// Dies are called `d` row `-` column and lie at (column, row). O(dies).
///
/// # Errors
/// If a length is 0, or no die or too many fit.
pub fn wafer(name: &str, wafer: Wafer, terms: &[LinkTerms]) -> Result<Fabric, Problem> {
    let Wafer { diameter, edge, die_width, die_height } = wafer;
    if die_width.0 == 0 || die_height.0 == 0 {
        return Err(Problem::new("die", "0 um", "a width and a height, as `25 mm`"));
    }
    let usable = diameter.0.saturating_sub(edge.0.saturating_mul(2));
    let (columns, rows) = (usable / die_width.0 + 1, usable / die_height.0 + 1);
    if columns.saturating_mul(rows) > 1 << 20 || usable > 1 << 30 {
        let value = format!("{columns} x {rows}");
        return Err(Problem::new("die", value, "larger dies: at most 1,048,576 of them"));
    }
    // Centers in half dies from the middle of the disc, so that all is exact in whole numbers.
    let mut best: Vec<(i64, i64)> = Vec::new();
    for (odd_column, odd_row) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let dies = dies(usable, die_width.0, die_height.0, odd_column, odd_row);
        if dies.len() > best.len() {
            best = dies;
        }
    }
    let left = best.iter().map(|die| die.0).min();
    let (Some(left), Some(top)) = (left, best.iter().map(|die| die.1).min()) else {
        let value = format!("{die_width} x {die_height}");
        return Err(Problem::new("die", value, "dies that fit on the wafer"));
    };
    let places: Vec<(u32, u32)> =
        best.iter().map(|d| (((d.1 - top) / 2) as u32, ((d.0 - left) / 2) as u32)).collect();
    from_places(name, &places, terms)
}

/// Dies whose four corners are within the disc, as centers (x, y) in half dies, row by row. The
/// parities say whether a die or a street is in the middle.
fn dies(usable: u64, width: u64, height: u64, odd_x: i64, odd_y: i64) -> Vec<(i64, i64)> {
    let (w, h, r) = (i128::from(width), i128::from(height), i128::from(usable));
    let reach = |size: u64| (usable / size) as i64 + 2;
    let mut dies = Vec::new();
    for y in (-reach(height)..=reach(height)).filter(|y| y & 1 == odd_y) {
        for x in (-reach(width)..=reach(width)).filter(|x| x & 1 == odd_x) {
            // The farthest corner, in half micrometres twice: |x| + 1 half dies away each way.
            let (far_x, far_y) = (i128::from(x.abs() + 1) * w, i128::from(y.abs() + 1) * h);
            if far_x * far_x + far_y * far_y <= r * r {
                dies.push((x, y));
            }
        }
    }
    dies
}

/// A mesh of all rows and columns, then what is not on the disc taken out of it.
fn from_places(name: &str, places: &[(u32, u32)], terms: &[LinkTerms]) -> Result<Fabric, Problem> {
    let rows = places.iter().map(|place| place.0).max().unwrap_or(0) + 1;
    let columns = places.iter().map(|place| place.1).max().unwrap_or(0) + 1;
    let lengths = [rows, columns];
    let whole = grid(name, Grid::new(&lengths, Wrap::Open), Kind::Die, terms)?;
    if places.len() as u64 == u64::from(rows) * u64::from(columns) {
        return Ok(whole);
    }
    let mut parts = whole.into_parts();
    let mut new = vec![None; parts.elements.len()];
    let mut elements = Vec::with_capacity(places.len());
    for &(row, column) in places {
        let old = (row * columns + column) as usize;
        new[old] = Some(elements.len() as u32);
        let mut element = parts.elements[old].clone();
        element.position = Some(Position { x: column.into(), y: row.into() });
        elements.push(element);
    }
    let links = std::mem::take(&mut parts.links).into_iter().filter_map(|link| {
        Some(Link { a: new[link.a as usize]?, b: new[link.b as usize]?, ..link })
    });
    parts.links = links.collect();
    parts.elements = elements;
    parts.shape = Shape::Irregular;
    Fabric::new(parts)
}

/// What is broken, at random. Each die and each link has a draw of its own, so that other chances
/// or other parts do not change it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Defects {
    /// Chance of each computing element to be down.
    pub element_chance: f64,
    /// Chance of each link to be down, dead ends apart.
    pub link_chance: f64,
    /// What the draws depend on.
    pub seed: u64,
}

/// The chance of a die to be dead for a density of defects: 1 − e^(−A·D), the Poisson yield model,
/// or 1 − (1 + A·D/α)^(−α) with clustering α (Stapper, "Modeling of integrated circuit defect
/// sensitivities", IBM J. Res. Dev. 27(6), 1983). Area in mm², density in defects per cm².
#[must_use]
pub fn defect_chance(area_mm2: f64, density_per_cm2: f64, clustering: Option<f64>) -> f64 {
    let expected = area_mm2 / 100.0 * density_per_cm2;
    match clustering {
        None => 1.0 - (-expected).exp(),
        Some(alpha) => 1.0 - (1.0 + expected / alpha).powf(-alpha),
    }
}

impl Defects {
    /// The same fabric with the drawn elements and links down as well. Switches are not drawn.
    /// O(elements + links).
    ///
    /// # Errors
    /// If a chance is not from 0 to 1.
    pub fn apply(&self, fabric: &Fabric) -> Result<Fabric, Problem> {
        for (field, chance) in
            [("element_chance", self.element_chance), ("link_chance", self.link_chance)]
        {
            if !(0.0..=1.0).contains(&chance) {
                return Err(Problem::new(field, chance, "a chance from 0 to 1"));
            }
        }
        let hit = |stream: u64, index: usize, chance: f64| {
            // The upper 53 bits are a number from 0 to 1 that a float holds exactly.
            let draw = draw(self.seed, stream, index as u64) >> 11;
            (draw as f64) < chance * 2.0_f64.powi(53)
        };
        let elements: Vec<u32> = fabric
            .elements()
            .iter()
            .enumerate()
            .filter(|(index, e)| e.capacity > 0 && hit(1, *index, self.element_chance))
            .map(|(index, _)| index as u32)
            .collect();
        let links: Vec<u32> = (0..fabric.links().len())
            .filter(|&index| {
                fabric.links()[index].state == State::Up && hit(2, index, self.link_chance)
            })
            .map(|index| index as u32)
            .collect();
        Ok(fabric.with_down(&elements, &links))
    }
}

/// 64 bits for one thing: the output function of splitmix64 (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", OOPSLA 2014) applied to seed, stream and index.
fn draw(seed: u64, stream: u64, index: u64) -> u64 {
    let mix = |value: u64| {
        let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(mix(seed) ^ stream) ^ index)
}
