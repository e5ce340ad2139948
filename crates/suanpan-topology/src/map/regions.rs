//! Cutting a set of slots in two compact halves, from distances alone.

use super::instance::Instance;
use super::random::Random;

/// Slots in an order that walks from near to near (Prim's, as for a minimum spanning tree): whole
/// racks, blocks and subtrees are contiguous in it. O(slots²).
pub(crate) fn near_order(instance: &Instance, slots: &[u32]) -> Vec<u32> {
    let Some((&first, rest)) = slots.split_first() else { return Vec::new() };
    let mut left: Vec<(u32, u32)> = rest.iter().map(|&s| (u32::MAX, s)).collect();
    let mut order = vec![first];
    let mut last = first;
    while !left.is_empty() {
        let row = instance.row(last);
        let mut nearest = (0, (u32::MAX, u32::MAX));
        for (i, entry) in left.iter_mut().enumerate() {
            entry.0 = entry.0.min(row[entry.1 as usize]);
            if *entry < nearest.1 {
                nearest = (i, *entry);
            }
        }
        last = left.swap_remove(nearest.0).1;
        order.push(last);
    }
    order
}

/// Landmarks to measure from.
const LANDMARKS: usize = 5;

/// Slots that a cut is judged by.
const SAMPLE: usize = 96;

/// Cuts `slots`, which come in near order, in two: the cut with the largest difference between
/// the mean distance across and the mean distance within, among halves of the near order, of the
/// axes of a grid, or else of the orders by difference of distance to two landmarks. Both sides
/// keep the near order. O(orders · slots · log slots).
pub(crate) fn cut(instance: &Instance, slots: &[u32], random: &mut Random) -> (Vec<u32>, Vec<u32>) {
    let count = slots.len();
    let sample: Vec<usize> =
        (0..count.min(SAMPLE)).map(|i| i * count / count.min(SAMPLE)).collect();
    let steps = slots.windows(2).map(|w| i64::from(instance.row(w[0])[w[1] as usize])).collect();
    let mut best = divide((0..count as u32).collect(), steps);
    let mut best_score = score(instance, slots, &best, &sample);
    let mut consider = |keys: Vec<i64>| {
        let mut order: Vec<u32> = (0..count as u32).collect();
        order.sort_by_key(|&at| keys[at as usize]);
        let step = |w: &[u32]| keys[w[1] as usize] - keys[w[0] as usize];
        let steps = order.windows(2).map(step).collect();
        let side = divide(order, steps);
        let score = score(instance, slots, &side, &sample);
        if score > best_score {
            (best, best_score) = (side, score);
        }
    };
    for axis in &instance.axes {
        consider(slots.iter().map(|&s| i64::from(axis[s as usize])).collect());
    }
    if instance.axes.is_empty() {
        let landmarks = landmarks(instance, slots, random);
        for (i, &a) in landmarks.iter().enumerate() {
            for &b in &landmarks[..i] {
                let (a, b) = (instance.row(a), instance.row(b));
                let key = |&s: &u32| i64::from(a[s as usize]) - i64::from(b[s as usize]);
                consider(slots.iter().map(key).collect());
            }
        }
    }
    let pick = |second: bool| {
        let chosen = slots.iter().zip(&best).filter(|&(_, &side)| side == second);
        chosen.map(|(&slot, _)| slot).collect()
    };
    (pick(false), pick(true))
}

/// Slots far from each other: each next one is farthest from those before it.
fn landmarks(instance: &Instance, slots: &[u32], random: &mut Random) -> Vec<u32> {
    let from = instance.row(slots[random.below(slots.len())]);
    let farthest = |near: &[u32]| {
        let best = (0..slots.len()).max_by_key(|&i| (near[i], std::cmp::Reverse(i)));
        slots[best.expect("there is a slot")]
    };
    let mut near: Vec<u32> = slots.iter().map(|&s| from[s as usize]).collect();
    let mut found: Vec<u32> = Vec::new();
    for step in 0..LANDMARKS.min(slots.len()) {
        let next = farthest(&near);
        found.push(next);
        let row = instance.row(next);
        for (i, &s) in slots.iter().enumerate() {
            let there = row[s as usize];
            near[i] = if step == 0 { there } else { near[i].min(there) };
        }
    }
    found
}

/// Divides an order where it steps farthest, between 0.35 and 0.65 of it; in the middle if no
/// step is longer than the others.
fn divide(order: Vec<u32>, steps: Vec<i64>) -> Vec<bool> {
    let count = order.len();
    let middle = count / 2;
    let (low, high) = ((count * 35 / 100).max(1), (count * 65 / 100).max(middle));
    let at = (low..=high)
        .filter(|&at| at < count)
        .max_by_key(|&at| (steps[at - 1], std::cmp::Reverse(at.abs_diff(middle))))
        .unwrap_or(middle);
    let mut side = vec![true; count];
    for &i in &order[..at] {
        side[i as usize] = false;
    }
    side
}

/// Mean distance across less mean distance within, over sampled pairs.
fn score(instance: &Instance, slots: &[u32], side: &[bool], sample: &[usize]) -> f64 {
    let (mut across, mut within) = ((0u64, 0u64), (0u64, 0u64));
    for (i, &a) in sample.iter().enumerate() {
        let row = instance.row(slots[a]);
        for &b in &sample[..i] {
            let entry = if side[a] == side[b] { &mut within } else { &mut across };
            entry.0 += u64::from(row[slots[b] as usize]);
            entry.1 += 1;
        }
    }
    let mean = |(sum, count): (u64, u64)| sum as f64 / (count.max(1)) as f64;
    mean(across) - mean(within)
}
