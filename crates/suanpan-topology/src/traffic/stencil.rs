//! Stencils: ranks in a grid that exchange borders with their neighbors.

use serde::{Deserialize, Serialize};

use super::{ENTRIES_MAX, Flow, RANKS_MAX, Traffic};
use crate::fabric::{Grid, Wrap};
use crate::problem::Problem;

/// Which neighbors a rank exchanges with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Those one step away along one dimension: 5 points in two dimensions, 7 in three.
    #[default]
    Faces,
    /// Those one step away along any dimensions at once: 9 points in two, 27 in three. A step along
    /// several dimensions carries the bytes of the face with the fewest.
    Corners,
}

/// What ranks of a stencil send in one iteration. Rank r is at the r-th place of a grid of these
/// lengths, the last dimension fastest; `bytes[d]` go each way along dimension d, the last number
/// for all dimensions that follow. In a closed dimension of length 2 both neighbors are one rank,
/// which gets twice the bytes. O(ranks × neighbors).
///
/// # Errors
/// If a length is 0, `bytes` is empty, or there are too many ranks or dimensions.
pub fn stencil(
    lengths: &[u32],
    wrap: Wrap,
    reach: Reach,
    bytes: &[u64],
) -> Result<Traffic, Problem> {
    let grid = Grid::new(lengths, wrap);
    grid.check()?;
    if grid.count() > RANKS_MAX as u64 || lengths.len() > 4 {
        let value = format!("{lengths:?}");
        return Err(Problem::new("lengths", value, "at most 4 dimensions and 1,048,576 ranks"));
    }
    let Some(&last) = bytes.last() else {
        return Err(Problem::new("bytes", "nothing", "bytes for at least one dimension"));
    };
    let steps = steps(lengths.len(), reach);
    let pairs = grid.count() as usize * steps.len();
    if pairs > ENTRIES_MAX {
        return Err(Problem::new("lengths", pairs, "at most 67,108,864 pairs of neighbors"));
    }
    let mut entries = Vec::new();
    for rank in 0..grid.count() as u32 {
        let here = grid.coordinates(rank);
        for step in &steps {
            let Some(there) = moved(&here, step, lengths, wrap) else { continue };
            let sizes = (0..lengths.len()).filter(|&d| step[d] != 0);
            let sent = sizes.map(|d| bytes.get(d).copied().unwrap_or(last)).min();
            entries.push((rank, grid.index(&there), sent.unwrap_or(0)));
        }
    }
    Traffic::from_entries(grid.count() as usize, Flow::Directed, entries)
}

/// All steps of −1, 0 and 1 in each dimension, but the one that stays.
fn steps(dimensions: usize, reach: Reach) -> Vec<Vec<i64>> {
    let mut steps = vec![Vec::new()];
    for _ in 0..dimensions {
        steps = steps
            .iter()
            .flat_map(|step: &Vec<i64>| [-1, 0, 1].map(|next| [step.as_slice(), &[next]].concat()))
            .collect();
    }
    steps.retain(|step| match (step.iter().filter(|s| **s != 0).count(), reach) {
        (0, _) => false,
        (1, _) | (_, Reach::Corners) => true,
        (_, Reach::Faces) => false,
    });
    steps
}

fn moved(here: &[u32], step: &[i64], lengths: &[u32], wrap: Wrap) -> Option<Vec<u32>> {
    here.iter()
        .zip(step)
        .zip(lengths)
        .map(|((&here, &step), &length)| {
            let there = i64::from(here) + step;
            match wrap {
                Wrap::Closed => Some(there.rem_euclid(length.into()) as u32),
                Wrap::Open => u32::try_from(there).ok().filter(|&there| there < length),
            }
        })
        .collect()
}
