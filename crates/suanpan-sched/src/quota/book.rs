//! Quotas by name, with what is used of them: the declared tree and its arithmetic together.

use super::policy::{FlavorQuota, OTHERS, QuotaPolicy, Resource};
use super::preemption::Rules;
use super::{Amounts, Bound, Cell, MemberId, Quota, Quotas, Shortage, WEIGHT_ONE};
use crate::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

#[cfg(test)]
mod tests;

/// A tree of quotas and what its projects use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    policy: Arc<QuotaPolicy>,
    /// Flavors of which something is limited, sorted; a cell's flavor is a place in it.
    flavors: Vec<String>,
    /// What is limited of each of them.
    limited: Vec<Vec<Resource>>,
    projects: BTreeMap<String, MemberId>,
    others: MemberId,
    members: Vec<About>,
    /// The arithmetic.
    pub quotas: Quotas,
}

/// A member in words, and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
struct About {
    kind: MemberKind,
    name: String,
    parent: Option<String>,
    rules: Rules,
}

/// What a member of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// A group that lends and borrows.
    Cohort,
    /// One whose jobs use.
    Project,
}

/// What an allocation holds of a quota, and what decides whether it is stopped for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub queue: MemberId,
    /// How much; only what is limited.
    pub amounts: Amounts,
    /// Its job's priority.
    pub priority: i64,
    /// When its job was submitted.
    pub queued: Timestamp,
    /// When it was placed.
    pub admitted: Timestamp,
}

/// One quota of one member, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether a cohort or a project.
    pub kind: MemberKind,
    /// Its name.
    pub name: String,
    /// The cohort it lies in.
    pub parent: Option<String>,
    /// The flavor.
    pub flavor: String,
    /// The resource.
    pub resource: Resource,
    /// What was set.
    pub quota: Quota,
    /// What it, or the projects below it, use.
    pub used: i64,
    /// What of that is more than its own and what is lent to it from below.
    pub borrowed: i64,
    /// What of its own (and of those below it) others could still use.
    pub lendable: i64,
    /// What it could still use.
    pub available: i64,
}

impl Book {
    /// A tree without use. `policy` was checked. O(members * cells).
    #[must_use]
    pub fn new(policy: Arc<QuotaPolicy>) -> Book {
        let mut book = Book {
            flavors: Vec::new(),
            limited: Vec::new(),
            projects: BTreeMap::new(),
            others: MemberId(0),
            members: Vec::new(),
            quotas: Quotas::default(),
            policy: Arc::clone(&policy),
        };
        let mut cohorts: BTreeMap<&str, MemberId> = BTreeMap::new();
        let mut declared: Vec<(MemberId, Option<&BTreeMap<String, FlavorQuota>>)> = Vec::new();
        // Parents first; each round adds those whose parent is there.
        while cohorts.len() < policy.cohorts.len() {
            let before = cohorts.len();
            for (name, cohort) in &policy.cohorts {
                let parent = cohort.parent.as_deref();
                let is_next = parent.is_none_or(|parent| cohorts.contains_key(parent));
                if !cohorts.contains_key(name.as_str()) && is_next {
                    let above = parent.map(|parent| cohorts[parent]);
                    let about = book.about(MemberKind::Cohort, name, parent, Rules::default());
                    let id = book.add(about, above, cohort.weight_milli);
                    cohorts.insert(name, id);
                    declared.push((id, Some(&cohort.flavors)));
                }
            }
            assert!(cohorts.len() > before, "a checked tree of cohorts has no circle");
        }
        for (name, project) in &policy.projects {
            let parent = project.cohort.as_deref();
            let above = parent.map(|parent| cohorts[parent]);
            let about = book.about(MemberKind::Project, name, parent, project.rules);
            let id = book.add(about, above, project.weight_milli);
            book.projects.insert(name.clone(), id);
            declared.push((id, Some(&project.flavors)));
        }
        book.others = match book.projects.get(OTHERS) {
            Some(id) => *id,
            None => {
                let about = book.about(MemberKind::Project, OTHERS, None, Rules::default());
                let id = book.add(about, None, WEIGHT_ONE);
                declared.push((id, None));
                id
            }
        };
        book.set_cells(&declared);
        book
    }

    fn about(&self, kind: MemberKind, name: &str, parent: Option<&str>, rules: Rules) -> About {
        About { kind, name: name.to_owned(), parent: parent.map(str::to_owned), rules }
    }

    fn add(&mut self, about: About, parent: Option<MemberId>, weight_milli: u32) -> MemberId {
        self.members.push(about);
        self.quotas.add_member(parent, weight_milli)
    }

    /// Every member gets every limited cell, so that what is counted never makes a new one.
    fn set_cells(&mut self, declared: &[(MemberId, Option<&BTreeMap<String, FlavorQuota>>)]) {
        let mut limited: BTreeMap<&str, Vec<Resource>> = BTreeMap::new();
        for (flavor, quota) in declared.iter().filter_map(|(_, flavors)| *flavors).flatten() {
            let known = limited.entry(flavor).or_default();
            known.extend(Resource::ALL.into_iter().filter(|one| quota.of(*one).is_some()));
            known.sort_unstable();
            known.dedup();
        }
        for (flavor, (name, resources)) in (0u16..).zip(limited) {
            for &resource in &resources {
                let cell = Cell { flavor, resource: resource.index() };
                let quota_of = |(id, flavors): &(MemberId, Option<&BTreeMap<_, FlavorQuota>>)| {
                    let quota = flavors.and_then(|all| all.get(name)?.of(resource));
                    // A project that does not name it has none and may not borrow; a cohort that
                    // does not only passes on.
                    let bounded = self.members[id.0 as usize].kind == MemberKind::Project;
                    let none = Quota { borrowing_limit: bounded.then_some(0), ..Quota::default() };
                    (*id, quota.unwrap_or(none))
                };
                let quotas: Vec<(MemberId, Quota)> = declared.iter().map(quota_of).collect();
                self.quotas.set_quotas(cell, quotas);
            }
            self.flavors.push(name.to_owned());
            self.limited.push(resources);
        }
    }

    /// The tree as it was declared.
    #[must_use]
    pub fn policy(&self) -> &Arc<QuotaPolicy> {
        &self.policy
    }

    /// Whose quota a project's jobs use.
    #[must_use]
    pub fn queue_of(&self, project: &str) -> MemberId {
        self.projects.get(project).copied().unwrap_or(self.others)
    }

    /// What a queue may take back.
    #[must_use]
    pub fn rules(&self, queue: MemberId) -> &Rules {
        &self.members[queue.0 as usize].rules
    }

    /// Whether any queue may take something back.
    #[must_use]
    pub fn takes_back(&self) -> bool {
        self.members.iter().any(|about| about.rules != Rules::default())
    }

    /// The number of a flavor of which something is limited. O(log flavors).
    #[must_use]
    pub fn flavor(&self, name: &str) -> Option<u16> {
        let place = self.flavors.binary_search_by(|known| known.as_str().cmp(name)).ok()?;
        Some(place as u16)
    }

    /// What `nodes` nodes with this much each use of what is limited of a flavor.
    #[must_use]
    pub fn amounts(&self, flavor: u16, per_node: &Tres, nodes: usize) -> Amounts {
        let nodes = i64::try_from(nodes).unwrap_or(i64::MAX);
        let limited = self.limited[usize::from(flavor)].iter();
        let amount = |resource: &Resource| {
            let cell = Cell { flavor, resource: resource.index() };
            (cell, resource.of(per_node).saturating_mul(nodes))
        };
        limited.map(amount).filter(|(_, amount)| *amount > 0).collect()
    }

    /// Counts what an allocation holds.
    pub fn hold(&mut self, held: &Held) {
        self.quotas.add(held.queue, &held.amounts);
    }

    /// Counts what an allocation no longer holds.
    pub fn release(&mut self, held: &Held) {
        self.quotas.remove(held.queue, &held.amounts);
    }

    /// What was asked and what is there, in words: `64 GPUs of h200`, and `16 left of the 32 of
    /// project vision, 48 short`.
    #[must_use]
    pub fn words(&self, shortage: &Shortage, reach: Reach) -> (String, String) {
        let flavor = &self.flavors[usize::from(shortage.cell.flavor)];
        let resource = Resource::ALL[usize::from(shortage.cell.resource)];
        let asked = format!("{} of {flavor}", amount(resource, shortage.asked));
        let there = shortage.there.max(0);
        let about = &self.members[shortage.member.0 as usize];
        let quota = self.quotas.quota(shortage.member, shortage.cell);
        let of = match shortage.bound {
            Bound::Nominal if about.name == OTHERS && about.parent.is_none() => {
                "the projects that have no quota of their own".to_owned()
            }
            Bound::Nominal => {
                format!("project {} ({} nominal)", about.name, bare(resource, quota.nominal))
            }
            Bound::BorrowingLimit => {
                let limit = bare(resource, quota.borrowing_limit.unwrap_or(0));
                let own = bare(resource, quota.nominal);
                let kind = match about.kind {
                    MemberKind::Cohort => "cohort",
                    MemberKind::Project => "project",
                };
                format!("{kind} {} ({own} nominal, may borrow {limit})", about.name)
            }
            Bound::Cohort => format!("cohort {}", about.name),
        };
        let left = match reach {
            Reach::Now => "left of",
            Reach::Ever => "at most, of",
        };
        let short = bare(resource, shortage.asked.saturating_sub(there));
        (asked, format!("{} {left} {of}: {short} short", bare(resource, there)))
    }

    /// Every quota there is, cohorts before what lies in them. O(members * cells * levels).
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut used: Vec<BTreeMap<Cell, i64>> = vec![BTreeMap::new(); self.members.len()];
        for (id, about) in (0u32..).map(MemberId).zip(&self.members) {
            if about.kind == MemberKind::Project {
                for (cell, usage) in self.quotas.usages(id) {
                    for above in self.quotas.path(id) {
                        *used[above.0 as usize].entry(cell).or_default() += usage;
                    }
                }
            }
        }
        let mut entries = Vec::new();
        for (id, about) in (0u32..).map(MemberId).zip(&self.members) {
            let above = self.quotas.path(id).nth(1);
            for (cell, standing) in self.quotas.standings(id) {
                let used = used[id.0 as usize].get(&cell).copied().unwrap_or(0);
                let is_silent = standing.subtree == 0 && used == 0;
                if is_silent && about.kind == MemberKind::Project {
                    continue;
                }
                entries.push(Entry {
                    kind: about.kind,
                    name: about.name.clone(),
                    parent: about.parent.clone(),
                    flavor: self.flavors[usize::from(cell.flavor)].clone(),
                    resource: Resource::ALL[usize::from(cell.resource)],
                    quota: self.quotas.quota(id, cell),
                    used,
                    borrowed: standing.borrowed,
                    lendable: above.map_or(0, |above| {
                        // What others took of the cohort may be this member's.
                        standing.lendable.min(self.quotas.available(above, cell).max(0))
                    }),
                    available: self.quotas.available(id, cell).max(0),
                });
            }
        }
        entries
    }
}

/// Whether a shortage is of what is left now, or of all there could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Now.
    Now,
    /// If nothing were used.
    Ever,
}

/// `64 GPUs`, `512G of memory`.
fn amount(resource: Resource, amount: i64) -> String {
    let count = usize::try_from(amount).unwrap_or(0);
    match resource {
        Resource::Cpus => words::count(count, "CPU"),
        Resource::Gpus => words::count(count, "GPU"),
        Resource::Memory => format!("{} of memory", bare(resource, amount)),
    }
}

/// `64`, `512G`.
fn bare(resource: Resource, amount: i64) -> String {
    match resource {
        Resource::Memory => Mebibytes::new(u64::try_from(amount).unwrap_or(0)).to_string(),
        Resource::Cpus | Resource::Gpus => amount.to_string(),
    }
}
