//! What the projects of a network may use, and what they lend each other: the keys of a quota
//! file, under `[quotas]`.

use super::network::memory;
use super::whole;
use crate::experiment::section::{Section, Value};
use crate::problem::Problem;
use std::collections::BTreeMap;
use suanpan_sched::quota::Quota;
use suanpan_sched::quota::policy::{CohortQuota, FlavorQuota, ProjectQuota, QuotaPolicy, Resource};
use suanpan_sched::quota::preemption::{Borrow, Reclaim, Rules, Sharing, WithinQueue};

/// Reads `[quotas]`.
pub(super) fn quotas(value: Value<'_>) -> Result<QuotaPolicy, Problem> {
    let mut section = value.section("a table [quotas]")?;
    let mut policy = QuotaPolicy::default();
    if let Some(value) = section.take("sharing") {
        policy.sharing = value.word(&[("priority", Sharing::Priority), ("fair", Sharing::Fair)])?;
    }
    if let Some(value) = section.take("cohorts") {
        for (name, value) in value.section("tables [quotas.cohorts.NAME]")?.entries() {
            policy.cohorts.insert(name, cohort(value.section("a table")?)?);
        }
    }
    let projects = section.need("projects", "tables [quotas.projects.NAME]")?;
    for (name, value) in projects.section("tables [quotas.projects.NAME]")?.entries() {
        policy.projects.insert(name, project(value.section("a table")?)?);
    }
    if let Err(fault) = policy.check() {
        return Err(section.wrong(&fault.field, &fault.value, &fault.expected));
    }
    section.finish()?;
    Ok(policy)
}

fn cohort(mut section: Section<'_>) -> Result<CohortQuota, Problem> {
    let parent = section.take("parent").map(|value| value.text("a cohort")).transpose()?;
    let weight_milli = weight(&mut section)?;
    let flavors = flavors(&mut section)?;
    section.finish()?;
    Ok(CohortQuota { parent, weight_milli, flavors })
}

fn project(mut section: Section<'_>) -> Result<ProjectQuota, Problem> {
    let cohort = section.take("cohort").map(|value| value.text("a cohort")).transpose()?;
    let weight_milli = weight(&mut section)?;
    let mut rules = Rules::default();
    if let Some(value) = section.take("reclaim") {
        rules.reclaim = value.word(&[
            ("never", Reclaim::Never),
            ("lower_priority", Reclaim::LowerPriority),
            ("any", Reclaim::Any),
        ])?;
    }
    if let Some(value) = section.take("within_project") {
        rules.within_queue = value.word(&[
            ("never", WithinQueue::Never),
            ("lower_priority", WithinQueue::LowerPriority),
            ("lower_or_newer_equal", WithinQueue::LowerOrNewerEqual),
        ])?;
    }
    if let Some(value) = section.take("borrow_by_preemption") {
        let lower = Borrow::LowerPriority { at_most: None };
        rules.borrow = value.word(&[("never", Borrow::Never), ("lower_priority", lower)])?;
    }
    let flavors = flavors(&mut section)?;
    section.finish()?;
    Ok(ProjectQuota { cohort, weight_milli, rules, flavors })
}

fn weight(section: &mut Section<'_>) -> Result<u32, Problem> {
    Ok(whole(section, "weight", 0..=1_000_000, "a weight")?.unwrap_or(1) as u32 * 1_000)
}

fn flavors(section: &mut Section<'_>) -> Result<BTreeMap<String, FlavorQuota>, Problem> {
    let mut flavors = BTreeMap::new();
    let Some(value) = section.take("flavors") else { return Ok(flavors) };
    for (name, value) in value.section("a table of flavors")?.entries() {
        let mut section = value.section("a table such as { gpus = { nominal = 8 } }")?;
        let mut of =
            |key, resource| section.take(key).map(|value| limits(value, resource)).transpose();
        let quota = FlavorQuota {
            cpus: of("cpus", Resource::Cpus)?,
            memory: of("memory", Resource::Memory)?,
            gpus: of("gpus", Resource::Gpus)?,
        };
        section.finish()?;
        flavors.insert(name, quota);
    }
    Ok(flavors)
}

fn limits(value: Value<'_>, resource: Resource) -> Result<Quota, Problem> {
    let expected = "a table such as { nominal = 8, borrow = 4 }";
    let mut section = value.section(expected)?;
    let nominal = amount(&section.need("nominal", expected)?, resource)?;
    let mut limit = |key| section.take(key).map(|value| amount(&value, resource)).transpose();
    let (borrowing_limit, lending_limit) = (limit("borrow")?, limit("lend")?);
    section.finish()?;
    Ok(Quota { nominal, borrowing_limit, lending_limit })
}

fn amount(value: &Value<'_>, resource: Resource) -> Result<i64, Problem> {
    let amount = match resource {
        Resource::Memory => memory(value)?.get(),
        Resource::Cpus | Resource::Gpus => value.whole(0..=1 << 40, "an amount")?,
    };
    i64::try_from(amount).map_err(|_| value.wrong("less than 2^63"))
}
