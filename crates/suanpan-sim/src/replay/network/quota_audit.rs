//! Quotas as the auditor sees them: worked out anew from what runs, by the definition, without the
//! arithmetic that decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_engine::event::PlacedAllocation;
use suanpan_sched::quota::Quota;
use suanpan_sched::quota::policy::{OTHERS, QuotaPolicy, Resource};

/// What a member asks of the cohort above it, and lends it.
#[derive(Clone, Copy, Default)]
struct Above {
    asks: i64,
    lends: i64,
}

/// Panics if the projects of a plan now use more of what they started on than the tree permits.
pub(super) fn check<'a>(
    policy: &Arc<QuotaPolicy>,
    running: impl Iterator<Item = (&'a str, &'a PlacedAllocation)> + Clone,
    started: &[(&str, &PlacedAllocation)],
) {
    for (project, placed) in started {
        for resource in Resource::ALL {
            let named = policy.projects.values().any(|one| of(&one.flavors, placed, resource));
            if !named || resource.of(&placed.per_node) == 0 {
                continue;
            }
            let audit = Audit { policy, flavor: &placed.flavor, resource };
            audit.check(queue(policy, project), running.clone());
        }
    }
}

fn of(
    flavors: &BTreeMap<String, suanpan_sched::quota::policy::FlavorQuota>,
    placed: &PlacedAllocation,
    resource: Resource,
) -> bool {
    flavors.get(&placed.flavor).is_some_and(|quota| quota.of(resource).is_some())
}

fn queue<'p>(policy: &QuotaPolicy, project: &'p str) -> &'p str {
    if policy.projects.contains_key(project) { project } else { OTHERS }
}

/// One resource of one flavor.
struct Audit<'p> {
    policy: &'p QuotaPolicy,
    flavor: &'p str,
    resource: Resource,
}

impl Audit<'_> {
    fn check<'a>(
        &self,
        project: &str,
        running: impl Iterator<Item = (&'a str, &'a PlacedAllocation)>,
    ) {
        let mut used: BTreeMap<&str, i64> = BTreeMap::new();
        for (of, placed) in running.filter(|(_, placed)| placed.flavor == self.flavor) {
            let nodes = i64::try_from(placed.nodes.len()).expect("gangs are small");
            let amount = self.resource.of(&placed.per_node) * nodes;
            *used.entry(queue(self.policy, of)).or_default() += amount;
        }
        let declared = self.policy.projects.get(project);
        let mut above = declared.and_then(|one| one.cohort.as_deref());
        self.project(project, &used);
        while let Some(name) = above {
            self.cohort(name, &used);
            above = self.policy.cohorts[name].parent.as_deref();
        }
    }

    /// What a project asks and lends; its use is within what it has and may borrow.
    fn project(&self, name: &str, used: &BTreeMap<&str, i64>) -> Above {
        let declared = self.policy.projects.get(name);
        let quota = declared.and_then(|one| one.flavors.get(self.flavor)?.of(self.resource));
        let none = Quota { borrowing_limit: Some(0), ..Quota::default() };
        let used = used.get(name).copied().unwrap_or(0);
        let has_cohort = declared.is_some_and(|one| one.cohort.is_some());
        self.member(name, has_cohort, quota.unwrap_or(none), Above { asks: used, lends: 0 })
    }

    fn cohort(&self, name: &str, used: &BTreeMap<&str, i64>) -> Above {
        let cohort = &self.policy.cohorts[name];
        let quota = cohort.flavors.get(self.flavor).and_then(|quota| quota.of(self.resource));
        let projects = self.policy.projects.iter();
        let inside = projects.filter(|(_, one)| one.cohort.as_deref() == Some(name));
        let cohorts = self.policy.cohorts.iter();
        let below = cohorts.filter(|(_, one)| one.parent.as_deref() == Some(name));
        let of_projects = inside.map(|(name, _)| self.project(name, used));
        let all = of_projects.chain(below.map(|(name, _)| self.cohort(name, used)));
        let sum = all.fold(Above::default(), |sum, one| Above {
            asks: sum.asks + one.asks,
            lends: sum.lends + one.lends,
        });
        self.member(name, cohort.parent.is_some(), quota.unwrap_or_default(), sum)
    }

    /// What a member asks and lends further up, once its own quota is counted.
    fn member(&self, name: &str, has_parent: bool, quota: Quota, below: Above) -> Above {
        let own = quota.nominal + below.lends;
        let borrowed = (below.asks - own).max(0);
        let most = if has_parent { quota.borrowing_limit } else { Some(0) };
        assert!(
            most.is_none_or(|most| borrowed <= most),
            "{name} uses {} of {} {} and has {own}: it may borrow {most:?}",
            below.asks,
            self.flavor,
            self.resource.name(),
        );
        let kept = quota.lending_limit.map_or(0, |limit| (own - limit).max(0));
        Above { asks: (below.asks - kept).max(0), lends: own - kept }
    }
}
