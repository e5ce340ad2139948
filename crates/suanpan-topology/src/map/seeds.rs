//! Starts that need no search: walks through the slots, and compact sets of them.

use super::instance::Instance;
use super::random::Random;
use super::regions;

/// Ranks in their order along walks from near to near: the walk of Prim's algorithm and the order
/// in which recursive cuts leave the slots, which keeps blocks together as a space-filling curve
/// does.
pub(crate) fn walks(instance: &Instance, random: &mut Random) -> Vec<Vec<u32>> {
    let chosen = compact(instance, instance.ranks, random);
    let near = regions::near_order(instance, &chosen);
    let blocks = block_order(instance, near.clone(), random);
    vec![near, blocks]
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
