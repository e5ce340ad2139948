//! What the ranks of a job send each other.

mod collective;
mod csv;
mod document;
mod model;
mod stencil;
#[cfg(test)]
mod tests;

pub use collective::{Algorithm, Collective, Operation, Round};
pub use csv::parse_csv;
pub use document::TrafficDocument;
pub use model::{Dimension, Expansion, Model, Parallelism};
pub use stencil::{Reach, stencil};

use crate::import::metis;
use crate::problem::Problem;

/// What a number of bytes between two ranks means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Row sends to column.
    Directed,
    /// Bytes of both directions together, the same in either row.
    BothWays,
}

/// Bytes between ranks in compressed rows: rank r's peers are ascending, without r itself and
/// without zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    flow: Flow,
    offsets: Vec<usize>,
    peers: Vec<u32>,
    bytes: Vec<u64>,
}

/// The most ranks of one job.
pub const RANKS_MAX: usize = 1 << 20;

/// The most pairs of ranks that communicate: 67 million, a gigabyte while they are sorted.
pub const ENTRIES_MAX: usize = 1 << 26;

impl Traffic {
    /// From (from, to, bytes) in any order; several of one pair are added, what a rank sends to
    /// itself and zeros are left out. For [`Flow::BothWays`] each pair is given once, either way
    /// round. O(entries log entries).
    ///
    /// # Errors
    /// If a rank is not below `ranks`, there are too many ranks, or a sum exceeds 2⁶⁴.
    pub fn from_entries(
        ranks: usize,
        flow: Flow,
        entries: impl IntoIterator<Item = (u32, u32, u64)>,
    ) -> Result<Self, Problem> {
        if ranks > RANKS_MAX {
            return Err(Problem::new("ranks", ranks, "at most 1,048,576 ranks"));
        }
        let mut all = Vec::new();
        for (from, to, bytes) in entries {
            if let Some(far) = [from, to].into_iter().find(|r| *r as usize >= ranks) {
                let expected = format!("a rank below {ranks}");
                return Err(Problem::new("rank", far, &expected));
            }
            if from == to || bytes == 0 {
                continue;
            }
            if all.len() >= ENTRIES_MAX {
                return Err(Problem::new("entries", all.len(), "fewer than 67,108,864 entries"));
            }
            all.push((from, to, bytes));
            if flow == Flow::BothWays {
                all.push((to, from, bytes));
            }
        }
        all.sort_unstable();
        let mut traffic =
            Self { flow, offsets: vec![0; ranks + 1], peers: Vec::new(), bytes: Vec::new() };
        let mut last = None;
        for (from, to, bytes) in all {
            if last == Some((from, to)) {
                let sum = traffic.bytes.last_mut().expect("the pair before this one is there");
                *sum = sum.checked_add(bytes).ok_or_else(|| {
                    Problem::new("bytes", bytes, "less than 2^64 bytes for each pair of ranks")
                })?;
                continue;
            }
            last = Some((from, to));
            traffic.peers.push(to);
            traffic.bytes.push(bytes);
            traffic.offsets[from as usize + 1] = traffic.peers.len();
        }
        for rank in 0..ranks {
            traffic.offsets[rank + 1] = traffic.offsets[rank + 1].max(traffic.offsets[rank]);
        }
        Ok(traffic)
    }

    /// Reads a METIS graph: vertices are ranks, an edge's weight is bytes both ways.
    ///
    /// # Errors
    /// What [`metis::parse`] refuses.
    pub fn parse_metis(text: &str) -> Result<Self, Problem> {
        let graph = metis::parse(text)?;
        let ranks = graph.vertex_weights.len();
        let mut entries = Vec::with_capacity(graph.neighbors.len() / 2);
        for rank in 0..ranks {
            for place in graph.offsets[rank]..graph.offsets[rank + 1] {
                if graph.neighbors[place] > rank as u32 {
                    entries.push((rank as u32, graph.neighbors[place], graph.weights[place]));
                }
            }
        }
        Self::from_entries(ranks, Flow::BothWays, entries)
    }

    /// How many ranks there are.
    #[must_use]
    pub fn ranks(&self) -> usize {
        self.offsets.len() - 1
    }

    /// What the bytes mean.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// How many entries are stored: for [`Flow::BothWays`] two for each pair.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.peers.len()
    }

    /// Where each rank's row begins and the last ends; `ranks + 1` numbers.
    #[must_use]
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Peers of a rank, ascending, and the bytes of each.
    #[must_use]
    pub fn row(&self, rank: usize) -> (&[u32], &[u64]) {
        let range = self.offsets[rank]..self.offsets[rank + 1];
        (&self.peers[range.clone()], &self.bytes[range])
    }

    /// Peers of a rank with the bytes of each.
    pub fn peers(&self, rank: usize) -> impl Iterator<Item = (u32, u64)> {
        let (peers, bytes) = self.row(rank);
        peers.iter().copied().zip(bytes.iter().copied())
    }

    /// Bytes between two ranks as stored, 0 if none. O(log peers).
    #[must_use]
    pub fn between(&self, from: usize, to: usize) -> u64 {
        let (peers, bytes) = self.row(from);
        peers.binary_search(&(to as u32)).map_or(0, |place| bytes[place])
    }

    /// All bytes, each byte counted once.
    #[must_use]
    pub fn total(&self) -> u128 {
        let sum: u128 = self.bytes.iter().map(|&bytes| u128::from(bytes)).sum();
        match self.flow {
            Flow::Directed => sum,
            Flow::BothWays => sum / 2,
        }
    }

    /// The same with bytes both ways. O(entries log entries); sums beyond 2⁶⁴ are kept at it.
    #[must_use]
    pub fn both_ways(&self) -> Self {
        if self.flow == Flow::BothWays {
            return self.clone();
        }
        let mut entries = Vec::with_capacity(self.peers.len());
        for rank in 0..self.ranks() {
            for (peer, bytes) in self.peers(rank) {
                let back = self.between(peer as usize, rank);
                if (rank as u32) < peer || back == 0 {
                    entries.push((rank as u32, peer, bytes.saturating_add(back)));
                }
            }
        }
        Self::from_entries(self.ranks(), Flow::BothWays, entries)
            .expect("ranks were checked, and each pair comes once")
    }

    /// The same job with ranks renamed: `order[r]` is the new number of rank r.
    ///
    /// # Errors
    /// If `order` is not a permutation of the ranks.
    pub fn renumbered(&self, order: &[u32]) -> Result<Self, Problem> {
        let mut seen = vec![false; self.ranks()];
        let fits = order.len() == self.ranks()
            && order.iter().all(|&r| {
                seen.get_mut(r as usize).is_some_and(|seen| !std::mem::replace(seen, true))
            });
        if !fits {
            let expected = "each rank once";
            return Err(Problem::new("order", format!("{} numbers", order.len()), expected));
        }
        let mut entries = Vec::with_capacity(self.peers.len());
        for rank in 0..self.ranks() {
            for (peer, bytes) in self.peers(rank) {
                if self.flow == Flow::Directed || rank as u32 <= peer {
                    entries.push((order[rank], order[peer as usize], bytes));
                }
            }
        }
        Self::from_entries(self.ranks(), self.flow, entries)
    }
}
