//! Hierarchical quotas with borrowing and lending, by Kueue's rules.
//!
//! Source: Kueue's concepts (`ClusterQueue`, `Cohort`, "Fair Sharing", "Preemption") and its
//! enhancement proposals 79 (hierarchical cohorts) and 1714 (fair sharing). A *queue* has a
//! nominal quota of each resource of each flavor. Queues of one *cohort* lend each other what
//! they do not use: a queue may use more than its nominal quota by at most its *borrowing limit*,
//! and lends at most its *lending limit* (the rest is guaranteed to it). Cohorts may have quotas
//! and limits of their own and lie in other cohorts.
//!
//! * [`Quotas`] keeps quotas and use; [`Quotas::check`] says whether a request fits, with or
//!   without borrowing, or what it lacks.
//! * [`Quotas::dominant_share`] is the measure of fair sharing: who borrows least goes first.
//! * [`preemption`] chooses whose use is taken back.
//! * [`policy`] is the tree as an operator declares it, by names; [`book`] is the two together.
//!
//! Complexity, with `d` levels, `a` cells (pairs of flavor and resource) of a request and `n`
//! queues and cohorts: `check`, `add` and `remove` O(a d log a); setting a quota O(n log a).

use crate::order::drf;
use crate::order::ratio::Ratio;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub mod book;
pub mod policy;
pub mod preemption;
#[cfg(test)]
mod tests;

/// One resource of one flavor; the caller knows their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// The flavor.
    pub flavor: u16,
    /// The resource.
    pub resource: u16,
}

/// How much of each cell.
pub type Amounts = BTreeMap<Cell, i64>;

/// A queue or a cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberId(pub u32);

/// What a queue or cohort has of one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Its own.
    pub nominal: i64,
    /// Most it may use beyond that; `None` means all there is.
    pub borrowing_limit: Option<i64>,
    /// Most of its own it lends; `None` means all.
    pub lending_limit: Option<i64>,
}

/// Thousandths of a weight of one.
pub const WEIGHT_ONE: u32 = 1_000;

/// Queues and cohorts with their quotas and what is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Parents come before their children, so there can be no circle.
    members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    parent: Option<MemberId>,
    weight_milli: u32,
    cells: BTreeMap<Cell, Account>,
}

/// One cell of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    quota: Quota,
    /// Its own and what its children lend it.
    subtree: i64,
    /// Of a queue what it uses; of a cohort what its children use beyond what is guaranteed them.
    usage: i64,
}

impl Account {
    /// What is never lent.
    fn guaranteed(&self) -> i64 {
        self.quota.lending_limit.map_or(0, |limit| (self.subtree - limit).max(0))
    }

    /// What of the guaranteed is not used.
    fn local(&self) -> i64 {
        (self.guaranteed() - self.usage).max(0)
    }
}

/// Whether a request fits. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Within the queue's nominal quota.
    Nominal,
    /// With what others lend.
    Borrowing,
    /// Not now: too much is in use.
    Full(Shortage),
    /// Never: it is more than the queue could have if nothing were used.
    Never(Shortage),
}

/// What a request lacks of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shortage {
    /// Of what.
    pub cell: Cell,
    /// Asked.
    pub asked: i64,
    /// Free for the queue now, or the most it could have.
    pub there: i64,
    /// What bounds it.
    pub bound: Bound,
    /// Whose quota, limit or rest that is: the queue itself or a cohort above it.
    pub member: MemberId,
}

/// What bounds the amount a queue may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Its nominal quota: it is in no cohort, or has no quota of this at all.
    Nominal,
    /// Its borrowing limit, or that of a cohort above it.
    BorrowingLimit,
    /// What the cohort has left.
    Cohort,
}

impl Quotas {
    /// Adds a queue or a cohort, in a cohort or on its own, with its weight in fair sharing in
    /// thousandths.
    ///
    /// # Panics
    /// If `parent` is not known.
    pub fn add_member(&mut self, parent: Option<MemberId>, weight_milli: u32) -> MemberId {
        let id = MemberId(u32::try_from(self.members.len()).expect("fewer than 2^32 members"));
        assert!(parent.is_none_or(|parent| parent < id), "a parent is added before its children");
        self.members.push(Member { parent, weight_milli, cells: BTreeMap::new() });
        id
    }

    /// Sets the quota of one cell. What is in use stays in use.
    pub fn set_quota(&mut self, id: MemberId, cell: Cell, quota: Quota) {
        self.members[id.0 as usize].cells.entry(cell).or_default().quota = quota;
        self.recount(cell);
    }

    /// Sets many quotas of one cell at once: O(n log a), however many.
    pub fn set_quotas(&mut self, cell: Cell, quotas: impl IntoIterator<Item = (MemberId, Quota)>) {
        for (id, quota) in quotas {
            self.members[id.0 as usize].cells.entry(cell).or_default().quota = quota;
        }
        self.recount(cell);
    }

    /// Adds up one cell from the leaves.
    fn recount(&mut self, cell: Cell) {
        let mut has_children = vec![false; self.members.len()];
        for parent in self.members.iter().filter_map(|member| member.parent) {
            has_children[parent.0 as usize] = true;
        }
        for (member, is_cohort) in self.members.iter_mut().zip(has_children) {
            if let Some(account) = member.cells.get_mut(&cell) {
                account.subtree = account.quota.nominal;
                if is_cohort {
                    account.usage = 0;
                }
            }
        }
        for index in (0..self.members.len()).rev() {
            let (Some(parent), Some(account)) =
                (self.members[index].parent, self.members[index].cells.get(&cell).copied())
            else {
                continue;
            };
            let above = self.members[parent.0 as usize].cells.entry(cell).or_default();
            above.subtree += account.subtree - account.guaranteed();
            above.usage += (account.usage - account.guaranteed()).max(0);
        }
    }

    fn account(&self, id: MemberId, cell: Cell) -> Account {
        self.members[id.0 as usize].cells.get(&cell).copied().unwrap_or_default()
    }

    fn parent(&self, id: MemberId) -> Option<MemberId> {
        self.members[id.0 as usize].parent
    }

    /// Number of queues and cohorts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A member and the cohorts above it, from itself upward.
    pub(crate) fn path(&self, id: MemberId) -> impl Iterator<Item = MemberId> + '_ {
        std::iter::successors(Some(id), |id| self.parent(*id))
    }

    /// What a queue uses of a cell.
    #[must_use]
    pub fn usage(&self, id: MemberId, cell: Cell) -> i64 {
        self.account(id, cell).usage
    }

    /// The quota of a cell.
    #[must_use]
    pub fn quota(&self, id: MemberId, cell: Cell) -> Quota {
        self.account(id, cell).quota
    }

    /// What a queue uses, by cell.
    pub fn usages(&self, id: MemberId) -> impl Iterator<Item = (Cell, i64)> + '_ {
        self.members[id.0 as usize].cells.iter().map(|(cell, account)| (*cell, account.usage))
    }

    /// How a member stands, by cell.
    pub fn standings(&self, id: MemberId) -> impl Iterator<Item = (Cell, Standing)> + '_ {
        let member = &self.members[id.0 as usize];
        member.cells.iter().map(|(cell, account)| {
            let beyond = (account.usage - account.guaranteed()).max(0);
            let lendable = account.subtree - account.guaranteed() - beyond;
            let standing = Standing {
                subtree: account.subtree,
                borrowed: member.parent.map_or(0, |_| (account.usage - account.subtree).max(0)),
                lendable: member.parent.map_or(0, |_| lendable.max(0)),
            };
            (*cell, standing)
        })
    }

    /// Counts amounts as used by a queue.
    pub fn add(&mut self, queue: MemberId, amounts: &Amounts) {
        for (&cell, &amount) in amounts {
            let (mut at, mut more) = (Some(queue), amount);
            while let Some(id) = at.filter(|_| more > 0) {
                let member = &mut self.members[id.0 as usize];
                let account = member.cells.entry(cell).or_default();
                let local = account.local();
                account.usage += more;
                more -= local;
                at = member.parent;
            }
        }
    }

    /// Counts amounts as no longer used by a queue.
    pub fn remove(&mut self, queue: MemberId, amounts: &Amounts) {
        for (&cell, &amount) in amounts {
            let (mut at, mut less) = (Some(queue), amount);
            while let Some(id) = at.filter(|_| less > 0) {
                let member = &mut self.members[id.0 as usize];
                let account = member.cells.entry(cell).or_default();
                let above = account.usage - account.guaranteed();
                account.usage -= less;
                less = less.min(above);
                at = member.parent;
            }
        }
    }

    /// What a queue could still use of a cell. Below zero where more is used than there is, for
    /// example after a quota was lowered.
    #[must_use]
    pub fn available(&self, id: MemberId, cell: Cell) -> i64 {
        self.available_and_bound(id, cell).0
    }

    fn available_and_bound(&self, id: MemberId, cell: Cell) -> (i64, Bound, MemberId) {
        let account = self.account(id, cell);
        let Some(parent) = self.parent(id) else {
            return (account.subtree - account.usage, Bound::Nominal, id);
        };
        let (above, bound, by) = self.available_and_bound(parent, cell);
        let bound = if bound == Bound::Nominal { Bound::Cohort } else { bound };
        let guaranteed = account.guaranteed();
        let limited = account.quota.borrowing_limit.map(|limit| {
            let stored = account.subtree - guaranteed;
            stored - (account.usage - guaranteed).max(0) + limit
        });
        match limited.filter(|limited| *limited < above) {
            Some(limited) => (account.local() + limited, Bound::BorrowingLimit, id),
            None => (account.local() + above, bound, by),
        }
    }

    /// What a queue could use of a cell if nothing were used.
    #[must_use]
    pub fn potential(&self, id: MemberId, cell: Cell) -> i64 {
        self.potential_and_bound(id, cell).0
    }

    fn potential_and_bound(&self, id: MemberId, cell: Cell) -> (i64, Bound, MemberId) {
        let account = self.account(id, cell);
        let Some(parent) = self.parent(id) else { return (account.subtree, Bound::Nominal, id) };
        let (above, bound, by) = self.potential_and_bound(parent, cell);
        let bound = if bound == Bound::Nominal { Bound::Cohort } else { bound };
        let most = account.guaranteed() + above;
        let limited = account.quota.borrowing_limit.map(|limit| account.subtree + limit);
        match limited.filter(|limited| *limited < most) {
            Some(limited) => (limited, Bound::BorrowingLimit, id),
            None => (most, bound, by),
        }
    }

    /// Whether a queue uses more than its own of a cell, once it used `more`.
    fn is_borrowing(&self, id: MemberId, cell: Cell, more: i64) -> bool {
        let account = self.account(id, cell);
        self.parent(id).is_some() && account.usage + more > account.subtree
    }

    /// Whether a request fits, and how: the worst of its cells.
    #[must_use]
    pub fn check(&self, queue: MemberId, request: &Amounts) -> Fit {
        let cells = request.iter().map(|(&cell, &asked)| self.check_cell(queue, cell, asked));
        cells.max().unwrap_or(Fit::Nominal)
    }

    fn check_cell(&self, queue: MemberId, cell: Cell, asked: i64) -> Fit {
        let (most, bound, member) = self.potential_and_bound(queue, cell);
        if asked > most {
            return Fit::Never(Shortage { cell, asked, there: most, bound, member });
        }
        let (there, bound, member) = self.available_and_bound(queue, cell);
        if asked > there {
            return Fit::Full(Shortage { cell, asked, there, bound, member });
        }
        match self.is_borrowing(queue, cell, asked) {
            true => Fit::Borrowing,
            false => Fit::Nominal,
        }
    }

    /// The share of fair sharing, once `more` were used: over all resources, the largest part of
    /// what the cohort could have that the member uses beyond its own, in thousandths, divided by
    /// its weight; with that resource. Nothing for a member in no cohort or within its quota; the
    /// largest number for one without weight.
    #[must_use]
    pub fn dominant_share(&self, id: MemberId, more: &Amounts) -> Share {
        let Some(parent) = self.parent(id) else { return Share::NONE };
        let member = &self.members[id.0 as usize];
        if member.weight_milli == 0 {
            return Share { value: u64::MAX, resource: None };
        }
        let mut borrowed: BTreeMap<u16, i64> = BTreeMap::new();
        for (cell, account) in &member.cells {
            let more = more.get(cell).copied().unwrap_or(0);
            let above = account.usage + more - account.subtree;
            if above > 0 {
                *borrowed.entry(cell.resource).or_default() += above;
            }
        }
        let mut best = Share::NONE;
        for (&resource, &amount) in &borrowed {
            let cells = self.members[parent.0 as usize].cells.keys();
            let lendable: i64 = cells
                .filter(|cell| cell.resource == resource)
                .map(|cell| self.potential(parent, *cell))
                .sum();
            if lendable <= 0 {
                continue;
            }
            let part = i128::from(amount) * 1_000 / i128::from(lendable);
            let value = part * 1_000 / i128::from(member.weight_milli);
            let value = u64::try_from(value).unwrap_or(u64::MAX);
            if best.resource.is_none() || value > best.value {
                best = Share { value, resource: Some(resource) };
            }
        }
        best
    }

    /// The members from the outermost cohort down to a queue.
    #[must_use]
    pub fn path_down(&self, queue: MemberId) -> Vec<MemberId> {
        let mut path: Vec<MemberId> = self.path(queue).collect();
        path.reverse();
        path
    }

    /// The dominant share ([`drf::dominant_share`]) of what a member borrows, of all that its
    /// cohort could have; nothing for a member in no cohort. The exact form of
    /// [`Quotas::dominant_share`], for ordering. O(cells * levels).
    #[must_use]
    pub fn borrowed_share(&self, id: MemberId) -> Ratio {
        let Some(parent) = self.parent(id) else { return Ratio::ZERO };
        let mut of_resource: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        let member = &self.members[id.0 as usize];
        for (cell, account) in &member.cells {
            let (borrowed, there) = of_resource.entry(cell.resource).or_default();
            *borrowed += u64::try_from(account.usage - account.subtree).unwrap_or(0);
            *there += u64::try_from(self.potential(parent, *cell)).unwrap_or(0);
        }
        let (borrowed, there): (Vec<u64>, Vec<u64>) = of_resource.into_values().unzip();
        drf::dominant_share(&borrowed, &vec![member.weight_milli; borrowed.len()], &there)
    }

    /// Adds everything up anew.
    ///
    /// # Panics
    /// With the broken invariant in words.
    pub fn check_sums(&self) {
        let mut fresh = self.clone();
        let all = self.members.iter().flat_map(|member| member.cells.keys().copied());
        for cell in all.collect::<std::collections::BTreeSet<Cell>>() {
            fresh.recount(cell);
        }
        assert_eq!(fresh, *self, "cohorts hold what their members use and lend");
    }
}

/// How a member stands in one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its own and what its children lend it.
    pub subtree: i64,
    /// What is used beyond that.
    pub borrowed: i64,
    /// What of it others could still use.
    pub lendable: i64,
}

/// How much a member borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Thousandths of what could be lent, by weight.
    pub value: u64,
    /// Of which resource.
    pub resource: Option<u16>,
}

impl Share {
    /// Nothing is borrowed.
    pub const NONE: Share = Share { value: 0, resource: None };
}
