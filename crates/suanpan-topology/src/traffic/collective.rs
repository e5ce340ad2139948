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
    /// Sums go up a binomial tree to the first rank, and the result down again: in round k the
    /// ranks 2ᵏ apart exchange all S bytes, ⌈log₂ n⌉ rounds each way (Thakur, Rabenseifner and
    /// Gropp, ibid., sections 4.3 and 4.4). For all-reduce.
    Tree,
}

impl Algorithm {
    /// Its name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Ring => "ring",
            Algorithm::RecursiveDoubling => "recursive-doubling",
            Algorithm::HalvingDoubling => "halving-doubling",
            Algorithm::Tree => "tree",
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
            (O::AllReduce, A::RecursiveDoubling | A::Tree) => Ok(()),
            (_, A::RecursiveDoubling | A::Tree) => {
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

    /// Adds (from, to, bytes) of all calls of one iteration: those of all [`Collective::rounds`].
    pub fn add_to(&self, entries: &mut Vec<(u32, u32, u64)>) {
        entries.extend(self.rounds().into_iter().flat_map(|round| round.entries));
    }

    /// What is sent at one time, round after round. Parts that are no whole bytes are rounded up;
    /// sums that do not fit are kept at the largest that does. O(groups × n) entries for rings,
    /// chains and trees, O(groups × n log n) for doubling, O(groups × n²) for all-to-all.
    #[must_use]
    pub fn rounds(&self) -> Vec<Round> {
        let mut rounds: Vec<Round> = Vec::new();
        for group in self.groups.iter().filter(|group| group.len() > 1) {
            for (index, round) in self.rounds_of(group).into_iter().enumerate() {
                if index == rounds.len() {
                    rounds.push(Round::default());
                }
                let all = &mut rounds[index];
                all.messages = all.messages.max(round.messages.saturating_mul(self.calls));
                all.entries.extend(round.entries);
            }
        }
        rounds
    }

    /// The rounds of one group, bytes of all calls, messages of one.
    fn rounds_of(&self, group: &[u32]) -> Vec<Round> {
        let bytes = u128::from(self.bytes) * u128::from(self.calls);
        let n = group.len() as u128;
        let passes: u128 = if self.operation == Operation::AllReduce { 2 } else { 1 };
        let one = |messages: u128, entries| vec![Round { entries, messages: messages as u64 }];
        match (self.operation, self.algorithm) {
            (Operation::AllToAll, _) => one(1, to_all(group, part(bytes, 1, n))),
            (Operation::Chain, _) => one(1, to_next(group, Ends::Open, part(bytes, 1, 1))),
            (Operation::ChainBack, _) => {
                let back: Vec<u32> = group.iter().rev().copied().collect();
                one(1, to_next(&back, Ends::Open, part(bytes, 1, 1)))
            }
            (Operation::Shift, _) => one(1, to_next(group, Ends::Joined, part(bytes, 1, 1))),
            (_, Algorithm::Ring) => {
                let sent = part(bytes, passes * (n - 1), n);
                one(passes * (n - 1), to_next(group, Ends::Joined, sent))
            }
            (_, Algorithm::RecursiveDoubling) => doubling(group, part(bytes, 1, 1)),
            (_, Algorithm::HalvingDoubling) => halving(group, bytes, passes),
            (_, Algorithm::Tree) => tree(group, part(bytes, 1, 1)),
        }
    }
}

/// What is sent at one time, by all groups and in all calls of an iteration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// From, to, bytes.
    pub entries: Vec<(u32, u32, u64)>,
    /// Messages of a rank that wait for one another.
    pub messages: u64,
}

enum Ends {
    Open,
    Joined,
}

/// bytes · times / of, rounded up.
fn part(bytes: u128, times: u128, of: u128) -> u64 {
    u64::try_from(bytes.saturating_mul(times).div_ceil(of)).unwrap_or(u64::MAX)
}

fn to_next(group: &[u32], ends: Ends, bytes: u64) -> Vec<(u32, u32, u64)> {
    let mut entries: Vec<_> = group.windows(2).map(|pair| (pair[0], pair[1], bytes)).collect();
    if let (Ends::Joined, Some(&last)) = (ends, group.last()) {
        entries.push((last, group[0], bytes));
    }
    entries
}

fn to_all(group: &[u32], bytes: u64) -> Vec<(u32, u32, u64)> {
    let others = |from: u32| group.iter().filter(move |&&to| to != from);
    group.iter().flat_map(|&from| others(from).map(move |&to| (from, to, bytes))).collect()
}

fn doubling(group: &[u32], bytes: u64) -> Vec<Round> {
    let power = 1_usize << group.len().ilog2();
    let extra = group.len() - power;
    // Of the first 2 · extra ranks the even ones hand over and wait.
    let pairs = || group[..2 * extra].chunks(2);
    let hand_over = pairs().map(|pair| (pair[0], pair[1], bytes)).collect();
    let hand_back = pairs().map(|pair| (pair[1], pair[0], bytes)).collect();
    let active: Vec<u32> =
        group[..2 * extra].iter().skip(1).step_by(2).chain(&group[2 * extra..]).copied().collect();
    let mut rounds = vec![hand_over];
    let mut apart = 1;
    while apart < power {
        rounds.push((0..power).map(|rank| (active[rank], active[rank ^ apart], bytes)).collect());
        apart *= 2;
    }
    rounds.push(hand_back);
    let sent = rounds.into_iter().filter(|entries: &Vec<_>| !entries.is_empty());
    sent.map(|entries| Round { entries, messages: 1 }).collect()
}

fn halving(group: &[u32], bytes: u128, passes: u128) -> Vec<Round> {
    let (mut apart, mut share) = (group.len() / 2, 2);
    let mut rounds = Vec::new();
    while apart > 0 {
        let bytes = part(bytes, passes, share);
        let entries = (0..group.len()).map(|rank| (group[rank], group[rank ^ apart], bytes));
        rounds.push(Round { entries: entries.collect(), messages: passes as u64 });
        (apart, share) = (apart / 2, share * 2);
    }
    rounds
}

fn tree(group: &[u32], bytes: u64) -> Vec<Round> {
    let mut up = Vec::new();
    let mut apart = 1;
    while apart < group.len() {
        let pairs = (apart..group.len()).step_by(2 * apart);
        up.push(pairs.map(|rank| (group[rank], group[rank - apart], bytes)).collect::<Vec<_>>());
        apart *= 2;
    }
    let turned = |round: &Vec<(u32, u32, u64)>| {
        round.iter().map(|&(from, to, bytes)| (to, from, bytes)).collect()
    };
    let down: Vec<Vec<_>> = up.iter().rev().map(turned).collect();
    up.into_iter().chain(down).map(|entries| Round { entries, messages: 1 }).collect()
}
