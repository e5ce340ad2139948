//! The tree of quotas as an operator declares it: cohorts and projects by name.
//!
//! A *project* is what Kueue calls a ClusterQueue. What no member of the tree names is not
//! limited: a resource of a flavor becomes limited once one project or cohort has a quota of it.
//! Of a limited flavor a project that does not name it has nothing and may not borrow. Projects
//! that are not in the tree share the quota of the project named [`OTHERS`]; without it, they
//! have nothing of what is limited.

use super::preemption::{Rules, Sharing};
use super::{Quota, WEIGHT_ONE};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use suanpan_model::tres::Tres;

/// The project that stands for all that are not named.
pub const OTHERS: &str = "*";

/// Cohorts and projects with their quotas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaPolicy {
    /// How projects are measured against each other.
    #[serde(default)]
    pub sharing: Sharing,
    /// Groups that lend each other what they do not use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cohorts: BTreeMap<String, CohortQuota>,
    /// Projects.
    pub projects: BTreeMap<String, ProjectQuota>,
}

/// A cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortQuota {
    /// The cohort it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Its weight in fair sharing, in thousandths.
    #[serde(default = "weight_one")]
    pub weight_milli: u32,
    /// What it has itself, beside what its members lend, by flavor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flavors: BTreeMap<String, FlavorQuota>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectQuota {
    /// The cohort it lies in; without one it neither borrows nor lends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<String>,
    /// Its weight in fair sharing, in thousandths.
    #[serde(default = "weight_one")]
    pub weight_milli: u32,
    /// What it may take back by stopping jobs.
    #[serde(default)]
    pub rules: Rules,
    /// What it has, by flavor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flavors: BTreeMap<String, FlavorQuota>,
}

/// Quotas of one flavor. What is absent is not limited by this member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlavorQuota {
    /// Of CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Quota>,
    /// Of memory, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quota>,
    /// Of GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<Quota>,
}

fn weight_one() -> u32 {
    WEIGHT_ONE
}

/// A resource that quotas are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// CPUs.
    Cpus,
    /// Memory in MiB.
    Memory,
    /// GPUs.
    Gpus,
}

impl Resource {
    /// All of them, each at its [`Resource::index`].
    pub const ALL: [Resource; 3] = [Resource::Cpus, Resource::Memory, Resource::Gpus];

    /// Its number in a [`super::Cell`].
    #[must_use]
    pub fn index(self) -> u16 {
        self as u16
    }

    /// Its name in a quota file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Resource::Cpus => "cpus",
            Resource::Memory => "memory",
            Resource::Gpus => "gpus",
        }
    }

    /// How much of it there is in an amount.
    #[must_use]
    pub fn of(self, amount: &Tres) -> i64 {
        match self {
            Resource::Cpus => amount.cpus.into(),
            Resource::Memory => i64::try_from(amount.memory.get()).unwrap_or(i64::MAX),
            Resource::Gpus => amount.gpus.into(),
        }
    }
}

impl FlavorQuota {
    /// The quota of a resource, if it is limited.
    #[must_use]
    pub fn of(&self, resource: Resource) -> Option<Quota> {
        match resource {
            Resource::Cpus => self.cpus,
            Resource::Memory => self.memory,
            Resource::Gpus => self.gpus,
        }
    }

    fn named(&self) -> BTreeSet<Resource> {
        Resource::ALL.into_iter().filter(|resource| self.of(*resource).is_some()).collect()
    }
}

/// What is wrong with a tree of quotas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaFault {
    /// Field, as a path: `projects.vision.flavors.h200.gpus.nominal`.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for QuotaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is `{}`: expected {}", self.field, self.value, self.expected)
    }
}

fn fault(field: String, value: impl ToString, expected: &str) -> QuotaFault {
    QuotaFault { field, value: value.to_string(), expected: expected.to_owned() }
}

impl QuotaPolicy {
    /// Whether the tree can be kept. O(members * cells).
    ///
    /// # Errors
    /// The first fault, in the order of names.
    pub fn check(&self) -> Result<(), QuotaFault> {
        if self.projects.is_empty() {
            return Err(fault("projects".into(), "{}", "at least one project"));
        }
        for (name, cohort) in &self.cohorts {
            let place = format!("cohorts.{name}");
            self.check_name(&place, name)?;
            self.check_parent(&place, "parent", cohort.parent.as_ref())?;
            self.check_circle(&place, name)?;
            check_quotas(&place, cohort.parent.is_some(), &cohort.flavors)?;
        }
        for (name, project) in &self.projects {
            let place = format!("projects.{name}");
            self.check_name(&place, name)?;
            self.check_parent(&place, "cohort", project.cohort.as_ref())?;
            check_quotas(&place, project.cohort.is_some(), &project.flavors)?;
        }
        self.check_same_resources()
    }

    fn check_name(&self, place: &str, name: &str) -> Result<(), QuotaFault> {
        match name.trim().is_empty() || name.trim() != name {
            true => Err(fault(place.into(), name, "a name without spaces around it")),
            false => Ok(()),
        }
    }

    fn check_parent(
        &self,
        place: &str,
        field: &str,
        parent: Option<&String>,
    ) -> Result<(), QuotaFault> {
        match parent.filter(|name| !self.cohorts.contains_key(*name)) {
            Some(unknown) => {
                let known: Vec<&String> = self.cohorts.keys().collect();
                let expected = match known.is_empty() {
                    true => "a cohort that is in the tree; it has none".to_owned(),
                    false => format!("a cohort of the tree: {}", crate::words::listed(&known)),
                };
                Err(fault(format!("{place}.{field}"), unknown, &expected))
            }
            None => Ok(()),
        }
    }

    fn check_circle(&self, place: &str, name: &str) -> Result<(), QuotaFault> {
        let parent = |name: &String| self.cohorts.get(name)?.parent.as_ref();
        let mut above = self.cohorts[name].parent.as_ref();
        let mut seen = vec![name];
        while let Some(cohort) = above {
            if cohort == name {
                let circle = format!("{} > {name}", seen.join(" > "));
                return Err(fault(format!("{place}.parent"), circle, "cohorts without a circle"));
            }
            if seen.contains(&cohort.as_str()) {
                return Ok(()); // A circle further up is told where it closes.
            }
            seen.push(cohort);
            above = parent(cohort);
        }
        Ok(())
    }

    /// Projects that have a quota of a flavor name the same resources of it: one that leaves a
    /// resource out could use none of it.
    fn check_same_resources(&self) -> Result<(), QuotaFault> {
        let mut first: BTreeMap<&str, (&str, BTreeSet<Resource>)> = BTreeMap::new();
        for (name, project) in &self.projects {
            for (flavor, quota) in &project.flavors {
                let named = quota.named();
                let (other, resources) =
                    first.entry(flavor).or_insert_with(|| (name, named.clone()));
                if *resources != named {
                    let words = |set: &BTreeSet<Resource>| {
                        set.iter().map(|one| one.name()).collect::<Vec<_>>().join(" and ")
                    };
                    let expected = format!("{}, as project {other} has", words(resources));
                    let field = format!("projects.{name}.flavors.{flavor}");
                    return Err(fault(field, words(&named), &expected));
                }
            }
        }
        let limited = self.cohorts.iter().flat_map(|(name, cohort)| {
            cohort.flavors.iter().map(move |(flavor, quota)| (name, flavor, quota))
        });
        for (name, flavor, quota) in limited {
            let used = first.get(flavor.as_str()).map(|(_, resources)| resources);
            let all = BTreeSet::new();
            if let Some(other) = quota.named().difference(used.unwrap_or(&all)).next() {
                let field = format!("cohorts.{name}.flavors.{flavor}.{}", other.name());
                let expected = "a resource that a project has a quota of (nominal 0 will do)";
                return Err(fault(field, other.name(), expected));
            }
        }
        Ok(())
    }
}

/// Whether some parent is there to borrow from and lend to, and amounts are amounts.
fn check_quotas(
    place: &str,
    has_parent: bool,
    flavors: &BTreeMap<String, FlavorQuota>,
) -> Result<(), QuotaFault> {
    for (flavor, quotas) in flavors {
        if quotas.named().is_empty() {
            let field = format!("{place}.flavors.{flavor}");
            return Err(fault(field, "{}", "a quota of cpus, memory or gpus"));
        }
        for resource in Resource::ALL {
            let Some(quota) = quotas.of(resource) else { continue };
            let place = format!("{place}.flavors.{flavor}.{}", resource.name());
            let limits = [("borrow", quota.borrowing_limit), ("lend", quota.lending_limit)];
            let amounts = [("nominal", Some(quota.nominal))].into_iter().chain(limits);
            for (field, amount) in amounts {
                if let Some(amount) = amount.filter(|amount| *amount < 0) {
                    return Err(fault(format!("{place}.{field}"), amount, "0 or more"));
                }
            }
            for (field, limit) in limits {
                if let Some(limit) = limit.filter(|_| !has_parent) {
                    let expected = "no limit, or a cohort to borrow from and lend to";
                    return Err(fault(format!("{place}.{field}"), limit, expected));
                }
            }
            if let Some(lend) = quota.lending_limit.filter(|lend| *lend > quota.nominal) {
                let expected = format!("at most the nominal {}", quota.nominal);
                return Err(fault(format!("{place}.lend"), lend, &expected));
            }
        }
    }
    Ok(())
}
