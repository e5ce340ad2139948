//! What would let a shape that must wait start now, without breaking a promise.

use crate::explain::standing::nth_largest;
use crate::explain::{Effect, REMEDIES, Remedy, Tweak};
use crate::plan::cycle::{ClassRun, Cycle, Own, Ranking, need};
use crate::plan::ration::Rationed;
use crate::quota::policy::Resource;
use crate::snapshot::{ClassKey, ShapeClass};
use crate::timeline::NodeLine;
use std::collections::BTreeSet;
use std::sync::Arc;
use suanpan_model::job::{Shape, Sharing};
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Seconds;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

/// A shorter time limit than this is no advice.
const SHORTEST: u64 = 60;

/// The smallest single changes that would let a waiting job start now, smallest first.
///
/// Each is checked on the same timelines: with the change made, the job's goal chooses a place
/// that is free now.
pub(super) fn remedies_now(
    cycle: &Cycle<'_>,
    run: &ClassRun<'_>,
    own: Own<'_>,
    ranking: &Ranking,
) -> Vec<Remedy> {
    let length = |offer: usize| run.class.offers[offer].length();
    let least = ranking.late.iter().min_by_key(|one| one.start.plus(length(one.offer)));
    if let (Some(least), true) = (least, ranking.choices.is_empty()) {
        let finish = least.start.plus(length(least.offer));
        let change = Tweak::Deadline(finish);
        return vec![remedy(cycle, run, least.offer, change, Effect::CanRun)];
    }
    let mut found: Vec<(u64, usize, Tweak)> = Vec::new();
    for choice in &ranking.choices {
        if choice.start == cycle.now {
            let cluster = cycle.view(run, choice.offer).inventory.cluster.clone();
            found.push((500, choice.offer, Tweak::ChooseSite(cluster)));
        } else {
            let tweaks = tweaks(cycle, run, choice.offer).into_iter();
            found.extend(tweaks.map(|tweak| (tweak.size(run.shape), choice.offer, tweak)));
        }
    }
    for one in &ranking.rationed {
        let tweaks = within_quota(run, one).into_iter().chain(other_flavors(cycle, run));
        found.extend(tweaks.map(|tweak| (tweak.size(run.shape), one.offer, tweak)));
    }
    found.sort();
    found.dedup_by(|one, other| one.2 == other.2);
    found
        .into_iter()
        .filter(|(_, _, tweak)| starts_now(cycle, run, own, tweak))
        .map(|(_, offer, tweak)| remedy(cycle, run, offer, tweak, Effect::StartsNow))
        .take(REMEDIES)
        .collect()
}

fn remedy(
    cycle: &Cycle<'_>,
    run: &ClassRun<'_>,
    offer: usize,
    change: Tweak,
    effect: Effect,
) -> Remedy {
    let site = cycle.view(run, offer).inventory.site.clone();
    Remedy { cluster: run.class.offers[offer].cluster, site, changes: vec![change], effect }
}

/// Whether the shape with this change would start now.
fn starts_now(cycle: &Cycle<'_>, run: &ClassRun<'_>, own: Own<'_>, tweak: &Tweak) -> bool {
    let (mut changed, queue) = (Shape::clone(run.shape), run.queue);
    tweak.apply(&mut changed);
    let of = ClassKey { shape: Arc::new(changed), queue, program: run.program.cloned() };
    let class = ShapeClass::new(&cycle.snapshot.catalog, &of, cycle.snapshot.speeds(&of));
    let mut run = cycle.class(&of, &class, own.may_use);
    let best = cycle.rank(&mut run, own, 1).choices;
    best.first().is_some_and(|best| best.start == cycle.now)
}

/// The single changes that would bring an offer within what the quota has left.
fn within_quota(run: &ClassRun<'_>, one: &Rationed) -> Vec<Tweak> {
    let shape = run.shape;
    let left = one.shortage.there.max(0);
    let nodes = i64::from(shape.nodes);
    let resource = Resource::ALL[usize::from(one.shortage.cell.resource)];
    let per_node = resource.of(&shape.per_node);
    let mut found = Vec::new();
    if shape.sharing == Sharing::Exclusive && per_node.saturating_mul(nodes) <= left {
        found.push(Tweak::Share);
    }
    let fewer = if per_node > 0 { left / per_node } else { 0 };
    if (1..nodes).contains(&fewer) {
        found.push(Tweak::Nodes(fewer as u32));
    }
    let less = left / nodes.max(1);
    if (1..per_node).contains(&less) {
        found.push(match resource {
            Resource::Cpus => Tweak::Cpus(less as u32),
            Resource::Memory => Tweak::Memory(Mebibytes::new(less.unsigned_abs())),
            Resource::Gpus => Tweak::Gpus(less as u32),
        });
    }
    found
}

/// The flavors that a request leaves out, each with the first offer there is to speak of.
fn other_flavors(cycle: &Cycle<'_>, run: &ClassRun<'_>) -> Vec<Tweak> {
    if run.shape.flavors.is_empty() {
        return Vec::new();
    }
    let clusters = cycle.snapshot.catalog.clusters();
    let names = clusters.flat_map(|(_, inventory)| &inventory.flavors).map(|flavor| &flavor.name);
    let others: BTreeSet<&String> =
        names.filter(|name| !run.shape.flavors.contains(name)).collect();
    others.into_iter().map(|name| Tweak::AllowFlavor(name.clone())).collect()
}

/// The single changes that would let one offer start now.
fn tweaks(cycle: &Cycle<'_>, run: &ClassRun<'_>, offer: usize) -> Vec<Tweak> {
    let about = &run.class.offers[offer];
    if !about.required().is_empty() {
        return Vec::new();
    }
    let shape = run.shape;
    let hold = need(shape, about).hold;
    let nodes: Vec<(&NodeLine, Tres)> =
        cycle.nodes(about).iter().map(|&node| cycle.node(run, offer, node)).collect();
    let shared: Vec<Tres> = nodes.iter().map(|(line, _)| line.free_throughout(hold)).collect();
    let mut found = Vec::new();
    if shape.sharing == Sharing::Exclusive {
        let fitting = shared.iter().filter(|free| free.covers(&shape.per_node)).count();
        if fitting >= shape.nodes as usize {
            found.push(Tweak::Share);
        }
    } else {
        found.extend(less_on_a_node(&shared, &shape.per_node, shape.nodes));
    }
    let amount = |capacity: &Tres| crate::fit::amount_on(shape, capacity);
    let whole =
        nodes.iter().zip(&shared).filter(|((_, capacity), free)| free.covers(&amount(capacity)));
    let whole = u32::try_from(whole.count()).unwrap_or(u32::MAX);
    if whole > 0 && whole < shape.nodes {
        found.push(Tweak::Nodes(whole));
    }
    let mut lengths: Vec<Seconds> = nodes
        .iter()
        .map(|(line, capacity)| line.free_for(&amount(capacity)).unwrap_or(Seconds(u64::MAX)))
        .collect();
    lengths.sort_unstable_by(|one, other| other.cmp(one));
    let longest = lengths.get(shape.nodes as usize - 1).map_or(0, |length| length.0);
    let limit = longest.saturating_sub(about.stage.0);
    if limit >= SHORTEST && limit < u64::from(about.limit.seconds()) {
        found.extend(Walltime::from_seconds(limit as u32).map(Tweak::Time));
    }
    found
}

/// Asking less of one resource, where the others are free as asked.
fn less_on_a_node(free: &[Tres], wanted: &Tres, nodes: u32) -> Vec<Tweak> {
    let with = |change: &dyn Fn(&mut Tres)| {
        let mut least = *wanted;
        change(&mut least);
        free.iter().filter(|free| free.covers(&least)).copied().collect::<Vec<Tres>>()
    };
    let cpus = nth_largest(&with(&|tres| tres.cpus = 0), nodes, |tres| tres.cpus.into());
    let memory =
        nth_largest(&with(&|tres| tres.memory = Mebibytes::ZERO), nodes, |t| t.memory.get());
    let gpus = nth_largest(&with(&|tres| tres.gpus = 0), nodes, |tres| tres.gpus.into());
    let mut found = Vec::new();
    if cpus > 0 && cpus < u64::from(wanted.cpus) {
        found.push(Tweak::Cpus(cpus as u32));
    }
    if memory > 0 && memory < wanted.memory.get() {
        found.push(Tweak::Memory(Mebibytes::new(memory)));
    }
    if gpus > 0 && gpus < u64::from(wanted.gpus) {
        found.push(Tweak::Gpus(gpus as u32));
    }
    found
}
