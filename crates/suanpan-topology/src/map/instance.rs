//! The instance the search works on: ranks that exchange bytes, slots that are some distance apart.

use super::graph::Graph;
use super::random::Random;

/// No rank: the slot is free.
pub(crate) const FREE: u32 = u32::MAX;

/// How many of the nearest slots a local move chooses from.
const NEAR: usize = 8;

/// Ranks and slots, small and flat: everything the inner loops read.
///
/// A *slot* is room for one rank; an element of capacity `c` is `c` slots at distance zero from
/// each other. Memory is `4 · slots²` bytes for the distances and 12 bytes per pair of peers.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) ranks: usize,
    pub(crate) slots: usize,
    /// `start[r]..start[r + 1]` are the peers of rank `r`.
    pub(crate) start: Vec<u32>,
    pub(crate) peer: Vec<u32>,
    /// Bytes both ways between the rank and its peer: each pair is stored at both its ends.
    pub(crate) bytes: Vec<i64>,
    /// Row-major, `slots × slots`, symmetric, zero on the diagonal.
    pub(crate) distance: Vec<u32>,
    /// For each axis of a grid every slot's coordinate; nothing if there is no grid.
    pub(crate) axes: Vec<Vec<u32>>,
    /// Each slot's nearest slots, `near_count` a row.
    pub(crate) near: Vec<u32>,
    pub(crate) near_count: usize,
}

impl Instance {
    /// A instance from symmetric pairs `(a, b, bytes both ways)`, each pair given once or several
    /// times (then summed), and a symmetric row-major matrix of distances between slots.
    ///
    /// # Panics
    /// If the matrix is not `slots × slots`, or there are fewer slots than ranks, or a pair names
    /// a rank that is not there: the callers in this crate have checked all three.
    #[must_use]
    pub fn new(ranks: usize, pairs: &[(u32, u32, i64)], slots: usize, distance: Vec<u32>) -> Self {
        assert_eq!(distance.len(), slots * slots, "the distances are slots × slots");
        assert!(slots >= ranks, "there is a slot for every rank");
        let mut both: Vec<(u32, u32, i64)> = Vec::with_capacity(pairs.len() * 2);
        for &(a, b, bytes) in pairs {
            if a != b && bytes > 0 {
                both.push((a, b, bytes));
                both.push((b, a, bytes));
            }
        }
        both.sort_unstable_by_key(|&(a, b, _)| (a, b));
        both.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        let mut start = vec![0u32; ranks + 1];
        for &(a, _, _) in &both {
            start[a as usize + 1] += 1;
        }
        for r in 0..ranks {
            start[r + 1] += start[r];
        }
        let (near, near_count) = nearest(slots, &distance);
        Self {
            ranks,
            slots,
            start,
            peer: both.iter().map(|&(_, b, _)| b).collect(),
            bytes: both.iter().map(|&(_, _, w)| w).collect(),
            distance,
            axes: Vec::new(),
            near,
            near_count,
        }
    }

    /// The peers of `rank` with the bytes both ways.
    pub fn peers(&self, rank: usize) -> impl Iterator<Item = (u32, i64)> {
        let range = self.start[rank] as usize..self.start[rank + 1] as usize;
        self.peer[range.clone()].iter().copied().zip(self.bytes[range].iter().copied())
    }

    /// The distances from `slot` to every slot.
    #[must_use]
    pub fn row(&self, slot: u32) -> &[u32] {
        let at = slot as usize * self.slots;
        &self.distance[at..at + self.slots]
    }

    /// Hop-bytes of a placement: the sum over pairs of bytes both ways × distance.
    #[must_use]
    pub fn hop_bytes(&self, slot_of: &[u32]) -> i64 {
        let twice: i64 = (0..self.ranks)
            .map(|r| {
                let row = self.row(slot_of[r]);
                self.peers(r)
                    .map(|(w, bytes)| bytes * i64::from(row[slot_of[w as usize] as usize]))
                    .sum::<i64>()
            })
            .sum();
        twice / 2
    }

    /// The traffic as a graph of ranks of size 1.
    pub(crate) fn graph(&self) -> Graph {
        Graph {
            start: self.start.clone(),
            peer: self.peer.clone(),
            weight: self.bytes.clone(),
            size: vec![1; self.ranks],
        }
    }

    /// A random slot among the nearest to `slot`.
    pub(crate) fn near(&self, slot: u32, random: &mut Random) -> u32 {
        self.near[slot as usize * self.near_count + random.below(self.near_count)]
    }

    /// True if there are too few slots for a local move to mean anything.
    pub(crate) fn is_tiny(&self) -> bool {
        self.slots < 4 || self.peer.is_empty()
    }
}

/// The nearest slots of each slot, ties by number; O(slots²).
fn nearest(slots: usize, distance: &[u32]) -> (Vec<u32>, usize) {
    let count = NEAR.min(slots.saturating_sub(1));
    let mut near = Vec::with_capacity(slots * count);
    if count == 0 {
        return (near, count);
    }
    let mut order: Vec<u64> = Vec::with_capacity(slots);
    for a in 0..slots {
        let row = &distance[a * slots..(a + 1) * slots];
        order.clear();
        let others = row.iter().enumerate().filter(|&(b, _)| b != a);
        order.extend(others.map(|(b, &d)| u64::from(d) << 32 | b as u64));
        order.select_nth_unstable(count - 1);
        order[..count].sort_unstable();
        near.extend(order[..count].iter().map(|&key| key as u32));
    }
    (near, count)
}

/// A placement that changes: ranks on slots, slots with ranks, and its hop-bytes.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub slot_of: Vec<u32>,
    pub rank_at: Vec<u32>,
    pub value: i64,
}

impl State {
    pub fn new(instance: &Instance, slot_of: Vec<u32>) -> Self {
        let mut rank_at = vec![FREE; instance.slots];
        for (rank, &slot) in slot_of.iter().enumerate() {
            rank_at[slot as usize] = rank as u32;
        }
        let value = instance.hop_bytes(&slot_of);
        Self { slot_of, rank_at, value }
    }

    /// What hop-bytes would change by if `rank` went to `slot` and whoever is there came back;
    /// O(degree of both).
    pub fn delta(&self, instance: &Instance, rank: u32, slot: u32) -> i64 {
        let from = self.slot_of[rank as usize];
        let other = self.rank_at[slot as usize];
        let (here, there) = (instance.row(from), instance.row(slot));
        let mut delta = 0i64;
        for (w, bytes) in instance.peers(rank as usize) {
            // A pair that swaps keeps its distance; the two sums below count it both ways, so
            // each leaves it out.
            if w != other {
                let at = self.slot_of[w as usize] as usize;
                delta += bytes * (i64::from(there[at]) - i64::from(here[at]));
            }
        }
        if other != FREE {
            for (w, bytes) in instance.peers(other as usize) {
                if w != rank {
                    let at = self.slot_of[w as usize] as usize;
                    delta += bytes * (i64::from(here[at]) - i64::from(there[at]));
                }
            }
        }
        delta
    }

    /// Moves `rank` to `slot`; whoever is there takes its old place.
    pub fn apply(&mut self, rank: u32, slot: u32, delta: i64) {
        let from = self.slot_of[rank as usize];
        let other = self.rank_at[slot as usize];
        self.slot_of[rank as usize] = slot;
        self.rank_at[slot as usize] = rank;
        self.rank_at[from as usize] = other;
        if other != FREE {
            self.slot_of[other as usize] = from;
        }
        self.value += delta;
    }
}
