//! What the runs of an experiment come to together: the document `summary.json`.

use crate::experiment::campaign::{RunRecord, SCHEMA};
use crate::experiment::digest::{Agreement, Better, Curve, Group, GroupKind, Metric, Timeline};
use crate::experiment::network::size;
use crate::experiment::source::{ReadLog, Sources};
use crate::experiment::{Experiment, Origin, SiteModel, Source, run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod student;
#[cfg(test)]
mod tests;

pub use student::{Estimate, estimate};

/// Bins that a timeline has at most, so that it can be read.
const BINS_SHOWN: u64 = 192;

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// The experiment's name.
    pub name: String,
    /// Version of this program.
    pub version: String,
    /// How the site behaves.
    pub model: String,
    /// The site's name.
    pub site: String,
    /// How large it is.
    pub size: u64,
    /// What its size counts: processors or GPUs.
    pub size_unit: String,
    /// Run times below this count as this in a bounded slowdown, seconds.
    pub bounded_slowdown_s: u64,
    /// Repetitions of every policy.
    pub seeds: Vec<u64>,
    /// Where jobs came from.
    pub workload: Vec<SourceSummary>,
    /// How sure the means are.
    pub confidence: Confidence,
    /// The metrics, in order.
    pub metrics: Vec<MetricSummary>,
    /// Those drawn side by side.
    pub compare: Vec<String>,
    /// Thresholds of each distribution.
    pub thresholds: BTreeMap<String, Vec<f64>>,
    /// The sites of a network; nothing for a site of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteSummary>,
    /// The metrics of each site and of each project of a network.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub group_metrics: BTreeMap<GroupKind, Vec<MetricSummary>>,
    /// The policies, in order; the first is the one the others are compared with.
    pub policies: Vec<PolicySummary>,
}

/// A site of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteSummary {
    /// Its name.
    pub name: String,
    /// CPUs of its nodes.
    pub cpus: u64,
    /// GPUs of its nodes.
    pub gpus: u64,
}

/// One source of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceSummary {
    /// Its name.
    pub name: String,
    /// Its kind: a format or a generator.
    pub kind: String,
    /// Lines of the log that were left out because something in them is wrong.
    pub skipped: u64,
    /// Lines left out although nothing is wrong with them, by reason.
    pub left_out: BTreeMap<String, u64>,
}

/// How sure the means are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// The probability that an interval covers the mean.
    pub level: f64,
    /// How intervals are made.
    pub method: String,
}

/// A metric and how it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// Its key.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its unit; empty if it has none.
    pub unit: String,
    /// Decimals shown.
    pub decimals: u32,
    /// `lower`, `higher` or `neutral`.
    pub better: String,
}

/// One policy over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySummary {
    /// Its name.
    pub name: String,
    /// Jobs that the site could never run and that were left out, over all seeds.
    pub left_out: u64,
    /// Its runs, in the order of the seeds.
    pub runs: Vec<RunSummary>,
    /// Each metric over the seeds.
    pub metrics: BTreeMap<String, Estimate>,
    /// Each metric less that of the first policy with the same seed.
    pub difference: BTreeMap<String, Estimate>,
    /// Amounts over time, over the seeds.
    pub timelines: Vec<TimelineSummary>,
    /// For each distribution, the share of all jobs at most at each threshold.
    pub distributions: BTreeMap<String, Vec<f64>>,
    /// Amounts against demand, over the seeds.
    pub curves: Vec<CurveSummary>,
    /// Each site and each project of a network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSummary>,
    /// How what was expected agrees with what happened, over all seeds together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreements: Vec<Agreement>,
}

/// A site or a project of a network, over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Which of both.
    pub kind: GroupKind,
    /// Its name.
    pub name: String,
    /// Each of the kind's metrics.
    pub metrics: BTreeMap<String, Estimate>,
}

/// An amount against the demand that has come: mean, least and most over the seeds at each percent
/// of the site; percentages that no run has are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveSummary {
    /// What it is.
    pub name: String,
    /// Demand, percent of the site.
    pub demand: Vec<u32>,
    /// Mean over the seeds.
    pub mean: Vec<f64>,
    /// Least over the seeds.
    pub least: Vec<f64>,
    /// Most over the seeds.
    pub most: Vec<f64>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its seed.
    pub seed: u64,
    /// Its per-job file, below the output directory.
    pub file: String,
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
}

/// An amount over time: mean, least and most over the seeds, for each bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineSummary {
    /// What it is.
    pub name: String,
    /// Width of a bin, seconds.
    pub bin_s: u64,
    /// Mean over the seeds.
    pub mean: Vec<f64>,
    /// Least over the seeds.
    pub least: Vec<f64>,
    /// Most over the seeds.
    pub most: Vec<f64>,
}

/// Brings the runs together, policy by policy.
#[must_use]
pub fn summarize(
    experiment: &Experiment,
    sources: &Sources<'_>,
    runs: &[Vec<RunRecord>],
) -> Summary {
    let model = &experiment.site.model;
    let metrics = run::metrics(model);
    let (size, size_unit) = sources.size();
    let all = || runs.iter().flatten();
    let lines = || all().flat_map(|run| &run.digest.timelines);
    let longest = lines().map(|line| line.bin_s * line.sums.len() as u64).max().unwrap_or(1);
    let mut bin_s = lines().map(|line| line.bin_s).max().unwrap_or(1);
    while longest.div_ceil(bin_s) > BINS_SHOWN {
        bin_s *= 2;
    }
    let bins = longest.div_ceil(bin_s) as usize;
    let kinds =
        [GroupKind::Site, GroupKind::Project].map(|kind| (kind, run::group_metrics(model, kind)));
    let kinds: BTreeMap<GroupKind, Vec<Metric>> =
        kinds.into_iter().filter(|(_, metrics)| !metrics.is_empty()).collect();
    let policy = |records: &Vec<RunRecord>| PolicySummary {
        groups: groups(records, &kinds),
        ..policy(records, &runs[0], &metrics, bin_s, bins)
    };
    let thresholds = all().next().map(|run| &run.digest.distributions).into_iter().flatten();
    Summary {
        schema: SCHEMA.to_owned(),
        name: experiment.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.word().to_owned(),
        site: experiment.site.name.clone(),
        size,
        size_unit: size_unit.to_owned(),
        bounded_slowdown_s: experiment.metrics.bounded_slowdown_s,
        seeds: experiment.seeds.clone(),
        workload: sources.logs().map(source).collect(),
        confidence: Confidence {
            level: student::LEVEL,
            method: "Student's t over the seeds; differences paired by seed".to_owned(),
        },
        metrics: metrics.iter().map(shown).collect(),
        compare: experiment.metrics.compare.clone(),
        sites: sites(model),
        group_metrics: kinds
            .iter()
            .map(|(kind, metrics)| (*kind, metrics.iter().map(shown).collect()))
            .collect(),
        thresholds: thresholds.map(|one| (one.name.clone(), one.at_most.clone())).collect(),
        policies: runs.iter().map(policy).collect(),
    }
}

fn source((source, logs): (&Source, &[ReadLog])) -> SourceSummary {
    let kind = match &source.origin {
        Origin::Lublin { .. } => "Lublin-Feitelson model".to_owned(),
        Origin::Log(log) => log.format.word().to_owned(),
        Origin::Fitted { log, .. } => format!("fitted to {}", log.format.word()),
    };
    let mut left_out = BTreeMap::new();
    for (reason, count) in logs.iter().flat_map(|log| log.content.left_out()) {
        *left_out.entry(reason.to_owned()).or_default() += count;
    }
    let skipped = logs.iter().map(|log| log.content.skipped().count).sum();
    SourceSummary { name: source.name.clone(), kind, skipped, left_out }
}

fn shown(metric: &Metric) -> MetricSummary {
    let better = match metric.better {
        Better::Lower => "lower",
        Better::Higher => "higher",
        Better::Neutral => "neutral",
    };
    MetricSummary {
        name: metric.name.to_owned(),
        title: metric.title.to_owned(),
        unit: metric.unit.to_owned(),
        decimals: metric.decimals,
        better: better.to_owned(),
    }
}

fn policy(
    records: &[RunRecord],
    first: &[RunRecord],
    metrics: &[Metric],
    bin_s: u64,
    bins: usize,
) -> PolicySummary {
    let over_seeds = |value: &dyn Fn(usize, usize) -> f64| -> BTreeMap<String, Estimate> {
        let one = |(place, metric): (usize, &Metric)| {
            let values: Vec<f64> = (0..records.len()).map(|run| value(run, place)).collect();
            (metric.name.to_owned(), estimate(&values))
        };
        metrics.iter().enumerate().map(one).collect()
    };
    let value = |run: usize, place: usize| records[run].digest.metrics[place];
    let run = |record: &RunRecord| RunSummary {
        seed: record.seed,
        file: record.file.clone(),
        metrics: metrics
            .iter()
            .zip(&record.digest.metrics)
            .map(|(metric, value)| (metric.name.to_owned(), *value))
            .collect(),
    };
    let names = records.first().map(|record| record.digest.timelines.len()).unwrap_or(0);
    let lines = |place: usize| {
        let of_run = |record: &RunRecord| record.digest.timelines[place].widened(bin_s);
        timeline(&records.iter().map(of_run).collect::<Vec<_>>(), bins)
    };
    PolicySummary {
        name: records.first().map(|record| record.policy.clone()).unwrap_or_default(),
        left_out: records.iter().map(|record| record.left_out).sum(),
        runs: records.iter().map(run).collect(),
        metrics: over_seeds(&value),
        difference: over_seeds(&|run, place| value(run, place) - first[run].digest.metrics[place]),
        timelines: (0..names).map(lines).collect(),
        distributions: distributions(records),
        curves: curves(records),
        groups: Vec::new(),
        agreements: agreements(records),
    }
}

fn sites(model: &SiteModel) -> Vec<SiteSummary> {
    let SiteModel::Network(network) = model else { return Vec::new() };
    let site = |site: &std::sync::Arc<suanpan_model::site::Inventory>| {
        let (cpus, gpus) = size(site);
        SiteSummary { name: site.site.clone(), cpus, gpus }
    };
    network.sites.iter().map(site).collect()
}

/// Each site and project over the seeds; every run has the same ones in the same order.
fn groups(records: &[RunRecord], kinds: &BTreeMap<GroupKind, Vec<Metric>>) -> Vec<GroupSummary> {
    let Some(first) = records.first() else { return Vec::new() };
    let group = |(place, group): (usize, &Group)| {
        let of = |(index, metric): (usize, &Metric)| {
            let value = |run: &RunRecord| run.digest.groups[place].metrics[index];
            let values: Vec<f64> = records.iter().map(value).collect();
            (metric.name.to_owned(), estimate(&values))
        };
        GroupSummary {
            kind: group.kind,
            name: group.name.clone(),
            metrics: kinds[&group.kind].iter().enumerate().map(of).collect(),
        }
    };
    first.digest.groups.iter().enumerate().map(group).collect()
}

fn agreements(records: &[RunRecord]) -> Vec<Agreement> {
    let Some((first, others)) = records.split_first() else { return Vec::new() };
    let mut all = first.digest.agreements.clone();
    for record in others {
        for (sum, one) in all.iter_mut().zip(&record.digest.agreements) {
            sum.add_all(one);
        }
    }
    all
}

fn curves(records: &[RunRecord]) -> Vec<CurveSummary> {
    let places = records.first().map_or(0, |record| record.digest.curves.len());
    let of = |place: usize| {
        let runs: Vec<&Curve> = records.iter().map(|run| &run.digest.curves[place]).collect();
        let longest = runs.iter().map(|run| run.values.len()).max().unwrap_or(0);
        let mut curve = CurveSummary {
            name: runs[0].name.clone(),
            demand: Vec::new(),
            mean: Vec::new(),
            least: Vec::new(),
            most: Vec::new(),
        };
        for demand in 0..longest {
            let value = |run: &&Curve| run.values.get(demand).copied().flatten();
            let values: Vec<f64> = runs.iter().filter_map(value).collect();
            if !values.is_empty() {
                curve.demand.push(demand as u32);
                curve.mean.push(values.iter().sum::<f64>() / values.len() as f64);
                curve.least.push(values.iter().copied().fold(f64::INFINITY, f64::min));
                curve.most.push(values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            }
        }
        curve
    };
    (0..places).map(of).collect()
}

/// Mean, least and most of the same timeline of several runs; one that ended early goes on at 0.
fn timeline(runs: &[Timeline], bins: usize) -> TimelineSummary {
    let means: Vec<Vec<f64>> = runs.iter().map(Timeline::means).collect();
    let at = |bin: usize| means.iter().map(move |run| run.get(bin).copied().unwrap_or(0.0));
    let count = runs.len() as f64;
    TimelineSummary {
        name: runs[0].name.clone(),
        bin_s: runs[0].bin_s,
        mean: (0..bins).map(|bin| at(bin).sum::<f64>() / count).collect(),
        least: (0..bins).map(|bin| at(bin).fold(f64::INFINITY, f64::min)).collect(),
        most: (0..bins).map(|bin| at(bin).fold(0.0, f64::max)).collect(),
    }
}

/// The shares over the jobs of all runs together.
fn distributions(records: &[RunRecord]) -> BTreeMap<String, Vec<f64>> {
    let Some(first) = records.first() else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for (place, distribution) in first.digest.distributions.iter().enumerate() {
        let of: u64 = records.iter().map(|run| run.digest.distributions[place].of).sum();
        let share = |threshold: usize| {
            let below = |run: &RunRecord| run.digest.distributions[place].counts[threshold];
            let count: u64 = records.iter().map(below).sum();
            if of == 0 { 0.0 } else { count as f64 / of as f64 }
        };
        let shares = (0..distribution.at_most.len()).map(share).collect();
        all.insert(distribution.name.clone(), shares);
    }
    all
}
