//! One run: a policy on the workload of a seed.
//!
//! Each kind of site has a file here: its rules by name, its metrics, how a run of it goes, and the
//! columns of its per-job file.

pub mod batch;
pub mod elastic;
pub mod network;
pub mod outcome;
pub mod packing;

use super::digest::{Digest, GroupKind, Metric};
use super::source::Input;
use super::{Experiment, Profiles, SiteModel};
use crate::workload::job::Workload;
use outcome::Outcome;
use std::io::{self, Write};
use std::sync::Arc;
use suanpan_sched::packing::PolicyName;
use suanpan_site::model::batch::{BatchSettings, Convention, StartEstimate};

/// What a policy does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// At a batch site.
    Batch(batch::BatchRule),
    /// At a site whose GPUs are shared.
    Packing(PolicyName),
    /// At an elastic training site.
    Elastic(elastic::ElasticRule),
    /// Over a network.
    Network(network::NetworkRule),
}

impl Rule {
    /// Whether a site of this kind can be asked for it with all that is asked of the site: Alea's
    /// convention has FCFS and EASY, starts are graded only where a policy knows no more than an
    /// onlooker sees, and jobs of Gavel's traces keep the GPUs and the batch that they ask for.
    #[must_use]
    pub fn suits(&self, model: &SiteModel) -> bool {
        match (self, model) {
            (Rule::Batch(rule), SiteModel::Batch { convention, grade_starts, .. }) => {
                let has_convention = *convention != Convention::Alea || rule.is_aleas();
                has_convention && (grade_starts.is_none() || rule.is_visible())
            }
            (Rule::Elastic(rule), SiteModel::Elastic { profiles: Profiles::Gavel(_), .. }) => {
                rule.is_fixed()
            }
            _ => true,
        }
    }
}

/// The names of the policies that a site can be asked for, with what they do.
#[must_use]
pub fn rules(model: &SiteModel) -> Vec<(&'static str, Rule)> {
    let mut rules = match model {
        SiteModel::Batch { .. } => named(&batch::BatchRule::WORDS, Rule::Batch),
        SiteModel::GpuSharing { .. } => named(&packing::WORDS, Rule::Packing),
        SiteModel::Elastic { .. } => named(&elastic::ElasticRule::words(), Rule::Elastic),
        SiteModel::Network(_) => named(&network::words(), Rule::Network),
    };
    rules.retain(|(_, rule)| rule.suits(model));
    rules
}

fn named<T: Copy>(words: &[(&'static str, T)], rule: fn(T) -> Rule) -> Vec<(&'static str, Rule)> {
    words.iter().map(|(word, one)| (*word, rule(*one))).collect()
}

/// The metrics of a kind of site, in the order of their tables.
#[must_use]
pub fn metrics(model: &SiteModel) -> Vec<Metric> {
    match model {
        SiteModel::Batch { grade_starts: Some(_), .. } => batch::GRADED_METRICS.to_vec(),
        SiteModel::Batch { .. } => batch::METRICS.to_vec(),
        SiteModel::GpuSharing { .. } => packing::METRICS.to_vec(),
        SiteModel::Elastic { .. } => elastic::METRICS.to_vec(),
        SiteModel::Network(network) => network::metrics(network),
    }
}

/// The metrics of each part of a network of this kind; none where there are no parts.
#[must_use]
pub fn group_metrics(model: &SiteModel, kind: GroupKind) -> Vec<Metric> {
    match model {
        SiteModel::Network(network) => network::group_metrics(kind, network),
        _ => Vec::new(),
    }
}

/// What a run gives.
pub struct Finished {
    /// What became of each job.
    pub rows: Rows,
    /// What it comes to.
    pub digest: Digest,
    /// Jobs that the site could never run, left out.
    pub left_out: u64,
}

/// What became of each job, in the order of the workload.
pub enum Rows {
    /// At a batch site; with estimates of the starts, if they were graded.
    Batch(Vec<Outcome>, Vec<Option<StartEstimate>>, Arc<Workload>),
    /// At a site whose GPUs are shared.
    Packing(Vec<packing::PodRow>),
    /// At an elastic training site.
    Elastic(Vec<elastic::TrainingRow>),
    /// Over a network.
    Network(Box<network::NetworkRows>),
}

impl Rows {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Rows::Batch(rows, ..) => rows.len(),
            Rows::Packing(rows) => rows.len(),
            Rows::Elastic(rows) => rows.len(),
            Rows::Network(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes them as CSV, line by line.
    ///
    /// # Errors
    /// As the writer's.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Rows::Batch(rows, said, workload) => outcome::write_csv(rows, said, workload, out),
            Rows::Packing(rows) => packing::write_csv(rows, out),
            Rows::Elastic(rows) => elastic::write_csv(rows, out),
            Rows::Network(rows) => rows.write(out),
        }
    }
}

/// Does a run.
///
/// # Errors
/// A workload asks what its site cannot do at all, such as to train a model without a profile.
pub fn run(
    experiment: &Experiment,
    input: &Input,
    rule: Rule,
    seed: u64,
) -> anyhow::Result<Finished> {
    match (&experiment.site.model, input, rule) {
        (
            SiteModel::Batch { processors, convention, grade_starts },
            Input::Jobs(workload),
            Rule::Batch(rule),
        ) => {
            let (processors, convention) = (*processors, *convention);
            let settings = BatchSettings { processors, policy: rule.policy, convention };
            Ok(batch::run(workload, settings, rule, *grade_starts, &experiment.metrics))
        }
        (SiteModel::GpuSharing { demand_percent, .. }, Input::Pods(study), Rule::Packing(name)) => {
            Ok(packing::run(study, *demand_percent, name, seed))
        }
        (
            SiteModel::Elastic { round_s, flavors, .. },
            Input::Training(training),
            Rule::Elastic(rule),
        ) => elastic::run(training, flavors, *round_s, rule),
        (SiteModel::Network(model), Input::Network(submissions), Rule::Network(rule)) => {
            network::run(model, &experiment.workload, submissions, rule, &experiment.metrics)
        }
        _ => anyhow::bail!("the workload is not of the kind that the site runs"),
    }
}
