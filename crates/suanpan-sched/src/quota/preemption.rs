//! Whose use is taken back so that a request fits, by Kueue's rules.
//!
//! Source: Kueue's concept page "Preemption" and enhancement proposals 83 (preemption), 1337
//! (`borrowWithinCohort`) and 1714 (fair sharing, rules S2-a and S2-b). Candidates are tried
//! others' first, then lower priority, then admitted last; as soon as the request fits, those
//! that turn out not to be needed are given back, in the reverse order. A request that itself
//! would borrow takes from other queues only what `borrow` allows, so that two queues cannot
//! take from each other in turns.
//!
//! Complexity with `c` candidates, `a` cells of a request and `d` levels: O(c log c + c a d log a).

use crate::quota::{Amounts, Cell, Fit, MemberId, Quotas};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use suanpan_model::time::Timestamp;

/// What a queue may take back for its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// From itself (`withinClusterQueue`).
    pub within_queue: WithinQueue,
    /// From others of its cohort that borrow, for a request within its own quota
    /// (`reclaimWithinCohort`).
    pub reclaim: Reclaim,
    /// From others that borrow, for a request that borrows itself (`borrowWithinCohort`).
    pub borrow: Borrow,
}

/// What a queue may take from itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithinQueue {
    /// Nothing.
    #[default]
    Never,
    /// What has lower priority.
    LowerPriority,
    /// That, and what has equal priority and was queued later.
    LowerOrNewerEqual,
}

/// What a queue may take from others that borrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reclaim {
    /// Nothing.
    #[default]
    Never,
    /// What has lower priority.
    LowerPriority,
    /// Anything.
    Any,
}

/// What a queue may take from others while it borrows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Borrow {
    /// Nothing.
    #[default]
    Never,
    /// What has lower priority, and at most this one where it is given.
    LowerPriority {
        /// `maxPriorityThreshold`.
        at_most: Option<i64>,
    },
}

/// What asks, or has, a part of a queue's quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The caller's number for it; breaks ties.
    pub id: u64,
    /// Its queue.
    pub queue: MemberId,
    /// Its priority.
    pub priority: i64,
    /// What it uses or asks.
    pub amounts: Amounts,
    /// When it was queued.
    pub queued: Timestamp,
    /// When it was admitted; of what asks, without meaning.
    pub admitted: Timestamp,
}

/// One to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Which.
    pub id: u64,
    /// Why it may be.
    pub why: Why,
}

/// Why a workload may be stopped for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its own queue has something more important.
    InQueue,
    /// Its queue borrows what the owner wants back.
    Reclaimed,
    /// Its queue borrows, and a more important one wants to.
    ReclaimedWhileBorrowing,
    /// Its queue borrows more than the one that asks would.
    FairShare,
}

impl Why {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Why::InQueue => "its queue has a job of higher priority",
            Why::Reclaimed => "the owner of the quota it borrows wants it back",
            Why::ReclaimedWhileBorrowing => {
                "a job of higher priority wants to borrow the quota it borrows"
            }
            Why::FairShare => "its queue borrows more than its fair share",
        }
    }
}

/// How queues are measured against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// By priority only.
    #[default]
    Priority,
    /// By dominant resource shares.
    Fair,
}

/// Whom to stop so that `incoming` fits; empty if it fits already or nothing allowed helps.
#[must_use]
pub fn targets(
    quotas: &Quotas,
    rules: &Rules,
    sharing: Sharing,
    incoming: &Workload,
    admitted: &[Workload],
) -> Vec<Target> {
    let needed = lacking(quotas, incoming);
    if needed.is_empty() || matches!(quotas.check(incoming.queue, &incoming.amounts), Fit::Never(_))
    {
        return Vec::new();
    }
    let mut search = Search { quotas: quotas.clone(), rules, incoming, needed };
    let mut candidates: Vec<&Workload> =
        admitted.iter().filter(|workload| search.may_take(workload)).collect();
    candidates.sort_by_key(|candidate| {
        let own = candidate.queue == incoming.queue;
        (own, candidate.priority, Reverse(candidate.admitted), candidate.id)
    });
    search.decide(sharing, &candidates)
}

/// Whether `candidate` may be stopped for `incoming` at all, as things stand: it holds something
/// that is lacking, and the rules permit it.
#[must_use]
pub fn may_stop(quotas: &Quotas, rules: &Rules, incoming: &Workload, candidate: &Workload) -> bool {
    let lacking = lacking(quotas, incoming);
    let search = Search { quotas: quotas.clone(), rules, incoming, needed: lacking };
    search.may_take(candidate)
}

/// The cells of which a request finds too little free.
fn lacking(quotas: &Quotas, incoming: &Workload) -> BTreeSet<Cell> {
    let lacking = |(&cell, &asked): (&Cell, &i64)| {
        matches!(quotas.check_cell(incoming.queue, cell, asked), Fit::Full(_)).then_some(cell)
    };
    incoming.amounts.iter().filter_map(lacking).collect()
}

struct Search<'a> {
    quotas: Quotas,
    rules: &'a Rules,
    incoming: &'a Workload,
    /// Cells of which not enough is free.
    needed: BTreeSet<Cell>,
}

/// Up to where a request may go while it is tried.
#[derive(Clone, Copy)]
enum Within {
    /// What the cohorts lend.
    Cohorts,
    /// The quota of this member: its own queue, or a cohort above it.
    Member(MemberId),
}

impl Search<'_> {
    fn may_take(&self, candidate: &Workload) -> bool {
        let incoming = self.incoming;
        if !self.needed.iter().any(|cell| candidate.amounts.get(cell).is_some_and(|n| *n > 0)) {
            return false;
        }
        if candidate.queue == incoming.queue {
            return match self.rules.within_queue {
                WithinQueue::Never => false,
                WithinQueue::LowerPriority => candidate.priority < incoming.priority,
                WithinQueue::LowerOrNewerEqual => {
                    (candidate.priority, Reverse(candidate.queued))
                        < (incoming.priority, Reverse(incoming.queued))
                }
            };
        }
        let allowed = match self.rules.reclaim {
            Reclaim::Never => false,
            Reclaim::LowerPriority => candidate.priority < incoming.priority,
            Reclaim::Any => true,
        };
        allowed && self.borrows(candidate.queue)
    }

    /// Whether a queue, and every cohort above it up to the one it shares with the request's
    /// queue, uses more than its own of something needed.
    fn borrows(&self, queue: MemberId) -> bool {
        let Some(branch) = self.branch(queue) else { return false };
        let over =
            |id: MemberId| self.needed.iter().any(|cell| self.quotas.is_borrowing(id, *cell, 0));
        branch.into_iter().all(over)
    }

    /// A queue and the cohorts above it, below the first that it shares with the request's queue;
    /// `None` if they share none.
    fn branch(&self, queue: MemberId) -> Option<Vec<MemberId>> {
        let home: BTreeSet<MemberId> = self.quotas.path(self.incoming.queue).collect();
        let mut branch = Vec::new();
        for id in self.quotas.path(queue) {
            if home.contains(&id) {
                return Some(branch);
            }
            branch.push(id);
        }
        None
    }

    fn decide(&mut self, sharing: Sharing, candidates: &[&Workload]) -> Vec<Target> {
        let queue = self.incoming.queue;
        let own: Vec<&Workload> =
            candidates.iter().copied().filter(|one| one.queue == queue).collect();
        if own.len() == candidates.len() {
            return self.fewest(candidates, Within::Cohorts, None);
        }
        let threshold = self.threshold();
        if sharing == Sharing::Fair {
            return self.fairest(candidates, threshold);
        }
        let under = |search: &Search<'_>, id: MemberId| {
            search.needed.iter().all(|cell| {
                let account = search.quotas.account(id, *cell);
                account.usage < account.subtree
            })
        };
        if let Some(below) = threshold {
            let allowed: Vec<&Workload> = match under(self, queue) {
                true => candidates.to_vec(),
                false => {
                    let may = |one: &&&Workload| one.queue == queue || one.priority < below;
                    candidates.iter().filter(may).copied().collect()
                }
            };
            let found = self.fewest(&allowed, Within::Cohorts, Some(below));
            if !found.is_empty() {
                return found;
            }
        }
        // Within its own quota, then within that of the cohorts above it, from those outside.
        let mut homes: Vec<MemberId> = self.quotas.path(queue).collect();
        homes.pop();
        for home in homes {
            if (home == queue && threshold.is_some()) || !under(self, home) {
                continue;
            }
            let inside = |id: MemberId| self.quotas.path(id).any(|above| above == home);
            let may = |one: &&&Workload| one.queue == queue || !inside(one.queue);
            let allowed: Vec<&Workload> = candidates.iter().filter(may).copied().collect();
            let found = self.fewest(&allowed, Within::Member(home), None);
            if !found.is_empty() {
                return found;
            }
        }
        self.fewest(&own, Within::Cohorts, None)
    }

    /// Below which priority others may be stopped while the request borrows.
    fn threshold(&self) -> Option<i64> {
        match self.rules.borrow {
            Borrow::Never => None,
            Borrow::LowerPriority { at_most: None } => Some(self.incoming.priority),
            Borrow::LowerPriority { at_most: Some(most) } => {
                Some(self.incoming.priority.min(most.saturating_add(1)))
            }
        }
    }

    fn fits(&self, within: Within) -> bool {
        let queue = self.incoming.queue;
        self.incoming.amounts.iter().all(|(&cell, &asked)| {
            let stays = match within {
                Within::Cohorts => true,
                Within::Member(home) => self.is_within(home, cell, asked),
            };
            stays && asked <= self.quotas.available(queue, cell)
        })
    }

    /// Whether what a request asks of a cell stays within the quota of a member above its queue.
    fn is_within(&self, home: MemberId, cell: Cell, asked: i64) -> bool {
        let mut left = asked;
        for id in self.quotas.path(self.incoming.queue) {
            let account = self.quotas.account(id, cell);
            if id == home {
                return account.usage + left <= account.subtree;
            }
            left = (left - account.local()).max(0);
        }
        false
    }

    /// Stops candidates in order until the request fits, then gives back those not needed. With
    /// `below`, a candidate of another queue that is not below it ends the leave to borrow.
    fn fewest(
        &mut self,
        candidates: &[&Workload],
        mut within: Within,
        below: Option<i64>,
    ) -> Vec<Target> {
        let queue = self.incoming.queue;
        let mut taken: Vec<(&Workload, Why)> = Vec::new();
        let mut found = false;
        for &candidate in candidates {
            let why = if candidate.queue == queue {
                Why::InQueue
            } else if !self.borrows(candidate.queue) {
                continue;
            } else if let Some(below) = below {
                match candidate.priority < below {
                    true => Why::ReclaimedWhileBorrowing,
                    false => {
                        within = Within::Member(queue);
                        Why::Reclaimed
                    }
                }
            } else {
                Why::Reclaimed
            };
            self.quotas.remove(candidate.queue, &candidate.amounts);
            taken.push((candidate, why));
            found = self.fits(within);
            if found {
                break;
            }
        }
        self.settle(taken, within, found)
    }

    /// Gives back what is not needed and restores the quotas.
    fn settle(&mut self, taken: Vec<(&Workload, Why)>, within: Within, found: bool) -> Vec<Target> {
        let mut kept = Vec::new();
        for (place, (candidate, why)) in taken.iter().enumerate().rev() {
            self.quotas.add(candidate.queue, &candidate.amounts);
            if !found {
                continue;
            }
            // The last one made it fit, so it is needed.
            if place + 1 == taken.len() || !self.fits(within) {
                self.quotas.remove(candidate.queue, &candidate.amounts);
                kept.push((*candidate, *why));
            }
        }
        for (candidate, _) in &kept {
            self.quotas.add(candidate.queue, &candidate.amounts);
        }
        kept.iter().rev().map(|(candidate, why)| Target { id: candidate.id, why: *why }).collect()
    }

    /// Takes from the queue with the largest share as long as it keeps at least as much as the
    /// request's queue will have (S2-a), then from those that have more than it will (S2-b).
    fn fairest(&mut self, candidates: &[&Workload], below: Option<i64>) -> Vec<Target> {
        let own = self.incoming.queue;
        let mut left: Vec<&Workload> = candidates.to_vec();
        let mut retry: Vec<&Workload> = Vec::new();
        let mut taken: Vec<(&Workload, Why)> = Vec::new();
        let mut found = false;
        while let Some(queue) = self.largest(&left).filter(|_| !found) {
            let place = left.iter().position(|one| one.queue == queue).expect("it has candidates");
            let candidate = left.remove(place);
            let before = self.share(queue, &Amounts::new());
            let asked = self.incoming.amounts.clone();
            let new_share = self.share(own, &asked);
            self.quotas.remove(queue, &candidate.amounts);
            let after = self.share(queue, &Amounts::new());
            let lower = below.is_some_and(|below| candidate.priority < below);
            let why = match queue == own {
                true => Some(Why::InQueue),
                false if new_share <= after => Some(Why::FairShare),
                false if lower => Some(Why::ReclaimedWhileBorrowing),
                false => None,
            };
            let Some(why) = why else {
                self.quotas.add(queue, &candidate.amounts);
                debug_assert!(before >= after, "giving something up lowers a share");
                retry.push(candidate);
                continue;
            };
            taken.push((candidate, why));
            found = self.fits(Within::Cohorts);
            if !self.borrows(queue) && queue != own {
                left.retain(|one| one.queue != queue);
            }
        }
        let mut tried = BTreeSet::new();
        while let Some(queue) = self.largest(&retry).filter(|_| !found) {
            let place = retry.iter().position(|one| one.queue == queue).expect("it has some");
            let candidate = retry.remove(place);
            let asked = self.incoming.amounts.clone();
            if tried.insert(queue) && self.share(own, &asked) < self.share(queue, &Amounts::new()) {
                self.quotas.remove(queue, &candidate.amounts);
                taken.push((candidate, Why::FairShare));
                found = self.fits(Within::Cohorts);
            }
        }
        self.settle(taken, Within::Cohorts, found)
    }

    /// The queue of the candidates with the largest share.
    fn largest(&self, candidates: &[&Workload]) -> Option<MemberId> {
        let queues: BTreeSet<MemberId> = candidates.iter().map(|one| one.queue).collect();
        let nothing = Amounts::new();
        queues.into_iter().rev().max_by_key(|queue| self.share(*queue, &nothing))
    }

    /// The share that counts between a queue and the request's queue: that of the member below
    /// the cohort they share.
    fn share(&self, queue: MemberId, more: &Amounts) -> u64 {
        let member = match queue == self.incoming.queue {
            true => queue,
            false => self.branch(queue).and_then(|branch| branch.last().copied()).unwrap_or(queue),
        };
        self.quotas.dominant_share(member, more).value
    }
}
