//! From the model's types to those of the API.

use serde::Serialize;
use std::collections::BTreeMap;
use suanpan_engine::state::State;
use suanpan_model::id::{ClusterId, DatasetId};
use suanpan_model::job::Shape;
use suanpan_model::money::MicroCredits;
use suanpan_model::network::Origin;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_sched::flavor_speed::Basis;
use suanpan_sched::reason::{Candidate, Unfit};
use suanpan_sched::waits::WaitBasis;
use suanpan_wire::v1;

/// The name of an enum's value as it is written in JSON: `time_limit`, `NoSiteFits`.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => unreachable!("only enums without fields are written as words"),
    }
}

/// A point of time.
pub(super) fn time(at: Timestamp) -> v1::Time {
    v1::Time::from_micros(at.0)
}

/// An amount of the network's credit.
pub(super) fn money(amount: MicroCredits) -> v1::Money {
    v1::Money::credits(amount.0)
}

/// Resources of one node, or of several together.
pub(super) fn per_node(tres: &Tres) -> v1::PerNode {
    v1::PerNode { cpus: tres.cpus, memory_mib: tres.memory.get(), gpus: tres.gpus }
}

/// Names of clusters and datasets by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    clusters: BTreeMap<ClusterId, String>,
    datasets: BTreeMap<DatasetId, String>,
}

impl Names {
    /// Those of all clusters.
    pub(super) fn of(state: &State) -> Names {
        let clusters = state.clusters().map(|(id, cluster)| (id, cluster.name.clone()));
        Names { clusters: clusters.collect(), datasets: BTreeMap::new() }
    }

    /// The same and those of the datasets that a job reads.
    pub(super) fn of_job(state: &State, shape: &Shape) -> Names {
        let read = shape.inputs.iter().filter_map(|input| state.datasets().get(input.dataset?));
        let datasets = read.map(|dataset| (dataset.id, dataset.to_string())).collect();
        Names { datasets, ..Names::of(state) }
    }

    /// A sentence of the scheduler, which knows datasets by their numbers only.
    pub(super) fn say(&self, text: &str) -> String {
        // The larger number first: `dataset 1` begins like `dataset 12`.
        self.datasets.iter().rev().fold(text.to_owned(), |text, (id, name)| {
            text.replace(&format!("dataset {id}"), &format!("dataset {name}"))
        })
    }

    /// Adds a cluster.
    pub(super) fn insert(&mut self, id: ClusterId, name: &str) {
        self.clusters.insert(id, name.to_owned());
    }

    /// One cluster's name.
    pub(super) fn get(&self, id: ClusterId) -> String {
        self.clusters.get(&id).cloned().unwrap_or_else(|| format!("cluster {id}"))
    }
}

/// Candidates as the API shows them; the one at `chosen` has the tick.
pub(super) fn candidates(
    found: &[Candidate],
    chosen: Option<usize>,
    now: Timestamp,
    names: &Names,
) -> Vec<v1::Candidate> {
    let show = |(index, one): (usize, &Candidate)| v1::Candidate {
        site: one.site.clone(),
        cluster: names.get(one.cluster),
        partition: one.partition.clone(),
        flavor: one.flavor.clone(),
        chosen: chosen == Some(index),
        start_at: time(one.start),
        start_latest_at: time(one.start_latest),
        wait_s: one.start.since(now).0,
        wait_from: match one.wait_from {
            WaitBasis::Free | WaitBasis::Queue => v1::PartFrom::Measured,
            WaitBasis::Limits => v1::PartFrom::Declared,
            WaitBasis::Learnt(_) => v1::PartFrom::Learnt,
        },
        stage_s: one.stage.0,
        stage_from: one.stage_from.map(part_from),
        run_s: one.run.0,
        run_from: match one.basis {
            Basis::Declared => v1::RunFrom::Declared,
            Basis::Published => v1::RunFrom::Table,
            Basis::Learnt(_) => v1::RunFrom::Learnt,
        },
        learnt_from: match one.basis {
            Basis::Learnt(jobs) => Some(jobs),
            Basis::Declared | Basis::Published => None,
        },
        out_s: one.out.0,
        out_from: one.out_from.map(part_from),
        finish_at: time(one.finish),
        cost: money(one.cost),
        score: one.score,
    };
    found.iter().enumerate().map(show).collect()
}

fn part_from(origin: Origin) -> v1::PartFrom {
    match origin {
        Origin::Declared => v1::PartFrom::Declared,
        Origin::Measured => v1::PartFrom::Measured,
        Origin::Derived => v1::PartFrom::Derived,
        Origin::Assumed => v1::PartFrom::Assumed,
    }
}

/// Clusters that cannot take a job, as the API shows them.
pub(super) fn unfit(found: &[Unfit], names: &Names) -> Vec<v1::Unfit> {
    let show = |one: &Unfit| v1::Unfit {
        site: one.site.clone(),
        cluster: names.get(one.cluster),
        condition: word(&one.predicate),
        asked: names.say(&one.asked),
        there: names.say(&one.there),
        text: names.say(&super::explain::unfit_text(one)),
    };
    found.iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::{Names, word};
    use std::collections::BTreeMap;
    use suanpan_model::id::DatasetId;
    use suanpan_sched::reason::{Predicate, WaitingFor};

    #[test]
    fn words_are_those_of_json() {
        assert_eq!(word(&Predicate::TimeLimit), "time_limit");
        assert_eq!(word(&WaitingFor::NoSiteFits), "NoSiteFits");
    }

    #[test]
    fn datasets_are_named() {
        let datasets = [(1, "images/train@1"), (12, "models@3")];
        let datasets = datasets.map(|(id, name)| (DatasetId(id), name.to_owned()));
        let names = Names { clusters: BTreeMap::new(), datasets: datasets.into() };
        let said = names.say("all of dataset 12 at some site, not dataset 1");
        assert_eq!(said, "all of dataset models@3 at some site, not dataset images/train@1");
    }
}
