//! Slurm's Fair Tree: users ranked by what their accounts were promised and have used.
//!
//! Source: Slurm's manual "Fair Tree Fairshare Algorithm" (`fair_tree.html`; Cox and Morrison,
//! Brigham Young University, Slurm User Group 2014). Each association has a *level fair share*
//! among its siblings, `LF = S / U`: `S` its part of the shares of itself and its siblings, `U`
//! its part of their usage. Siblings are sorted by it, highest first, and the tree is walked
//! depth first; users are ranked in the order they are met. The fair-share factor is the rank over
//! the number of users, so that the first has 1. Ties, as the manual has them:
//!
//! * sibling users with equal level fair share have the same rank,
//! * a user and a sibling account with equal level fair share: the user has the same rank as the
//!   account's highest user,
//! * sibling accounts with equal level fair share have their children merged before descending.
//!
//! So if an account's level fair share beats its sibling's, every user under it beats every user
//! under the sibling. Level fair shares are compared exactly, as fractions.
//!
//! Complexity with `n` associations: O(n log n) for a ranking, O(n) memory; no recursion.

use crate::order::multifactor::Factor;
use crate::order::ratio::Ratio;
use std::cmp::Ordering;

#[cfg(test)]
mod tests;

/// An association's place in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssociationId(pub u32);

/// What an association was promised, among its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shares {
    /// So many of all that its siblings and it have. Nothing means: after everyone else.
    Own(u32),
    /// Those of its parent (Slurm's `fairshare=parent`): a user ranks first in its account, an
    /// account's children count as its parent's.
    Parent,
}

/// Accounts and users, each below an account or at the top.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    associations: Vec<Association>,
    users: u32,
}

#[derive(Clone, Debug)]
struct Association {
    /// The nearest account above that has shares of its own; `None` at the top.
    parent: Option<u32>,
    shares: Shares,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With what it has used, decayed.
    User {
        usage: u64,
    },
    Account,
}

impl Tree {
    /// Adds an account below `parent`, or at the top.
    ///
    /// # Panics
    /// If `parent` is no account of this tree.
    pub fn add_account(&mut self, parent: Option<AssociationId>, shares: Shares) -> AssociationId {
        self.add(parent, shares, Kind::Account)
    }

    /// Adds a user below `parent`, or at the top, with its usage decayed to one common time. The
    /// unit is the caller's; only proportions count.
    ///
    /// # Panics
    /// If `parent` is no account of this tree.
    pub fn add_user(
        &mut self,
        parent: Option<AssociationId>,
        shares: Shares,
        usage: u64,
    ) -> AssociationId {
        self.users += 1;
        self.add(parent, shares, Kind::User { usage })
    }

    fn add(&mut self, parent: Option<AssociationId>, shares: Shares, kind: Kind) -> AssociationId {
        let parent = parent.and_then(|id| {
            let above = &self.associations[id.0 as usize];
            assert_eq!(above.kind, Kind::Account, "only accounts have children");
            match above.shares {
                Shares::Own(_) => Some(id.0),
                Shares::Parent => above.parent,
            }
        });
        let id = u32::try_from(self.associations.len()).expect("fewer than 2^32 associations");
        self.associations.push(Association { parent, shares, kind });
        AssociationId(id)
    }

    /// Ranks all users.
    #[must_use]
    pub fn rank(&self) -> Ranking {
        let mut sums = self.sums();
        let mut ranking = Ranking {
            ranks: vec![0; self.associations.len()],
            levels: self.levels(&sums),
            users: self.users,
        };
        let mut next_rank = self.users;
        let mut rank = self.users;
        let mut tied = false;
        let mut stack = vec![self.sorted(std::mem::take(&mut sums.top), &ranking.levels)];
        while let Some(level) = stack.last_mut() {
            let Some(index) = level.siblings.get(level.next).copied() else {
                stack.pop();
                continue;
            };
            let own = ranking.levels[index as usize];
            // The first of an account goes on with the tie of its account.
            tied = match level.next {
                0 => tied,
                _ => level.before == own,
            };
            level.before = own;
            level.next += 1;
            if let Kind::User { .. } = self.associations[index as usize].kind {
                if !tied {
                    rank = next_rank;
                }
                ranking.ranks[index as usize] = rank;
                next_rank -= 1;
                continue;
            }
            let mut children = std::mem::take(&mut sums.children[index as usize]);
            while let Some(&twin) = level.siblings.get(level.next)
                && ranking.levels[twin as usize] == own
            {
                children.append(&mut sums.children[twin as usize]);
                level.next += 1;
            }
            stack.push(self.sorted(children, &ranking.levels));
        }
        ranking
    }

    /// Siblings in descending order of level fair share; users before accounts, so that a tie of
    /// the two is met from the user's side.
    fn sorted(&self, mut siblings: Vec<u32>, levels: &[Ratio]) -> Level {
        let of = |index: &u32| &self.associations[*index as usize];
        siblings.sort_by(|one, other| {
            let account = |index: &u32| of(index).kind == Kind::Account;
            let (mine, theirs) = (&levels[*one as usize], &levels[*other as usize]);
            theirs
                .cmp(mine)
                .then_with(|| account(one).cmp(&account(other)))
                .then_with(|| one.cmp(other))
        });
        Level { siblings, next: 0, before: Ratio::ZERO }
    }

    /// Shares and usage of each level, and the children of each account. Parents come before
    /// their children, so one pass from the end adds up. Accounts without users are left out.
    fn sums(&self) -> Sums {
        let count = self.associations.len();
        let mut sums = Sums {
            usage: vec![0; count],
            children: vec![Vec::new(); count],
            level: vec![Totals::default(); count],
            top: Vec::new(),
            top_level: Totals::default(),
        };
        for index in (0..count).rev() {
            let about = &self.associations[index];
            match about.kind {
                Kind::User { usage } => sums.usage[index] = usage.into(),
                // An account with its parent's shares has passed its children on.
                Kind::Account if sums.children[index].is_empty() => continue,
                Kind::Account => {}
            }
            let usage = sums.usage[index];
            let (siblings, level) = match about.parent {
                None => (&mut sums.top, &mut sums.top_level),
                Some(parent) => {
                    sums.usage[parent as usize] += usage;
                    (&mut sums.children[parent as usize], &mut sums.level[parent as usize])
                }
            };
            siblings.push(index as u32);
            level.usage += usage;
            if let Shares::Own(shares) = about.shares {
                level.shares += u64::from(shares);
            }
        }
        sums
    }

    /// The level fair share of each association.
    fn levels(&self, sums: &Sums) -> Vec<Ratio> {
        let level = |(index, about): (usize, &Association)| {
            let totals = match about.parent {
                None => sums.top_level,
                Some(parent) => sums.level[parent as usize],
            };
            let Shares::Own(shares) = about.shares else { return Ratio::INFINITE };
            // Nothing promised comes last, even if nothing was used.
            if shares == 0 {
                return Ratio::ZERO;
            }
            let usage = sums.usage[index];
            match usage {
                0 => Ratio::INFINITE,
                _ => {
                    Ratio::new(u128::from(shares) * totals.usage, u128::from(totals.shares) * usage)
                }
            }
        };
        self.associations.iter().enumerate().map(level).collect()
    }
}

/// One level of the walk.
struct Level {
    siblings: Vec<u32>,
    next: usize,
    /// Level fair share of the sibling before.
    before: Ratio,
}

/// What siblings have together.
#[derive(Clone, Copy, Default)]
struct Totals {
    shares: u64,
    usage: u128,
}

struct Sums {
    usage: Vec<u128>,
    children: Vec<Vec<u32>>,
    level: Vec<Totals>,
    top: Vec<u32>,
    top_level: Totals,
}

/// Where each user stands.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// 0 for accounts.
    ranks: Vec<u32>,
    levels: Vec<Ratio>,
    users: u32,
}

impl Ranking {
    /// Number of users; the rank of the first is that number.
    #[must_use]
    pub fn users(&self) -> u32 {
        self.users
    }

    /// A user's rank: the larger, the sooner. 0 for an account.
    #[must_use]
    pub fn rank(&self, user: AssociationId) -> u32 {
        self.ranks[user.0 as usize]
    }

    /// A user's fair-share factor, rank over number of users; 0 for an account.
    #[must_use]
    pub fn factor(&self, user: AssociationId) -> Factor {
        Factor::of(self.rank(user).into(), self.users.into())
    }

    /// An association's level fair share (`Level FS` of `sshare -l`): above 1 it was served less
    /// than promised. Without meaning for an account with its parent's shares.
    #[must_use]
    pub fn level_fair_share(&self, association: AssociationId) -> Ratio {
        self.levels[association.0 as usize]
    }

    /// Who comes first of two users; the higher rank does.
    #[must_use]
    pub fn compare(&self, one: AssociationId, other: AssociationId) -> Ordering {
        self.rank(other).cmp(&self.rank(one))
    }
}
