//! What an elastic site believes of its jobs' goodput, and the batches that follow from it.

use std::collections::BTreeMap;

use suanpan_sched::elastic::goodput::{Candidate, best, candidates, shape};
use suanpan_sched::elastic::learner::{Learner, News};
use suanpan_sched::elastic::model::{Model, Split};
use suanpan_sched::elastic::performance::Observed;
use suanpan_sched::elastic::step_times::Times;
use suanpan_sched::elastic::training::Gradient;
use suanpan_sched::elastic::{Configuration, FlavorNodes, Shape, configurations};

use super::{Batches, Knowledge, TrainingJob};

/// One job: its number, the index of its model, and the model.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub job: usize,
    pub index: usize,
    pub model: &'a Model,
}

/// The estimates of a site.
pub(super) struct Estimates {
    batches: Batches,
    flavors: Vec<FlavorNodes>,
    configurations: Vec<Configuration>,
    /// The batches worth trying, by model that was submitted and by configuration.
    tables: BTreeMap<usize, Vec<Vec<Candidate>>>,
    /// What was learnt, by job or by model, and how often that changed.
    learners: BTreeMap<usize, (Learner, u64)>,
    /// True step times that were asked for before.
    times: BTreeMap<(usize, usize, Shape, u32), Option<Times>>,
}

impl Estimates {
    pub(super) fn new(batches: Batches, flavors: Vec<FlavorNodes>) -> Estimates {
        Estimates {
            batches,
            configurations: configurations(&flavors),
            flavors,
            tables: BTreeMap::new(),
            learners: BTreeMap::new(),
            times: BTreeMap::new(),
        }
    }

    /// Makes ready for a job.
    pub(super) fn admit(&mut self, of: Of<'_>) {
        let Batches::Tuned(knowledge) = self.batches else { return };
        let (flavors, configurations) = (&self.flavors, &self.configurations);
        self.tables.entry(of.index).or_insert_with(|| {
            let one = |c: &Configuration| candidates(of.model, c.flavor, &shape(*c, flavors));
            configurations.iter().map(one).collect()
        });
        if let Some(key) = key(knowledge, of) {
            let alone = of
                .model
                .step_times
                .iter()
                .map(|times| times.as_ref().map_or(0.0, |times| times.samples_per_s_alone()));
            self.learners.entry(key).or_insert_with(|| (Learner::new(alone.collect()), 0));
        }
    }

    /// Forgets what only this job knew.
    pub(super) fn dismiss(&mut self, of: Of<'_>) {
        if self.batches == Batches::Tuned(Knowledge::OwnRun) {
            self.learners.remove(&of.job);
        }
    }

    /// Changes when the estimates for a job do.
    pub(super) fn version(&self, of: Of<'_>) -> u64 {
        self.learner(of).map_or(0, |(_, version)| *version)
    }

    fn learner(&self, of: Of<'_>) -> Option<&(Learner, u64)> {
        let Batches::Tuned(knowledge) = self.batches else { return None };
        self.learners.get(&key(knowledge, of)?)
    }

    /// Estimated goodput by configuration; none if batches are fixed.
    pub(super) fn goodputs(&self, of: Of<'_>, gradient: Gradient) -> Vec<f64> {
        let Some(table) = self.tables.get(&of.index) else { return Vec::new() };
        let initial = of.model.training.initial_batch();
        if let Some((learner, _)) = self.learner(of) {
            return learner.goodputs(&self.configurations, &self.flavors, table, gradient, initial);
        }
        let goodput = |list: &Vec<Candidate>| best(list, gradient, initial, |c| c.step_s);
        table.iter().map(|list| goodput(list).map_or(0.0, |best| best.1)).collect()
    }

    /// How a job splits its batch on the GPUs it has: the batch its user asked for, or the one of
    /// highest estimated goodput, or the smallest where nothing is known.
    pub(super) fn split(
        &self,
        of: Of<'_>,
        asked: &TrainingJob,
        flavor: usize,
        on: &Shape,
        gradient: Gradient,
    ) -> Split {
        if self.batches == Batches::Fixed {
            return of.model.fixed_split(flavor, on, asked.batch).unwrap_or_default();
        }
        let known = |c: &Configuration| c.flavor == flavor && shape(*c, &self.flavors) == *on;
        let place = self.configurations.iter().position(known);
        let computed;
        let list = match (place, self.tables.get(&of.index)) {
            (Some(place), Some(table)) => &table[place],
            _ => {
                computed = candidates(of.model, flavor, on);
                &computed
            }
        };
        let initial = of.model.training.initial_batch();
        let learnt = self.learner(of).map(|(learner, _)| learner.on(flavor));
        let chosen = match learnt {
            None => best(list, gradient, initial, |c| c.step_s).map(|best| best.0),
            Some(None) => list.first().copied(),
            Some(Some(fitted)) => {
                let step_s = |c: &Candidate| fitted.step_s(on.nodes(), on.gpus(), c.split);
                best(list, gradient, initial, step_s).map(|best| best.0)
            }
        };
        chosen.map_or_else(Split::default, |chosen| chosen.split)
    }

    /// The true times of a pass.
    pub(super) fn times(
        &mut self,
        of: Of<'_>,
        flavor: usize,
        on: &Shape,
        local_batch: u32,
    ) -> Option<Times> {
        let key = (of.index, flavor, on.clone(), local_batch);
        *self
            .times
            .entry(key)
            .or_insert_with(|| of.model.step_times.get(flavor)?.as_ref()?.at(on, local_batch))
    }

    /// Takes note of a step that a job did.
    pub(super) fn observe(&mut self, of: Of<'_>, flavor: usize, step: Observed) {
        let Batches::Tuned(knowledge) = self.batches else { return };
        let learner = key(knowledge, of).and_then(|key| self.learners.get_mut(&key));
        if let Some((learner, version)) = learner
            && learner.observe(flavor, step) == News::Learnt
        {
            *version += 1;
        }
    }
}

/// Under which number the knowledge that serves a job is kept, if it is learnt.
fn key(knowledge: Knowledge, of: Of<'_>) -> Option<usize> {
    match knowledge {
        Knowledge::Measured => None,
        Knowledge::OwnRun => Some(of.job),
        Knowledge::AllRuns => Some(of.index),
    }
}
