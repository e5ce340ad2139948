//! How the jobs of a network are given priorities: weights, fair shares and QOSs.

use super::network::walltime;
use super::whole;
use crate::experiment::section::{Section, Value};
use crate::problem::Problem;
use std::collections::BTreeMap;
use suanpan_model::time::Seconds;
use suanpan_sched::order::multifactor::{Favor, Weights};
use suanpan_sched::order::priority::{Entitlement, PriorityPolicy, Qos, WhenPreempted};

/// Reads `[priorities]`; what is not said is as Slurm's manual has it. Weights start at 0, so that
/// only what is named counts.
pub(super) fn priorities(mut section: Section<'_>) -> Result<PriorityPolicy, Problem> {
    let mut policy = PriorityPolicy::default();
    if let Some(value) = section.take("weights") {
        policy.weights = weights(value.section("a table such as { age = 1000 }")?)?;
    }
    if let Some(value) = section.take("age_max") {
        policy.age_max = length(&value)?;
    }
    if let Some(value) = section.take("half_life") {
        let never = value.is_text() && value.text("")? == "never";
        policy.half_life = if never { None } else { Some(length(&value)?) };
    }
    if let Some(seconds) = whole(&mut section, "every_s", 1..=86_400, "seconds")? {
        policy.every = Seconds(seconds);
    }
    if let Some(value) = section.take("favor") {
        policy.favor = value.word(&[
            ("large", Favor::Large),
            ("small", Favor::Small),
            ("large-for-its-time", Favor::LargeForItsTime),
        ])?;
    }
    if let Some(value) = section.take("shares") {
        for (project, value) in value.section("a table of projects")?.entries() {
            let shares = value.whole(0..=1_000_000, "shares of the project")? as u32;
            policy.shares.insert(project, Entitlement { shares, ..Entitlement::default() });
        }
    }
    if let Some(value) = section.take("qos") {
        policy.qos = all_qos(value)?;
    }
    section.finish()?;
    Ok(policy)
}

/// A length of time in the forms of time limits.
fn length(value: &Value<'_>) -> Result<Seconds, Problem> {
    Ok(Seconds(walltime(value)?.seconds().into()))
}

fn weights(mut section: Section<'_>) -> Result<Weights, Problem> {
    let mut of = |key| whole(&mut section, key, 0..=u32::MAX.into(), "points");
    let (age, fair_share) = (of("age")?, of("fair_share")?);
    let (job_size, qos) = (of("job_size")?, of("qos")?);
    section.finish()?;
    let points = |weight: Option<u64>| weight.unwrap_or(0) as u32;
    Ok(Weights {
        age: points(age),
        fair_share: points(fair_share),
        job_size: points(job_size),
        qos: points(qos),
        association: 0,
        partition: 0,
        cpu: 0,
        memory: 0,
        gpu: 0,
    })
}

fn all_qos(value: Value<'_>) -> Result<BTreeMap<String, Qos>, Problem> {
    let entries = value.section("tables [priorities.qos.NAME]")?.entries();
    let names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
    let mut all = BTreeMap::new();
    for (name, value) in entries {
        all.insert(name, qos(value.section("a table [priorities.qos.NAME]")?, &names)?);
    }
    Ok(all)
}

fn qos(mut section: Section<'_>, names: &[String]) -> Result<Qos, Problem> {
    let priority = whole(&mut section, "priority", 0..=u32::MAX.into(), "a priority")?;
    let mut qos = Qos { priority: priority.unwrap_or(0) as u32, ..Qos::default() };
    if let Some(value) = section.take("preempts") {
        let expected = format!("a list of some of: {}", names.join(", "));
        for value in value.list(&expected)? {
            let name = value.text(&expected)?;
            if !names.contains(&name) {
                return Err(value.wrong(&expected));
            }
            qos.preempts.push(name);
        }
    }
    if let Some(value) = section.take("when_preempted") {
        qos.when_preempted = value
            .word(&[("requeue", WhenPreempted::Requeue), ("cancel", WhenPreempted::Cancel)])?;
    }
    let mut seconds = |key| whole(&mut section, key, 0..=31_536_000, "seconds");
    qos.exempt = Seconds(seconds("exempt_s")?.unwrap_or(0));
    qos.grace = Seconds(seconds("grace_s")?.unwrap_or(0));
    section.finish()?;
    Ok(qos)
}
