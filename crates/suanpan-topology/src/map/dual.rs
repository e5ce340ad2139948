//! Dual recursive bisection: slots and ranks are halved together, breadth first, and each half of
//! the ranks leans to where its peers already are.
//!
//! The method is Scotch's (Pellegrini, "Static mapping by dual recursive bipartitioning of process
//! and architecture graphs", SHPCC 1994).

use super::bisect::{Target, bisect};
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

/// Places every rank on one of `slots`, of which there are as many as ranks.
/// O((ranks + pairs) · log² ranks + slots²).
pub(crate) fn bisection(
    instance: &Instance,
    graph: &Graph,
    slots: &[u32],
    random: &mut Random,
) -> Vec<u32> {
    let ranks: Vec<u32> = (0..instance.ranks as u32).collect();
    // Where a rank is thought to be: the middle of its domain.
    let mut at: Vec<u32> = vec![u32::MAX; instance.ranks];
    let mut place = vec![u32::MAX; instance.ranks];
    let mut level = vec![Domain { ranks, slots: regions::near_order(instance, slots) }];
    let mut slot_of = vec![u32::MAX; instance.ranks];
    while !level.is_empty() {
        let mut next = Vec::new();
        for domain in level {
            if domain.slots.len() == 1 {
                slot_of[domain.ranks[0] as usize] = domain.slots[0];
                continue;
            }
            for half in split(instance, graph, domain, &mut at, &mut place, random) {
                next.push(half);
            }
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
    let target = Target { first: first.len() as i64, slack: 0, tries: TRIES };
    let mut side = bisect(&part, &lean, target, random);
    level_out(&part, &mut side, first.len());
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

/// Moves ranks until the first side has exactly `first` of them; only what a bisection of few
/// vertices may leave behind.
fn level_out(part: &Graph, side: &mut [bool], first: usize) {
    let mut count = side.iter().filter(|&&s| !s).count();
    for v in 0..part.len() {
        if count < first && side[v] {
            side[v] = false;
            count += 1;
        } else if count > first && !side[v] {
            side[v] = true;
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

/// The sampled slot nearest to the others.
fn middle(instance: &Instance, slots: &[u32]) -> u32 {
    let far = |a: u32| {
        let row = instance.row(a);
        sampled(slots).map(|b| u64::from(row[b as usize])).sum::<u64>()
    };
    sampled(slots).min_by_key(|&a| (far(a), a)).expect("a domain has slots")
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
