//! Collective operations, and what their algorithms send between ranks.

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// What a group of ranks does together. n is the number of ranks of a group, S the bytes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Each rank has S bytes and gets the sum of all.
    AllReduce,
    /// Each rank has S / n bytes and gets those of all.
    AllGather,
    /// Each rank has S bytes and gets its n-th of the sum.
    ReduceScatter,
    /// Each rank has S bytes, an n-th of them for each rank.
    AllToAll,
    /// Each rank sends S bytes to the next; the last sends nothing.
    Chain,
    /// Each rank sends S bytes to the one before; the first sends nothing.
    ChainBack,
    /// Each rank sends S bytes to the next, the last to the first.
    Shift,
}

/// How it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Around a ring, a part at a time: each rank sends (n − 1) / n · S to the next for a
    /// reduce-scatter or an all-gather, and twice that for an all-reduce (Patarasuk and Yuan,
    /// "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC 69(2), 2009).
    #[default]
    Ring,
    /// All S bytes with the rank 1, 2, 4, … apart (Thakur, Rabenseifner and Gropp, "Optimization of
    /// collective communication operations in MPICH", IJHPCA 19(1), 2005, section 4.5). For
    /// all-reduce; ranks beyond a power of two hand their bytes to a neighbor and get the result.
    RecursiveDoubling,
    /// Halves, quarters, … with the rank n/2, n/4, … apart, and the same way back (Rabenseifner's
    /// algorithm, ibid.): with the rank n / 2ᵏ apart S / 2ᵏ each way for a reduce-scatter or an
    /// all-gather, twice that for an all-reduce. n must be a power of two.
    HalvingDoubling,
}

impl Algorithm {
    /// Its name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Ring => "ring",
            Algorithm::RecursiveDoubling => "recursive-doubling",
            Algorithm::HalvingDoubling => "halving-doubling",
        }
    }
}

/// Calls of one operation by several groups that do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collective {
    /// What it is for, as `tensor parallel activations`.
    pub purpose: &'static str,
    /// What is done.
    pub operation: Operation,
    /// How; all-to-all, chains and shifts send directly and have no choice.
    pub algorithm: Algorithm,
    /// The ranks of each group, in the order of the ring.
    pub groups: Vec<Vec<u32>>,
    /// S: bytes of a call, as [`Operation`] counts them.
    pub bytes: u64,
    /// Calls in one iteration.
    pub calls: u64,
}

impl Collective {
    /// Whether the algorithm can do the operation with groups of these sizes.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check(&self) -> Result<(), Problem> {
        use {Algorithm as A, Operation as O};
        let name = self.algorithm.name();
        match (self.operation, self.algorithm) {
            (O::AllToAll | O::Chain | O::ChainBack | O::Shift, _) | (_, A::Ring) => Ok(()),
            (O::AllReduce, A::RecursiveDoubling) => Ok(()),
            (_, A::RecursiveDoubling) => {
                Err(Problem::new(self.purpose, name, "`ring` or `halving-doubling`"))
            }
            (_, A::HalvingDoubling) => {
                match self.groups.iter().find(|group| !group.len().is_power_of_two()) {
                    None => Ok(()),
                    Some(group) => {
                        let value = format!("{name} of {} ranks", group.len());
                        Err(Problem::new(self.purpose, value, "`ring`, or a power of two"))
                    }
                }
            }
        }
    }

    /// Adds (from, to, bytes) of all calls of one iteration. Parts that are no whole bytes are
    /// rounded up; sums that do not fit are kept at the largest that does. O(groups × n) entries
    /// for rings and chains, O(groups × n log n) for doubling, O(groups × n²) for all-to-all.
    pub fn add_to(&self, entries: &mut Vec<(u32, u32, u64)>) {
        let bytes = u128::from(self.bytes) * u128::from(self.calls);
        for group in self.groups.iter().filter(|group| group.len() > 1) {
            let n = group.len() as u128;
            let passes: u128 = if self.operation == Operation::AllReduce { 2 } else { 1 };
            match (self.operation, self.algorithm) {
                (Operation::AllToAll, _) => to_all(group, part(bytes, 1, n), entries),
                (Operation::Chain, _) => to_next(group, Ends::Open, part(bytes, 1, 1), entries),
                (Operation::ChainBack, _) => {
                    let back: Vec<u32> = group.iter().rev().copied().collect();
                    to_next(&back, Ends::Open, part(bytes, 1, 1), entries);
                }
                (Operation::Shift, _) => to_next(group, Ends::Joined, part(bytes, 1, 1), entries),
                (_, Algorithm::Ring) => {
                    to_next(group, Ends::Joined, part(bytes, passes * (n - 1), n), entries);
                }
                (_, Algorithm::RecursiveDoubling) => doubling(group, part(bytes, 1, 1), entries),
                (_, Algorithm::HalvingDoubling) => {
                    halving(group, bytes.saturating_mul(passes), entries)
                }
            }
        }
    }
}

enum Ends {
    Open,
    Joined,
}

/// bytes · times / of, rounded up.
fn part(bytes: u128, times: u128, of: u128) -> u64 {
    u64::try_from(bytes.saturating_mul(times).div_ceil(of)).unwrap_or(u64::MAX)
}

fn to_next(group: &[u32], ends: Ends, bytes: u64, entries: &mut Vec<(u32, u32, u64)>) {
    entries.extend(group.windows(2).map(|pair| (pair[0], pair[1], bytes)));
    if let (Ends::Joined, Some(&last)) = (ends, group.last()) {
        entries.push((last, group[0], bytes));
    }
}

fn to_all(group: &[u32], bytes: u64, entries: &mut Vec<(u32, u32, u64)>) {
    for &from in group {
        entries.extend(group.iter().filter(|&&to| to != from).map(|&to| (from, to, bytes)));
    }
}

fn doubling(group: &[u32], bytes: u64, entries: &mut Vec<(u32, u32, u64)>) {
    let power = 1_usize << group.len().ilog2();
    let extra = group.len() - power;
    // Of the first 2 · extra ranks the even ones hand over and wait.
    for pair in group[..2 * extra].chunks(2) {
        entries.extend([(pair[0], pair[1], bytes), (pair[1], pair[0], bytes)]);
    }
    let active: Vec<u32> =
        group[..2 * extra].iter().skip(1).step_by(2).chain(&group[2 * extra..]).copied().collect();
    let mut apart = 1;
    while apart < power {
        entries.extend((0..power).map(|rank| (active[rank], active[rank ^ apart], bytes)));
        apart *= 2;
    }
}

fn halving(group: &[u32], bytes: u128, entries: &mut Vec<(u32, u32, u64)>) {
    let (mut apart, mut share) = (group.len() / 2, 2);
    while apart > 0 {
        let bytes = part(bytes, 1, share);
        entries.extend((0..group.len()).map(|rank| (group[rank], group[rank ^ apart], bytes)));
        (apart, share) = (apart / 2, share * 2);
    }
}
