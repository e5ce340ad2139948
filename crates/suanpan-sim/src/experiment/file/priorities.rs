//! How the jobs of a network are given priorities, by the keys and rules of the file that an
//! operator gives to `suanpan priorities set`.

use super::whole;
use crate::experiment::section::{Section, Value};
use crate::problem::Problem;
use std::collections::BTreeMap;
use suanpan_model::time::Seconds;
use suanpan_model::walltime::Walltime;
use suanpan_sched::order::multifactor::{Favor, Weights};
use suanpan_sched::order::priority::{Entitlement, PriorityPolicy, Qos, WhenPreempted};
use suanpan_sched::order::usage::{BillingWeights, Combine};

/// Most shares of a project or user.
const SHARES_MAX: u64 = 1_000_000;

/// Reads `[priorities]`; what is not said is as Slurm's manual of the multifactor plugin has it.
pub(super) fn priorities(mut section: Section<'_>) -> Result<PriorityPolicy, Problem> {
    let mut policy = PriorityPolicy::default();
    if let Some(value) = section.take("age_max") {
        policy.age_max = above_zero(&value)?;
    }
    if let Some(value) = section.take("half_life") {
        let never = value.is_text() && value.text("")? == "never";
        policy.half_life = if never { None } else { Some(above_zero(&value)?) };
    }
    if let Some(value) = section.take("every") {
        policy.every = length(&value)?;
        if !(10..=86_400).contains(&policy.every.0) {
            return Err(value.wrong("00:10 to 1-00:00:00"));
        }
    }
    if let Some(value) = section.take("favor") {
        policy.favor = value.word(&[
            ("large", Favor::Large),
            ("small", Favor::Small),
            ("large_for_its_time", Favor::LargeForItsTime),
        ])?;
    }
    if let Some(value) = section.take("weights") {
        policy.weights = weights(value.section("a table such as { age = 1000 }")?, policy.weights)?;
    }
    if let Some(value) = section.take("billing") {
        policy.billing = billing(value.section("a table such as { cpu = 1, gpu = 10 }")?)?;
    }
    if let Some(value) = section.take("qos") {
        policy.qos = all_qos(value)?;
    }
    if let Some(value) = section.take("shares") {
        for (project, value) in value.section("tables [priorities.shares.PROJECT]")?.entries() {
            let section = value.section("a table such as { shares = 3 }")?;
            policy.shares.insert(project, entitlement(section)?);
        }
    }
    section.finish()?;
    Ok(policy)
}

/// A length of time. A bare number is refused: it is minutes in some of Slurm's settings and
/// seconds in others.
fn length(value: &Value<'_>) -> Result<Seconds, Problem> {
    let right = "mm:ss, hh:mm:ss, d-hh or d-hh:mm:ss in quotes, or \"0\"";
    let text = value.text(right)?;
    if text == "0" {
        return Ok(Seconds(0));
    }
    let parsed = text.parse::<Walltime>().ok().filter(|_| text.contains([':', '-']));
    parsed.map(|found| Seconds(found.seconds().into())).ok_or_else(|| value.wrong(right))
}

fn above_zero(value: &Value<'_>) -> Result<Seconds, Problem> {
    match length(value)? {
        Seconds(0) => Err(value.wrong("a length above zero")),
        found => Ok(found),
    }
}

fn weights(mut section: Section<'_>, usual: Weights) -> Result<Weights, Problem> {
    let mut of = |key, usual: u32| {
        let points = whole(&mut section, key, 0..=u32::MAX.into(), "points")?;
        Ok(points.map_or(usual, |points| points as u32))
    };
    let weights = Weights {
        age: of("age", usual.age)?,
        fair_share: of("fair_share", usual.fair_share)?,
        job_size: of("job_size", usual.job_size)?,
        qos: of("qos", usual.qos)?,
        ..usual
    };
    section.finish()?;
    Ok(weights)
}

fn billing(mut section: Section<'_>) -> Result<BillingWeights, Problem> {
    let usual = BillingWeights::default();
    let mut milli = |key: &'static str, usual: u64| match section.take(key) {
        None => Ok(usual),
        Some(value) => {
            let weight = value.number(0.0..=1_000_000.0, "what one unit counts")?;
            Ok((weight * 1_000.0).round() as u64)
        }
    };
    let cpu_milli = milli("cpu", usual.cpu_milli)?;
    let gibibyte_milli = milli("gib", usual.gibibyte_milli)?;
    let gpu_milli = milli("gpu", usual.gpu_milli)?;
    let combine = match section.take("combine") {
        Some(value) => value.word(&[("sum", Combine::Sum), ("largest", Combine::Largest)])?,
        None => usual.combine,
    };
    section.finish()?;
    Ok(BillingWeights { cpu_milli, gibibyte_milli, gpu_milli, combine })
}

fn entitlement(mut section: Section<'_>) -> Result<Entitlement, Problem> {
    let mut given = Entitlement::default();
    if let Some(shares) = whole(&mut section, "shares", 1..=SHARES_MAX, "shares")? {
        given.shares = shares as u32;
    }
    if let Some(value) = section.take("users") {
        for (user, value) in value.section("a table such as { ann = 2 }")?.entries() {
            given.users.insert(user, value.whole(1..=SHARES_MAX, "shares")? as u32);
        }
    }
    section.finish()?;
    Ok(given)
}

fn all_qos(value: Value<'_>) -> Result<BTreeMap<String, Qos>, Problem> {
    let mut all: BTreeMap<String, Qos> = BTreeMap::new();
    let mut stops = Vec::new();
    for (name, value) in value.section("tables [priorities.qos.NAME]")?.entries() {
        let mut section = value.section("a table [priorities.qos.NAME]")?;
        if let Some(value) = section.take("preempts") {
            let lower = value.list("a list of QOSs of lower priority")?;
            stops.extend(lower.into_iter().map(|value| (name.clone(), value)));
        }
        all.insert(name, qos(section)?);
    }
    for (name, value) in stops {
        let lower = value.text("the name of a QOS in quotes")?;
        let right = match all.get(&lower) {
            None => "names of QOSs of this table",
            Some(other) if other.priority >= all[&name].priority => {
                "QOSs of lower priority only, since no other is ever stopped"
            }
            Some(_) => {
                all.entry(name).or_default().preempts.push(lower);
                continue;
            }
        };
        return Err(value.wrong(right));
    }
    Ok(all)
}

fn qos(mut section: Section<'_>) -> Result<Qos, Problem> {
    let priority = whole(&mut section, "priority", 0..=u32::MAX.into(), "a priority")?;
    let mut qos = Qos { priority: priority.unwrap_or(0) as u32, ..Qos::default() };
    if let Some(value) = section.take("when_preempted") {
        qos.when_preempted = value
            .word(&[("requeue", WhenPreempted::Requeue), ("cancel", WhenPreempted::Cancel)])?;
    }
    for (key, to) in [("exempt", &mut qos.exempt), ("grace", &mut qos.grace)] {
        if let Some(value) = section.take(key) {
            *to = length(&value)?;
        }
    }
    for (key, to) in [("users", &mut qos.users), ("projects", &mut qos.projects)] {
        if let Some(value) = section.take(key) {
            *to = value.texts("names in quotes")?;
        }
    }
    section.finish()?;
    Ok(qos)
}
