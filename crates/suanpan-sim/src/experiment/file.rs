//! The experiment file, in TOML. Every key that is not known and every value that is wrong is
//! refused with its line and with what would be right.

use super::run;
use super::section::{Section, Value, document};
use super::{Experiment, Metrics, Site, SiteModel};
use crate::metrics::SLOWDOWN_THRESHOLD;
use crate::problem::Problem;
use std::path::Path;

mod network;
mod policies;
mod priorities;
mod quotas;
mod sites;
mod workload;

#[cfg(test)]
mod tests;

/// Most jobs a generator is asked for.
pub const JOBS_MAX: u64 = 1_000_000_000;
/// Most processors of a site.
pub const PROCESSORS_MAX: u64 = 100_000_000;
/// Most runs of each policy.
const SEEDS_MAX: u64 = 10_000;
/// Largest seed: what the published openb workloads are numbered by.
const SEED_MAX: u64 = u32::MAX as u64;

/// Reads the text of an experiment file. Relative paths in it are completed with `folder`.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Experiment, Problem> {
    let mut top = document(file, text)?;
    let name = top.need("name", "a name in quotes")?;
    let name = title(&name)?;
    let seeds = match top.take("seeds") {
        Some(value) => seeds(value)?,
        None => vec![1],
    };
    let site = place(&mut top, folder)?;
    let sources = top.need("workload", "at least one table [[workload]]")?;
    let mut workload = Vec::new();
    for value in sources.list("tables [[workload]]")? {
        workload.push(workload::source(value.section("a table")?, &site, folder)?);
    }
    if workload.is_empty() {
        return Err(top.wrong("workload", "an empty list", "at least one table [[workload]]"));
    }
    let rules = run::rules(&site.model);
    let names: Vec<&str> = rules.iter().map(|(name, _)| *name).collect();
    let list = top.need("policies", &format!("a list of policies: {}", names.join(", ")))?;
    let policies = policies::policies(list, &site.model)?;
    if policies::leave_priorities_unused(&policies, &site.model) {
        let expected = "a policy with `order = \"priority\"`, or no such table";
        return Err(top.wrong("priorities", "a table", expected));
    }
    let metrics = match top.take("metrics") {
        Some(value) => metrics(value.section("a table [metrics]")?, &site.model)?,
        None => default_metrics(&site.model),
    };
    top.finish()?;
    Ok(Experiment { name, seeds, workload, site, policies, metrics })
}

/// Where jobs run: a table `[site]` is one site by its model, tables `[[site]]` are a network.
fn place(top: &mut Section<'_>, folder: &Path) -> Result<Site, Problem> {
    let expected = "a table [site], or tables [[site]] for a network";
    let value = top.need("site", expected)?;
    if value.is_list() {
        return network::network(top, value);
    }
    let site = sites::site(value.section(expected)?, folder)?;
    for key in ["flavor", "link", "priorities", "quotas"] {
        if let Some(value) = top.take(key) {
            return Err(
                value.wrong("nothing: it is for a network, whose sites are tables [[site]]")
            );
        }
    }
    Ok(site)
}

/// What is drawn side by side unless the file says it.
fn default_metrics(model: &SiteModel) -> Metrics {
    let compare: &[&str] = match model {
        SiteModel::Batch { .. } => {
            &["mean_bounded_slowdown", "mean_wait_s", "p95_wait_s", "utilization"]
        }
        SiteModel::GpuSharing { .. } => &["unallocated_percent", "placed_percent"],
        SiteModel::Elastic { .. } => &["mean_jct_s", "p99_jct_s", "mean_wait_s", "makespan_s"],
        SiteModel::Network(_) => &["mean_wait_s", "mean_turnaround_s", "cost", "utilization"],
    };
    let compare = compare.iter().map(|name| (*name).to_owned()).collect();
    Metrics { bounded_slowdown_s: SLOWDOWN_THRESHOLD, compare }
}

/// Text that is shown as a title: not empty, one line.
fn title(value: &Value<'_>) -> Result<String, Problem> {
    let expected = "a name in quotes, one line of 1 to 80 characters";
    let text = value.text(expected)?;
    let fits = !text.trim().is_empty() && text.chars().count() <= 80;
    let plain = !text.chars().any(char::is_control);
    if fits && plain { Ok(text.trim().to_owned()) } else { Err(value.wrong(expected)) }
}

/// `[1, 2, 3]` or `"1-10"`.
fn seeds(value: Value<'_>) -> Result<Vec<u64>, Problem> {
    let expected = "seeds as [1, 2, 3] or \"1-10\", each at most 4294967295";
    if value.is_text() {
        let text = value.text(expected)?;
        let ends = text.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?))
        });
        let in_range = |first, last| first <= last && last <= SEED_MAX && last - first < SEEDS_MAX;
        return match ends {
            Some((first, last)) if in_range(first, last) => Ok((first..=last).collect()),
            _ => Err(value.wrong(expected)),
        };
    }
    let empty = value.wrong(expected);
    let mut seeds = Vec::new();
    for value in value.list(expected)? {
        let seed = value.whole(0..=SEED_MAX, "a seed")?;
        if seeds.contains(&seed) {
            return Err(value.wrong("each seed once"));
        }
        seeds.push(seed);
    }
    if seeds.is_empty() { Err(empty) } else { Ok(seeds) }
}

fn metrics(mut section: Section<'_>, model: &SiteModel) -> Result<Metrics, Problem> {
    let mut metrics = default_metrics(model);
    if let Some(seconds) = whole(&mut section, "bounded_slowdown_s", 1..=86_400, "seconds")? {
        metrics.bounded_slowdown_s = seconds;
    }
    if let Some(value) = section.take("compare") {
        let known: Vec<(&'static str, &'static str)> =
            run::metrics(model).iter().map(|metric| (metric.name, metric.name)).collect();
        metrics.compare.clear();
        for value in value.list("a list of metrics")? {
            metrics.compare.push(value.word(&known)?.to_owned());
        }
    }
    section.finish()?;
    Ok(metrics)
}

fn whole(
    section: &mut Section<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
    what: &str,
) -> Result<Option<u64>, Problem> {
    section.take(key).map(|value| value.whole(range, what)).transpose()
}

fn number(
    section: &mut Section<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<f64>,
    what: &str,
) -> Result<Option<f64>, Problem> {
    section.take(key).map(|value| value.number(range, what)).transpose()
}
