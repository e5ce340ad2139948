//! Dual recursive bisection: slots and ranks are halved together, breadth first, and each half of
//! the ranks leans to where its peers already are.
//!
//! The method is Scotch's (Pellegrini, "Static mapping by dual recursive bipartitioning of process
//! and architecture graphs", SHPCC 1994).

use super::bisect::{Target, bisect_best};
use super::graph::Graph;
use super::instance::Instance;
use super::random::Random;
use super::regions;

/// Greedy starts of each bisection.
const TRIES: usize = 6;

/// Ranks still together, and the slots they will fill.
struct Domain {
    ranks: Vec<u32>,
    slots: Vec<u32>,
}

/// Places every rank on one of `slots`, of which there are as many as ranks; each larger domain is
/// bisected `runs` times and the best is kept. O(runs · (ranks + pairs) · log² ranks + slots²).
pub(crate) fn bisection(
    instance: &Instance,
    graph: &Graph,
    slots: &[u32],
    runs: usize,
    random: &mut Random,
) -> Vec<u32> {
    halve(instance, graph, slots, Terms { runs, slack: 0.0 }, random)
}

/// Places every vertex on a slot, several on one, about `most` at most: rounding may leave a few
/// more.
pub(crate) fn partition(
    instance: &Instance,
    graph: &Graph,
    most: u32,
    random: &mut Random,
) -> Vec<u32> {
    let slots: Vec<u32> = (0..instance.slots as u32).collect();
    let levels = f64::from((slots.len().max(2) as u32).ilog2() + 1);
    let room = slots.len() as f64 * f64::from(most) / graph.len().max(1) as f64;
    // Each level may take its share of the room, so that all together do not take more.
    let slack = (room.powf(1.0 / levels) - 1.0).clamp(0.0, 0.1);
    halve(instance, graph, &slots, Terms { runs: 2, slack }, random)
}

/// How domains are halved.
#[derive(Clone, Copy)]
struct Terms {
    /// Bisections of each larger domain.
    runs: usize,
    /// How far a side may be beyond its share, as a share of it.
    slack: f64,
}

fn halve(
    instance: &Instance,
    graph: &Graph,
    slots: &[u32],
    terms: Terms,
    random: &mut Random,
) -> Vec<u32> {
    let ranks: Vec<u32> = (0..graph.len() as u32).collect();
    // Where a rank is thought to be: the middle of its domain.
    let mut at: Vec<u32> = vec![u32::MAX; graph.len()];
    let mut place = vec![u32::MAX; graph.len()];
    let mut level = vec![Domain { ranks, slots: regions::near_order(instance, slots) }];
    let mut slot_of = vec![u32::MAX; graph.len()];
    while !level.is_empty() {
        let mut next = Vec::new();
        for domain in level {
            if domain.ranks.is_empty() {
                continue;
            }
            if domain.slots.len() == 1 {
                for &rank in &domain.ranks {
                    slot_of[rank as usize] = domain.slots[0];
                }
                continue;
            }
            next.extend(split(instance, graph, domain, &mut at, &mut place, terms, random));
        }
        level = next;
    }
    slot_of
}

fn split(
    instance: &Instance,
    graph: &Graph,
    domain: Domain,
    at: &mut [u32],
    place: &mut [u32],
    terms: Terms,
    random: &mut Random,
) -> [Domain; 2] {
    let (first, second) = regions::cut(instance, &domain.slots, random);
    let middles = [middle(instance, &first), middle(instance, &second)];
    let apart = mean_apart(instance, &first, &second);
    let mut part = graph.part(&domain.ranks, place);
    for weight in &mut part.weight {
        *weight *= apart;
    }
    let rows = [instance.row(middles[0]), instance.row(middles[1])];
    let mut lean = vec![0i64; domain.ranks.len()];
    for (lean, &rank) in lean.iter_mut().zip(&domain.ranks) {
        for (w, bytes) in graph.edges(rank as usize) {
            let there = at[w as usize];
            let inside = domain.ranks.get(place[w as usize] as usize) == Some(&w);
            if !inside && there != u32::MAX {
                let [near, far] = rows.map(|row| i64::from(row[there as usize]));
                *lean += bytes * (near - far);
            }
        }
    }
    let ranks = domain.ranks.len();
    let share = (ranks * first.len() + domain.slots.len() / 2) / domain.slots.len();
    let slack = (share.min(ranks - share) as f64 * terms.slack) as i64;
    let target = Target { first: share as i64, slack, tries: TRIES };
    let mut side = bisect_best(&part, &lean, target, terms.runs, random);
    level_out(&mut side, share, slack as usize);
    let pick = |second: bool| -> Vec<u32> {
        let chosen = domain.ranks.iter().zip(&side).filter(|&(_, &side)| side == second);
        chosen.map(|(&rank, _)| rank).collect()
    };
    let halves =
        [Domain { ranks: pick(false), slots: first }, Domain { ranks: pick(true), slots: second }];
    for (half, middle) in halves.iter().zip(middles) {
        for &rank in &half.ranks {
            at[rank as usize] = middle;
        }
    }
    halves
}

/// Moves ranks until the first side has `first` of them but for `slack`; only what a bisection of
/// few vertices may leave behind.
fn level_out(side: &mut [bool], first: usize, slack: usize) {
    let mut count = side.iter().filter(|&&s| !s).count();
    for side in side.iter_mut() {
        if count + slack < first && *side {
            *side = false;
            count += 1;
        } else if count > first + slack && !*side {
            *side = true;
            count -= 1;
        }
    }
}

/// Slots measured for a middle or a mean.
const SAMPLE: usize = 12;

fn sampled(slots: &[u32]) -> impl Iterator<Item = u32> + Clone {
    let count = slots.len().min(SAMPLE);
    (0..count).map(move |i| slots[(2 * i + 1) * slots.len() / (2 * count)])
}

/// The slot in the middle: in a grid the one nearest to the median of each axis, else the sampled
/// slot nearest to the others.
fn middle(instance: &Instance, slots: &[u32]) -> u32 {
    let medians: Vec<i64> = instance.axes.iter().map(|axis| median(axis, slots)).collect();
    let far = |a: u32| {
        if medians.is_empty() {
            let row = instance.row(a);
            return sampled(slots).map(|b| i64::from(row[b as usize])).sum::<i64>();
        }
        let off = |(axis, median): (&Vec<u32>, &i64)| (i64::from(axis[a as usize]) - median).abs();
        instance.axes.iter().zip(&medians).map(off).sum()
    };
    let nearest = if medians.is_empty() {
        sampled(slots).min_by_key(|&a| (far(a), a))
    } else {
        slots.iter().copied().min_by_key(|&a| (far(a), a))
    };
    nearest.expect("a domain has slots")
}

fn median(axis: &[u32], slots: &[u32]) -> i64 {
    let mut along: Vec<u32> = slots.iter().map(|&s| axis[s as usize]).collect();
    let half = (along.len() - 1) / 2;
    i64::from(*along.select_nth_unstable(half).1)
}

/// Mean distance between two sets, at least 1.
fn mean_apart(instance: &Instance, first: &[u32], second: &[u32]) -> i64 {
    let (mut sum, mut count) = (0u64, 0u64);
    for a in sampled(first) {
        let row = instance.row(a);
        for b in sampled(second) {
            sum += u64::from(row[b as usize]);
            count += 1;
        }
    }
    (sum / count.max(1)).max(1) as i64
}
