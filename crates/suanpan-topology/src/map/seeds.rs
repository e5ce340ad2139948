//! Starts that need no search: walks through the slots, and compact sets of them.

use super::instance::Instance;
use super::random::Random;
use super::regions;

/// Ranks in their order along walks through a compact set of slots: the walk of Prim's algorithm,
/// the order in which recursive cuts leave the slots, which keeps blocks together as a
/// space-filling curve does, and in grids the Cartesian orders.
pub(crate) fn walks(instance: &Instance, random: &mut Random) -> Vec<Vec<u32>> {
    let chosen = compact(instance, instance.ranks, random);
    let near = regions::near_order(instance, &chosen);
    let blocks = block_order(instance, near.clone(), random);
    let mut walks = cartesian(instance, &chosen);
    walks.push(near);
    walks.push(blocks);
    walks
}

/// How a walk goes along an axis.
#[derive(Clone, Copy)]
enum Turn {
    /// Always from the first to the last.
    Back,
    /// To and fro.
    Snake,
    /// Every second one on the way out and the others on the way back, so that a ring of ranks
    /// closes and no two neighbours in it are more than two apart.
    Fold,
}

/// Axis by axis in the order of a grid, each axis in turn the fastest, with each way to turn.
fn cartesian(instance: &Instance, chosen: &[u32]) -> Vec<Vec<u32>> {
    let axes = &instance.axes;
    let lengths: Vec<u32> =
        axes.iter().map(|axis| axis.iter().max().map_or(1, |&last| last + 1)).collect();
    let mut walks = Vec::new();
    for fastest in 0..axes.len() {
        for reversed in [false, true] {
            let mut order: Vec<usize> = (0..axes.len()).filter(|&a| a != fastest).collect();
            if reversed {
                order.reverse();
            }
            order.push(fastest);
            if reversed && axes.len() < 3 {
                continue;
            }
            for turn in [Turn::Back, Turn::Snake, Turn::Fold] {
                let mut walk = chosen.to_vec();
                walk.sort_by_cached_key(|&slot| place(axes, &lengths, &order, turn, slot));
                walks.push(walk);
            }
        }
    }
    walks
}

/// Where a slot comes in a walk, slowest axis first. To and fro is the reflected Gray code in mixed
/// radices (Knuth, "The art of computer programming" 4A, 7.2.1.1): a turn at each odd number.
fn place(axes: &[Vec<u32>], lengths: &[u32], order: &[usize], turn: Turn, slot: u32) -> Vec<u32> {
    let mut passed = 0;
    order
        .iter()
        .map(|&axis| {
            let (at, last) = (axes[axis][slot as usize], lengths[axis] - 1);
            let step = match turn {
                Turn::Snake if passed % 2 == 1 => last - at,
                Turn::Back | Turn::Snake => at,
                Turn::Fold if at % 2 == 0 => at / 2,
                Turn::Fold => last - at / 2,
            };
            passed = passed * lengths[axis] + step;
            step
        })
        .collect()
}

fn block_order(instance: &Instance, slots: Vec<u32>, random: &mut Random) -> Vec<u32> {
    let mut order = Vec::with_capacity(slots.len());
    let mut stack = vec![slots];
    while let Some(slots) = stack.pop() {
        if slots.len() < 3 {
            order.extend(slots);
            continue;
        }
        let (first, second) = regions::cut(instance, &slots, random);
        stack.push(second);
        stack.push(first);
    }
    order
}

/// `count` slots close together: from a random one outwards, always the slot with the least sum of
/// distances to those taken. All slots if `count` is all there are. O(count · slots).
pub(crate) fn compact(instance: &Instance, count: usize, random: &mut Random) -> Vec<u32> {
    let slots = instance.slots;
    if count == slots {
        return (0..slots as u32).collect();
    }
    grow(instance, count, random.below(slots) as u32)
}

/// The same from a stated slot.
pub(crate) fn grow(instance: &Instance, count: usize, from: u32) -> Vec<u32> {
    let mut left: Vec<(u64, u32)> = (0..instance.slots as u32).map(|s| (0, s)).collect();
    let mut taken = Vec::with_capacity(count);
    let mut at = from as usize;
    while taken.len() < count {
        let next = left.swap_remove(at).1;
        taken.push(next);
        let row = instance.row(next);
        let mut least = (u64::MAX, u32::MAX);
        for (i, entry) in left.iter_mut().enumerate() {
            entry.0 += u64::from(row[entry.1 as usize]);
            if *entry < least {
                least = *entry;
                at = i;
            }
        }
    }
    taken.sort_unstable();
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::Distances;
    use crate::fabric::{Kind, Wrap};
    use crate::generate::{LinkTerms, mesh};
    use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

    #[test]
    fn snakes_step_to_neighbours_and_folds_close() {
        let terms = LinkTerms {
            bandwidth: BitsPerSecond(1),
            latency: Picoseconds(1),
            energy: FemtojoulesPerBit(1),
        };
        let fabric = mesh("m", &[3, 4, 5], Kind::Die, terms).expect("a mesh");
        let distances = Distances::hops(&fabric, &fabric.slots()).expect("a mesh");
        let instance = Instance::new(60, &[], 60, distances.table());
        let instance = Instance { axes: distances.axes(), ..instance };
        let all: Vec<u32> = (0..60).collect();
        let snakes = cartesian(&instance, &all).into_iter().skip(1).step_by(3);
        for walk in snakes {
            assert!(walk.windows(2).all(|w| instance.row(w[0])[w[1] as usize] == 1), "{walk:?}");
        }
        let ring = mesh("m", &[7], Kind::Die, terms).expect("a line");
        assert!(matches!(ring.shape(), crate::fabric::Shape::Grid(g) if g.wraps == [Wrap::Open]));
        let distances = Distances::hops(&ring, &ring.slots()).expect("a line");
        let instance = Instance::new(7, &[], 7, distances.table());
        let instance = Instance { axes: distances.axes(), ..instance };
        let fold = &cartesian(&instance, &[0, 1, 2, 3, 4, 5, 6])[2];
        assert_eq!(*fold, [0, 2, 4, 6, 5, 3, 1]);
    }
}
