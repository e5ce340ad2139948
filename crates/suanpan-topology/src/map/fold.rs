//! Products on grids: each factor of a job is cut into digits, and each axis of a grid too.
//!
//! An axis of 16 slots is four digits of base 2, and a path of eight ranks three of them, wherever
//! they are: all on one axis, or folded over several. Which digits a factor gets decides alone
//! what its edges cost, so that the best choice for all factors is found without a search. The
//! classic folds of one grid into another are among the choices (Yu, Chung and Moreira, "Topology
//! mapping for Blue Gene/L supercomputer", SC 2006).

use super::instance::Instance;
use super::product::Factor;

/// More digits than this are not tried: the choice takes 3 to this power.
const DIGITS: usize = 13;

/// Ways to write the axes' lengths as products that are tried.
const SYSTEMS: usize = 24;

/// A digit of a slot's number.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Digit {
    base: u32,
    /// By how much the digit's next value raises the slot's number in the grid.
    stride: u32,
    /// By how much it raises the coordinate.
    step: u32,
    axis: usize,
}

impl Digit {
    /// Whether `next` goes on where this one ends.
    fn continues(self, next: Digit) -> bool {
        self.axis == next.axis && self.step * self.base == next.step
    }
}

/// A whole grid of slots.
struct Board<'a> {
    instance: &'a Instance,
    lengths: Vec<u32>,
    /// The slot of each number: the first axis is the fastest.
    slot_at: Vec<u32>,
}

impl<'a> Board<'a> {
    /// The grid, if every place in it is one slot and every slot is for one rank.
    fn new(instance: &'a Instance) -> Option<Self> {
        let lengths: Vec<u32> = instance
            .axes
            .iter()
            .map(|axis| axis.iter().max().map_or(1, |&last| last + 1))
            .collect();
        let places = lengths.iter().try_fold(1u32, |all, &length| all.checked_mul(length))?;
        if places as usize != instance.slots || instance.ranks != instance.slots {
            return None;
        }
        let mut slot_at = vec![u32::MAX; instance.slots];
        for slot in 0..instance.slots {
            let axes = instance.axes.iter().zip(&lengths).rev();
            let place = axes.fold(0, |place, (axis, length)| place * length + axis[slot]);
            slot_at[place as usize] = slot as u32;
        }
        let whole = slot_at.iter().all(|&slot| slot != u32::MAX);
        whole.then_some(Self { instance, lengths, slot_at })
    }

    /// Hop-bytes of a factor whose vertices are at these numbers.
    fn cost(&self, factor: &Factor, numbers: &[u32]) -> i64 {
        let slot = |v: u32| self.slot_at[numbers[v as usize] as usize];
        let edge = |&(a, b, weight): &(u32, u32, i64)| {
            weight * i64::from(self.instance.row(slot(a))[slot(b) as usize])
        };
        factor.edges.iter().map(edge).sum()
    }

    /// Every way to cut the axes into digits of prime base, up to some.
    fn systems(&self) -> Vec<Vec<Digit>> {
        let mut systems = vec![Vec::new()];
        let mut stride = 1;
        for (axis, &length) in self.lengths.iter().enumerate() {
            let mut longer = Vec::new();
            for system in &systems {
                for bases in orders(&primes(length)) {
                    let mut system: Vec<Digit> = system.clone();
                    let mut step = 1;
                    for base in bases {
                        system.push(Digit { base, stride: stride * step, step, axis });
                        step *= base;
                    }
                    longer.push(system);
                }
            }
            longer.truncate(SYSTEMS);
            systems = longer;
            stride *= length;
        }
        systems
    }
}

/// The best placement that gives every factor digits of its own, and about how many moves could
/// have been priced instead; none if the slots are no whole grid or the lengths do not agree.
pub(crate) fn fold(instance: &Instance, factors: &[Factor]) -> Option<(Vec<u32>, u64)> {
    let board = Board::new(instance)?;
    let mut best: Option<(i64, Vec<u32>)> = None;
    let mut priced = 0;
    for digits in board.systems() {
        if digits.len() > DIGITS {
            return None;
        }
        let Some((cost, slot_of)) = choose(&board, factors, &digits, &mut priced) else { continue };
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, slot_of));
        }
    }
    best.map(|(_, slot_of)| (slot_of, priced / 16))
}

/// Digits for one factor, the cheapest way to use them, and what it costs.
struct Choice {
    digits: u32,
    cost: i64,
    numbers: Vec<u32>,
}

/// The best share of the digits among the factors: over sets of digits that the first factors
/// have, the least cost. O(3^digits) beside the pricing.
fn choose(
    board: &Board<'_>,
    factors: &[Factor],
    digits: &[Digit],
    priced: &mut u64,
) -> Option<(i64, Vec<u32>)> {
    let all = (1usize << digits.len()) - 1;
    let choices: Vec<Vec<Choice>> =
        factors.iter().map(|factor| choices(board, factor, digits, priced)).collect();
    // What the factors so far cost with a set of digits, and the last one's choice.
    let mut levels: Vec<Vec<Option<(i64, u32)>>> = Vec::new();
    for (at, choices) in choices.iter().enumerate() {
        let mut level = vec![None; all + 1];
        for (number, choice) in (0..).zip(choices) {
            let own = choice.digits as usize;
            for before in (0..=all).filter(|before| before & own == 0) {
                let so_far = match at.checked_sub(1) {
                    None => (before == 0).then_some(0),
                    Some(last) => levels[last][before].map(|(cost, _)| cost),
                };
                let Some(cost) = so_far.map(|cost| cost + choice.cost) else { continue };
                let entry = &mut level[before | own];
                if entry.is_none_or(|(least, _)| cost < least) {
                    *entry = Some((cost, number));
                }
            }
        }
        levels.push(level);
    }
    let cost = levels.last()?[all]?.0;
    let mut numbers = vec![0; board.instance.ranks];
    let mut left = all;
    for ((factor, choices), level) in factors.iter().zip(&choices).zip(&levels).rev() {
        let (_, number) = level[left].expect("a sum that is reached has its parts");
        let choice = &choices[number as usize];
        for (number, &at) in numbers.iter_mut().zip(&factor.at) {
            *number += choice.numbers[at as usize];
        }
        left &= !(choice.digits as usize);
    }
    Some((cost, numbers.iter().map(|&number| board.slot_at[number as usize]).collect()))
}

/// Every set of digits that has as many values as the factor has vertices.
fn choices(board: &Board<'_>, factor: &Factor, digits: &[Digit], priced: &mut u64) -> Vec<Choice> {
    let mut found = Vec::new();
    for set in 1u32..1 << digits.len() {
        let own: Vec<Digit> =
            (0..digits.len()).filter(|at| set >> at & 1 == 1).map(|at| digits[at]).collect();
        if own.iter().map(|d| d.base as usize).product::<usize>() != factor.length {
            continue;
        }
        let mut best: Option<(i64, Vec<u32>)> = None;
        for order in significances(&own) {
            for turns in turns(&order) {
                let numbers = count(&order, turns, factor.length);
                let cost = board.cost(factor, &numbers);
                *priced += (factor.edges.len() + factor.length) as u64;
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, numbers));
                }
            }
        }
        let (cost, numbers) = best.expect("there is at least one order");
        found.push(Choice { digits: set, cost, numbers });
    }
    found
}

/// Orders of digits, the least significant first: all of up to four, else by step with each digit
/// in turn as the most significant, which folds a ring where that is the one of step 1.
fn significances(digits: &[Digit]) -> Vec<Vec<Digit>> {
    let mut sorted = digits.to_vec();
    sorted.sort_by_key(|d| (d.step, d.axis));
    if sorted.len() <= 4 {
        let places: Vec<u32> = (0..sorted.len() as u32).collect();
        let of = |order: Vec<u32>| order.into_iter().map(|at| sorted[at as usize]).collect();
        return orders(&places).into_iter().map(of).collect();
    }
    let last = |at: usize| {
        let mut order = sorted.clone();
        let digit = order.remove(at);
        order.push(digit);
        order
    };
    (0..sorted.len()).rev().map(last).collect()
}

/// Where digits turn back each time a more significant one moves on, as in the reflected Gray code
/// (Knuth, "The art of computer programming" 4A, 7.2.1.1), a bit for each digit: all choices for
/// few digits, else those that the next does not continue on the same axis.
fn turns(order: &[Digit]) -> Vec<u32> {
    let count = order.len() - 1;
    if count <= 4 {
        return (0..1 << count).collect();
    }
    let apart = |pair: &[Digit]| u32::from(!pair[0].continues(pair[1]));
    vec![order.windows(2).rev().fold(0, |turns, pair| turns << 1 | apart(pair))]
}

/// The number in the grid of each of `length` values. Digits that continue each other and do not
/// turn are one, so that they turn together.
fn count(order: &[Digit], turns: u32, length: usize) -> Vec<u32> {
    let mut numbers = vec![0; length];
    let (mut from, mut below) = (0, 1);
    while from < order.len() {
        let mut last = from;
        let mut base = order[from].base;
        while last + 1 < order.len()
            && turns >> last & 1 == 0
            && order[last].continues(order[last + 1])
        {
            last += 1;
            base *= order[last].base;
        }
        for (value, number) in (0..).zip(&mut numbers) {
            let above: u32 = value / below;
            let turned = turns >> last & 1 == 1 && above / base % 2 == 1;
            let here = if turned { base - 1 - above % base } else { above % base };
            *number += here * order[from].stride;
        }
        below *= base;
        from = last + 1;
    }
    numbers
}

/// The prime factors of a number, ascending.
fn primes(mut number: u32) -> Vec<u32> {
    let mut primes = Vec::new();
    let mut prime = 2;
    while number > 1 {
        while number.is_multiple_of(prime) {
            primes.push(prime);
            number /= prime;
        }
        prime += 1;
    }
    primes
}

/// All different orders of some numbers, which come sorted; the first is the order given.
fn orders(items: &[u32]) -> Vec<Vec<u32>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..items.len() {
        if at > 0 && items[at] == items[at - 1] {
            continue;
        }
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first);
            all.push(order);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::Distances;
    use crate::fabric::{Fabric, Kind};
    use crate::generate::{LinkTerms, mesh, torus};
    use crate::map::product::{factors, tests::pairs};
    use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

    const TERMS: LinkTerms = LinkTerms {
        bandwidth: BitsPerSecond(1),
        latency: Picoseconds(1),
        energy: FemtojoulesPerBit(1),
    };

    /// Hop-bytes of the fold of a product, two bytes on each edge.
    fn folded(fabric: &Fabric, lengths: &[(u32, bool)]) -> Option<i64> {
        let pairs = pairs(lengths);
        let count = lengths.iter().map(|&(length, _)| length).product::<u32>();
        let distances = Distances::hops(fabric, &fabric.slots()).expect("hops");
        let slots = distances.len();
        let instance = Instance::new(count as usize, &pairs, slots, distances.table());
        let instance = Instance { axes: distances.axes(), ..instance };
        let (slot_of, _) = fold(&instance, &factors(&instance.graph()))?;
        let mut seen = slot_of.clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..count).collect::<Vec<u32>>(), "a slot for each rank");
        Some(instance.hop_bytes(&slot_of))
    }

    #[test]
    fn folds_are_as_short_as_they_can_be() {
        let mesh = |lengths: &[u32]| mesh("m", lengths, Kind::Die, TERMS).expect("a mesh");
        let torus = |lengths: &[u32]| torus("t", lengths, Kind::Die, TERMS).expect("a torus");
        // The same grid turned: every edge is one hop.
        let turned = [(8, false), (6, false), (5, false)];
        assert_eq!(folded(&mesh(&[6, 5, 8]), &turned), Some(2 * 602));
        assert_eq!(folded(&torus(&[5, 6]), &[(6, true), (5, true)]), Some(2 * 60));
        // A long grid folded in two: its bend costs a hop more on each of two tracks.
        assert_eq!(folded(&mesh(&[4, 6]), &[(12, false), (2, false)]), Some(2 * 36));
        // A ring on a line goes out on every second slot and comes back on the others.
        let ring = [(8, true), (2, false)];
        assert_eq!(folded(&mesh(&[2, 8]), &ring), Some(2 * (2 * (6 * 2 + 2) + 8)));
        assert_eq!(folded(&mesh(&[3, 8]), &[(8, false), (2, false)]), None, "slots are left");
    }
}
