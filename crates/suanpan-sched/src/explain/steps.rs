//! The step table: condition by condition, how many sites still match.

use crate::explain::Step;
use crate::fit::feasible::STANDING;
use crate::plan::cycle::{ClassRun, Cycle, Own, Ranking};
use crate::reason::{Explanation, Predicate, Unfit};
use crate::snapshot::Closure;
use crate::words;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_model::id::ClusterId;
use suanpan_model::job::{Shape, Sharing};

/// The conditions that change from cycle to cycle, in order.
const PASSING: [Predicate; 7] = [
    Predicate::Deadline,
    Predicate::Reachable,
    Predicate::Refused,
    Predicate::Quota,
    Predicate::Resources,
    Predicate::Available,
    Predicate::Priority,
];

/// The step table of a shape. Conditions that the request does not make are left out.
pub(super) fn steps(
    cycle: &Cycle<'_>,
    run: &mut ClassRun<'_>,
    own: Own<'_>,
    ranking: &Ranking,
) -> Vec<Step> {
    let failed: BTreeMap<ClusterId, Predicate> =
        run.class.unfit.iter().map(|entry| (entry.cluster, entry.predicate)).collect();
    let passing = passed(cycle, run, ranking);
    let mut steps = Vec::new();
    let closures = cycle.snapshot.clusters.values().any(|view| !view.closures.is_empty());
    for predicate in STANDING.into_iter().chain(PASSING) {
        if predicate == Predicate::Available && !closures {
            continue;
        }
        if predicate == Predicate::Quota && run.queue.is_none() {
            continue;
        }
        let Some(condition) = condition(run.shape, own, predicate) else { continue };
        let unfit = failed.values().filter(|&&first| first <= predicate).count();
        let unfit_now = passing.values().filter(|first| first.is_some_and(|at| at <= predicate));
        let sites = cycle.snapshot.catalog.len() - unfit - unfit_now.count();
        steps.push(Step { predicate, condition, sites: sites as u32 });
    }
    steps
}

/// For every cluster that offers something, the first passing condition it does not meet.
fn passed(
    cycle: &Cycle<'_>,
    run: &mut ClassRun<'_>,
    ranking: &Ranking,
) -> BTreeMap<ClusterId, Option<Predicate>> {
    let mut passed: BTreeMap<ClusterId, Option<Predicate>> = BTreeMap::new();
    let late: BTreeSet<usize> = ranking.late.iter().map(|one| one.offer).collect();
    for offer in 0..run.class.offers.len() {
        let first = if late.contains(&offer) {
            Some(Predicate::Deadline)
        } else if ranking.silent.contains(&offer) {
            Some(Predicate::Reachable)
        } else if ranking.refused.contains(&offer) {
            Some(Predicate::Refused)
        } else if cycle.shortage(run, offer).is_some() {
            Some(Predicate::Quota)
        } else if !cycle.free_now(run, offer) {
            Some(Predicate::Resources)
        } else if !cycle.available_now(run, offer) {
            Some(Predicate::Available)
        } else if cycle.fit(run, offer) != Some(cycle.now) {
            Some(Predicate::Priority)
        } else {
            None
        };
        // The pool that comes furthest speaks for its cluster.
        let known = passed.entry(run.class.offers[offer].cluster).or_insert(first);
        *known = match (*known, first) {
            (None, _) | (_, None) => None,
            (Some(one), Some(other)) => Some(one.max(other)),
        };
    }
    passed
}

/// A condition in words; `None` if the request does not make it.
fn condition(shape: &Shape, own: Own<'_>, predicate: Predicate) -> Option<String> {
    let unless = |absent: bool, text: String| (!absent).then_some(text);
    match predicate {
        Predicate::Site => unless(shape.sites.is_empty(), words::either("site", &shape.sites)),
        Predicate::Partition => Some(match shape.partitions.is_empty() {
            true => "a default partition".to_owned(),
            false => words::either("partition", &shape.partitions),
        }),
        Predicate::Path => {
            unless(shape.paths.is_empty(), format!("sees {}", words::listed(&shape.paths)))
        }
        Predicate::Flavor => {
            unless(shape.flavors.is_empty(), words::either("flavor", &shape.flavors))
        }
        Predicate::Feature => {
            let text = format!("nodes with {}", words::all_of(&shape.features));
            unless(shape.features.is_empty(), text)
        }
        Predicate::NodeList => {
            let absent = shape.nodelist.is_empty() && shape.exclude.is_empty();
            unless(absent, "nodes as named".to_owned())
        }
        Predicate::Cpus => Some(words::cpus(shape.per_node.cpus)),
        Predicate::Memory => Some(words::memory(shape.per_node.memory)),
        Predicate::Gpus => unless(shape.per_node.gpus == 0, words::gpus(shape.per_node.gpus)),
        Predicate::Nodes => Some(format!("{} that large", nodes(shape))),
        Predicate::NodeLimit => Some(format!("{} for one job", nodes(shape))),
        Predicate::TimeLimit => shape.time.map(|time| format!("a time limit of {time}")),
        Predicate::Budget => shape.budget.map(|budget| format!("costs at most {budget}")),
        Predicate::Replica => {
            let none = shape.inputs.iter().all(|input| input.dataset.is_none());
            unless(none, "all of its datasets at some site".to_owned())
        }
        Predicate::Network => unless(shape.inputs.is_empty(), "a link to its inputs".to_owned()),
        Predicate::Deadline => own.deadline.map(|_| "finished by the deadline".to_owned()),
        Predicate::Reachable => Some("its agent is in contact".to_owned()),
        Predicate::Refused => {
            unless(own.refused_by.is_empty(), "has not refused this job".to_owned())
        }
        Predicate::Quota => Some("its project's quota permits it".to_owned()),
        Predicate::Resources => Some("enough is free now".to_owned()),
        Predicate::Available => Some("what is free stays in service".to_owned()),
        Predicate::Priority => Some("what is free is not promised to jobs ahead".to_owned()),
    }
}

fn nodes(shape: &Shape) -> String {
    words::count(shape.nodes as usize, "node")
}

impl Cycle<'_> {
    /// Every candidate, and for every other cluster why not; clusters whose candidates all start
    /// later are also told what is not free.
    pub(crate) fn explain_fully(&self, run: &mut ClassRun<'_>, ranking: &Ranking) -> Explanation {
        let mut explanation = self.explain(run, ranking);
        let mut unfit: Vec<Unfit> = explanation.unfit.to_vec();
        for (cluster, first) in passed(self, run, ranking) {
            let predicate = match first {
                Some(
                    told @ (Predicate::Resources | Predicate::Available | Predicate::Priority),
                ) => told,
                _ => continue,
            };
            let offer = ranking
                .choices
                .iter()
                .map(|one| one.offer)
                .find(|&offer| run.class.offers[offer].cluster == cluster);
            let Some(offer) = offer else { continue };
            let there = match predicate {
                Predicate::Resources => self.free_in_words(run, offer),
                Predicate::Available => self.closed_in_words(run, offer),
                _ => "free, but promised to jobs ahead".to_owned(),
            };
            let site = self.view(run, offer).inventory.site.clone();
            let asked = in_words(run.shape);
            unfit.push(Unfit { cluster, site, predicate, asked, there });
        }
        unfit.sort_by_key(|entry| entry.cluster);
        explanation.unfit = Arc::from(unfit);
        explanation
    }

    /// `drained: new disks`.
    pub(crate) fn closed_in_words(&self, run: &ClassRun<'_>, offer: usize) -> String {
        let mut nodes = self.nodes(&run.class.offers[offer]).iter();
        let closure = nodes.find_map(|&node| self.closure(run, offer, node));
        closure.map_or_else(|| "closed".to_owned(), Closure::words)
    }

    /// `2 such nodes free now`.
    fn free_in_words(&self, run: &ClassRun<'_>, offer: usize) -> String {
        match self.count_free_now(run, offer) {
            0 => "no such node free now".to_owned(),
            some => format!("{} free now", words::count(some, "such node")),
        }
    }
}

fn in_words(shape: &Shape) -> String {
    let amount = match shape.sharing {
        Sharing::Shared => shape.per_node.to_string(),
        Sharing::Exclusive => "the whole node".to_owned(),
    };
    format!("{} with {amount} each", nodes(shape))
}
