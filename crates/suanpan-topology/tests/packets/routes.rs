//! Routes of the simulation, made from lengths and neighbours alone.

use std::collections::VecDeque;

use suanpan_topology::fabric::{Fabric, Wrap};

use super::simulation::{Hop, Random};

/// In a grid of k × k dimension by dimension, the last first; half way round a ring either way by
/// chance. In rings the upper half of the virtual channels is taken from the closing link on, and
/// packets that do not cross it take one half or the other by chance (datelines: Dally and Towles,
/// "Principles and practices of interconnection networks", section 14.2.3).
pub fn in_order(k: u32, wrap: Wrap, lanes: usize) -> impl Fn(u32, u32, &mut Random) -> Vec<Hop> {
    move |from, to, random| {
        let mut hops = Vec::new();
        let columns = ring(k, wrap, from % k, to % k, lanes, random);
        hops.extend(columns.iter().map(|hop| Hop { to: from / k * k + hop.to, ..*hop }));
        let rows = ring(k, wrap, from / k, to / k, lanes, random);
        hops.extend(rows.iter().map(|hop| Hop { to: hop.to * k + to % k, ..*hop }));
        hops
    }
}

/// The way along one dimension.
fn ring(k: u32, wrap: Wrap, from: u32, to: u32, lanes: usize, random: &mut Random) -> Vec<Hop> {
    let ahead = (to + k - from) % k;
    let is_up = match wrap {
        Wrap::Open => to > from,
        Wrap::Closed if ahead * 2 == k => random.bits() & 1 == 0,
        Wrap::Closed => ahead * 2 < k,
    };
    let crosses = if is_up { to < from } else { to > from };
    let mut is_upper = !crosses && random.bits() & 1 == 0;
    let (mut at, mut hops) = (from, Vec::new());
    while at != to {
        let next = if is_up { (at + 1) % k } else { (at + k - 1) % k };
        is_upper |= if is_up { next < at } else { next > at };
        let (first, last) = match (wrap, is_upper) {
            (Wrap::Open, _) => (0, lanes - 1),
            (Wrap::Closed, false) => (0, lanes / 2 - 1),
            (Wrap::Closed, true) => (lanes / 2, lanes - 1),
        };
        hops.push(Hop { to: next, first, last });
        at = next;
    }
    hops
}

/// Up*/down* routes (Schroeder et al., "Autonet", IEEE JSAC 9(8), 1991): elements are numbered by
/// breadth-first search from the first that is up, and a route first goes to lower numbers, then
/// to higher ones; the shortest such, which no cycle of waiting packets can close.
pub fn up_down(fabric: &Fabric) -> Vec<Vec<Vec<u32>>> {
    let count = fabric.elements().len();
    let neighbors = |e: u32| fabric.neighbors(e).iter().map(|n| n.element);
    let root = (0..count as u32).find(|&e| fabric.is_up(e)).expect("something is up");
    let (mut number, mut queue) = (vec![usize::MAX; count], VecDeque::from([root]));
    number[root as usize] = 0;
    let mut numbered = 1;
    while let Some(at) = queue.pop_front() {
        for next in neighbors(at) {
            if number[next as usize] == usize::MAX {
                number[next as usize] = numbered;
                numbered += 1;
                queue.push_back(next);
            }
        }
    }
    let from = |start: u32| -> Vec<Vec<u32>> {
        // Elements twice: while still going up, and once a step down was made.
        let mut before: Vec<Option<usize>> = vec![None; 2 * count];
        let mut queue = VecDeque::from([2 * start as usize]);
        before[2 * start as usize] = Some(usize::MAX);
        while let Some(state) = queue.pop_front() {
            let at = state / 2;
            for next in neighbors(at as u32) {
                let goes_down = number[next as usize] > number[at];
                let there = 2 * next as usize + usize::from(goes_down);
                if (goes_down || state % 2 == 0) && before[there].is_none() {
                    before[there] = Some(state);
                    queue.push_back(there);
                }
            }
        }
        let way = |mut state: usize| {
            let mut steps = Vec::new();
            while let Some(last) = before[state].filter(|&last| last != usize::MAX) {
                steps.push((state / 2) as u32);
                state = last;
            }
            steps.reverse();
            steps
        };
        let shortest = |to: usize| {
            let ends = [2 * to, 2 * to + 1].into_iter().filter(|&end| before[end].is_some());
            ends.map(way).min_by_key(Vec::len).unwrap_or_default()
        };
        (0..count).map(shortest).collect()
    };
    (0..count as u32).map(from).collect()
}
