//! The policy that gives the jobs of a network their priority: multifactor, with fair shares by
//! Fair Tree over projects and their users, and QOSs.
//!
//! Partitions belong to sites, so [`multifactor`]'s partition and TRES factors stay zero here; the
//! size is measured against all nodes of the network. Age counts from the submission, or from the
//! begin time a job asked for. A priority is worked out when a job is submitted, and for all
//! waiting jobs every [`PriorityPolicy::every`]: between two cycles the order stands still, and a
//! cycle reads it from a sorted map.

use crate::order::fair_tree::{Shares, Tree};
use crate::order::multifactor::{
    Factor, Factors, Favor, Parts, Size, Weights, age, job_size, weigh,
};
use crate::order::usage::BillingWeights;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use suanpan_model::time::{Seconds, Timestamp};

#[cfg(test)]
mod tests;

/// How priorities are worked out. Its default is that of Slurm's manual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PriorityPolicy {
    /// How the factors count.
    pub weights: Weights,
    /// After which wait age counts fully (`PriorityMaxAge`).
    pub age_max: Seconds,
    /// Which sizes are favored.
    pub favor: Favor,
    /// How fast usage is forgotten (`PriorityDecayHalfLife`); `None` means never.
    pub half_life: Option<Seconds>,
    /// What usage counts.
    pub billing: BillingWeights,
    /// How often all priorities are worked out anew (`PriorityCalcPeriod`).
    pub every: Seconds,
    /// QOSs by name.
    pub qos: BTreeMap<String, Qos>,
    /// What projects were promised; one that is not named has one share.
    pub shares: BTreeMap<String, Entitlement>,
}

impl Default for PriorityPolicy {
    fn default() -> PriorityPolicy {
        PriorityPolicy {
            weights: Weights::default(),
            age_max: Seconds(7 * 24 * 3_600),
            favor: Favor::default(),
            half_life: Some(Seconds(7 * 24 * 3_600)),
            billing: BillingWeights::default(),
            every: Seconds(300),
            qos: BTreeMap::new(),
            shares: BTreeMap::new(),
        }
    }
}

/// A named bundle of priority and rights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Qos {
    /// Its priority; the highest of all QOSs gives factor 1.
    pub priority: u32,
    /// QOSs whose jobs may be stopped for one of this.
    pub preempts: Vec<String>,
    /// What becomes of a job of this QOS that is stopped for another.
    pub when_preempted: WhenPreempted,
    /// How long a job of this QOS runs in peace first (`PreemptExemptTime`).
    pub exempt: Seconds,
    /// How long it may still run once it is to be stopped for another (`GraceTime`).
    pub grace: Seconds,
    /// Users who may ask for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Projects whose jobs may ask for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
}

impl Qos {
    /// Whether a user may ask for it in a project: everybody may if it names nobody.
    #[must_use]
    pub fn admits(&self, user: &str, project: &str) -> bool {
        let nobody = self.users.is_empty() && self.projects.is_empty();
        nobody
            || self.users.iter().any(|one| one == user)
            || self.projects.iter().any(|one| one == project)
    }
}

/// What becomes of a job that is stopped for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenPreempted {
    /// It waits again and starts from the beginning.
    #[default]
    Requeue,
    /// It is over.
    Cancel,
}

/// What a project was promised, and its users within it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entitlement {
    /// Its shares among all projects.
    pub shares: u32,
    /// Its users' shares among them; who is not named has one.
    pub users: BTreeMap<String, u32>,
}

impl Default for Entitlement {
    fn default() -> Entitlement {
        Entitlement { shares: 1, users: BTreeMap::new() }
    }
}

/// One user in one project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserShare {
    /// The project.
    pub project: String,
    /// The user.
    pub user: String,
    /// The fair-share factor.
    pub factor: Factor,
}

/// What a priority is worked out from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its QOS.
    pub qos: Option<&'a str>,
    /// Its owner's own wish; positive lowers it.
    pub nice: i32,
    /// Its size, and that of the network.
    pub size: Size,
    /// Since when it could start as far as its own times go.
    pub eligible_since: Timestamp,
    /// Its user's fair-share factor.
    pub fair_share: Factor,
}

impl PriorityPolicy {
    /// The parts of a job's priority at `now`.
    #[must_use]
    pub fn parts(&self, asked: &Asked<'_>, now: Timestamp) -> Parts {
        let highest = self.qos.values().map(|qos| qos.priority).max().unwrap_or(0);
        let qos = asked.qos.and_then(|name| self.qos.get(name)).map_or(0, |qos| qos.priority);
        let factors = Factors {
            age: age(asked.eligible_since, now, self.age_max),
            fair_share: asked.fair_share,
            job_size: job_size(self.favor, &asked.size),
            qos: Factor::of(qos.into(), highest.into()),
            nice: asked.nice,
            ..Factors::default()
        };
        weigh(&self.weights, &factors)
    }

    /// The fair-share factors of users with what they have used, decayed to one time: projects
    /// below the root, users below their project. Users with a share and no usage are ranked too.
    #[must_use]
    pub fn fair_shares<'u>(
        &'u self,
        used: impl IntoIterator<Item = (&'u str, &'u str, u64)>,
    ) -> Vec<UserShare> {
        let mut projects: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for (project, entitlement) in &self.shares {
            let users = entitlement.users.keys().map(|user| (user.as_str(), 0));
            projects.entry(project).or_default().extend(users);
        }
        for (project, user, usage) in used {
            let known = projects.entry(project).or_default().entry(user).or_default();
            *known = known.saturating_add(usage);
        }
        let mut tree = Tree::default();
        let mut ids = Vec::new();
        let nobody = Entitlement::default();
        for (project, users) in projects {
            let entitlement = self.shares.get(project).unwrap_or(&nobody);
            let account = tree.add_account(None, Shares::Own(entitlement.shares));
            for (user, usage) in users {
                let shares = entitlement.users.get(user).copied().unwrap_or(1);
                let id = tree.add_user(Some(account), Shares::Own(shares), usage);
                ids.push((project, user, id));
            }
        }
        let ranking = tree.rank();
        let share = |(project, user, id): (&str, &str, _)| UserShare {
            project: project.to_owned(),
            user: user.to_owned(),
            factor: ranking.factor(id),
        };
        ids.into_iter().map(share).collect()
    }
}
