//! Answers for people: where a shape could run and when, why a job waits, condition by condition,
//! and the smallest change that would let it run.
//!
//! Everything here is computed from the same predicates and timelines that decide, on a cycle
//! that is run up to the job in question, so an answer never disagrees with the plan. Each call
//! costs about as much as one scheduling cycle.

use crate::plan::cycle::{ClassRun, Cycle, Own, Ranking};
use crate::plan::run::Run;
use crate::policy::Policy;
use crate::reason::{Explanation, Predicate, WaitingFor};
use crate::snapshot::{ClassKey, ShapeClass, Snapshot};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::Shape;
use suanpan_model::money::MicroCredits;
use suanpan_model::time::Timestamp;

mod now;
mod standing;
mod steps;
#[cfg(test)]
mod tests;
mod tweak;

pub use standing::remedies;
pub use tweak::Tweak;

/// What is foretold of a request before it is submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Every candidate, best first, and why other clusters are ruled out.
    pub explanation: Explanation,
    /// Why nothing could start now; `None` if at least one task could.
    pub reason: Option<WaitingFor>,
    /// Tasks that could start now.
    pub tasks_now: u32,
    /// Expected start of the last task; absent if some task has no place, or beyond
    /// [`TASKS_FORETOLD`] tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_start: Option<Timestamp>,
    /// Most that all tasks together may cost, each at its best candidate; absent as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroCredits>,
    /// How many sites meet each condition and all before it.
    pub steps: Vec<Step>,
    /// The smallest changes that would let it run (or start now), smallest first.
    pub remedies: Vec<Remedy>,
}

/// Why a waiting job does not run, and what would change that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIf {
    /// Why it waits; `None` if it could start in this cycle.
    pub reason: Option<WaitingFor>,
    /// Every candidate, best first, and why other clusters are ruled out.
    pub explanation: Explanation,
    /// How many sites meet each condition and all before it.
    pub steps: Vec<Step>,
    /// The smallest changes that would let it run (or start now), smallest first.
    pub remedies: Vec<Remedy>,
}

/// One condition and how many clusters meet it and all conditions before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The condition.
    pub predicate: Predicate,
    /// The same in words, with the amount asked: `64 CPUs on a node`.
    pub condition: String,
    /// Clusters that still match.
    pub sites: u32,
}

/// Changes of a request that, made together, let it run on one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its site, for reading.
    pub site: String,
    /// The changes, all of them needed.
    pub changes: Vec<Tweak>,
    /// What the changes achieve.
    pub effect: Effect,
}

/// What a remedy achieves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It starts now.
    StartsNow,
    /// It can run there at all.
    CanRun,
}

/// Most tasks of an array whose starts are foretold one by one.
pub const TASKS_FORETOLD: u32 = 1_000;

/// Most remedies that are given.
const REMEDIES: usize = 3;

/// Every candidate for a shape, best first, as if it were submitted now in a project, behind all
/// pending jobs.
#[must_use]
pub fn candidates(
    snapshot: &Snapshot,
    now: Timestamp,
    policy: &Policy,
    project: &str,
    shape: &Shape,
) -> Explanation {
    outlook(snapshot, now, policy, project, shape, None, 1).explanation
}

/// The same with everything else that is foretold of `tasks` tasks.
fn outlook(
    snapshot: &Snapshot,
    now: Timestamp,
    policy: &Policy,
    project: &str,
    shape: &Shape,
    deadline: Option<Timestamp>,
    tasks: u32,
) -> Outlook {
    let queue = snapshot.quotas.as_ref().map(|book| book.queue_of(project));
    let of = ClassKey { shape: Arc::new(shape.clone()), queue, program: None };
    outlook_of(snapshot, now, policy, &of, deadline, tasks)
}

/// What is foretold of `tasks` tasks of a class of jobs, as if they were submitted now, behind all
/// pending jobs.
#[must_use]
pub fn outlook_of(
    snapshot: &Snapshot,
    now: Timestamp,
    policy: &Policy,
    of: &ClassKey,
    deadline: Option<Timestamp>,
    tasks: u32,
) -> Outlook {
    let mut cycle = Run::new(Cycle::new(snapshot, now, policy)).up_to(None);
    let class = ShapeClass::new(&snapshot.catalog, of, snapshot.speeds(of));
    let mut run = cycle.class(of, &class, &[]);
    let own = Own { deadline, ..Own::default() };
    let told = tell(&cycle, &mut run, own);
    let (tasks_now, last) = foretell(&mut cycle, &mut run, own, tasks);
    Outlook {
        explanation: told.explanation,
        reason: told.reason,
        tasks_now,
        last_start: last.map(|(start, _)| start),
        cost: last.map(|(_, cost)| cost),
        steps: told.steps,
        remedies: told.remedies,
    }
}

/// Why a pending job does not start; `None` if it is not pending.
#[must_use]
pub fn what_if(snapshot: &Snapshot, now: Timestamp, policy: &Policy, job: JobId) -> Option<WhatIf> {
    let pending = &snapshot.pending[snapshot.keys.get(&job)?];
    let cycle = Run::new(Cycle::new(snapshot, now, policy)).up_to(Some(job));
    let (of, class) = snapshot.shapes.get_key_value(&pending.class())?;
    let mut run = cycle.class(of, class, &pending.may_use);
    let own = Own::of(pending);
    let mut told = tell(&cycle, &mut run, own);
    if pending.begin.is_some_and(|begin| begin > now) {
        told.reason = Some(WaitingFor::BeginTime);
    }
    Some(told)
}

fn tell(cycle: &Cycle<'_>, run: &mut ClassRun<'_>, own: Own<'_>) -> WhatIf {
    let ranking = cycle.rank(run, own, usize::MAX);
    let starts = ranking.choices.first().is_some_and(|best| best.start == cycle.now);
    WhatIf {
        reason: (!starts).then(|| cycle.reason(run, &ranking)),
        explanation: cycle.explain_fully(run, &ranking),
        steps: steps::steps(cycle, run, own, &ranking),
        remedies: if starts { Vec::new() } else { remedies_for(cycle, run, own, &ranking) },
    }
}

/// What would let a job start now; if it can never run, what would let it run at all.
fn remedies_for(
    cycle: &Cycle<'_>,
    run: &mut ClassRun<'_>,
    own: Own<'_>,
    ranking: &Ranking,
) -> Vec<Remedy> {
    let shape = run.shape;
    if run.class.offers.is_empty() {
        return remedies(&cycle.snapshot.catalog, shape);
    }
    now::remedies_now(cycle, run, own, ranking)
}

/// Places task after task on a copy of the timelines: how many start now, and the start of the
/// last with the cost of all.
fn foretell(
    cycle: &mut Cycle<'_>,
    run: &mut ClassRun<'_>,
    own: Own<'_>,
    tasks: u32,
) -> (u32, Option<(Timestamp, MicroCredits)>) {
    let (mut now, mut last, mut cost) = (0, cycle.now, MicroCredits::ZERO);
    for _ in 0..tasks.min(TASKS_FORETOLD) {
        let ranking = cycle.rank(run, own, 1);
        let Some(&best) = ranking.choices.first() else { return (now, None) };
        now += u32::from(best.start == cycle.now);
        last = last.max(best.start);
        cost = cost.saturating_add(run.class.offers[best.offer].cost);
        cycle.promise(run, best);
    }
    (now, (tasks <= TASKS_FORETOLD).then_some((last, cost)))
}
