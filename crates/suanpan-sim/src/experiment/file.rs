//! The experiment file, in TOML. Every key that is not known and every value that is wrong is
//! refused with its line and with what would be right.

use super::run::{self, Rule};
use super::section::{Section, Value, document};
use super::{
    ElasticFlavor, Experiment, Log, Metrics, Origin, Policy, Profiles, Scale, Site, SiteModel,
    Source,
};
use crate::metrics::SLOWDOWN_THRESHOLD;
use crate::problem::{Problem, Strictness};
use crate::workload::generate::Estimates;
use crate::workload::generate::lublin::{Model, Types};
use crate::workload::swf::Filter;
use crate::workload::{A_MOMENT, FILTERS, Format, Window};
use jiff::tz::TimeZone;
use std::path::Path;
use suanpan_sched::elastic::FlavorNodes;
use suanpan_site::model::batch::Convention;

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
    let site_value = top.need("site", "a table [site]")?;
    let site = site(site_value.section("a table [site]")?, folder)?;
    let sources = top.need("workload", "at least one table [[workload]]")?;
    let mut workload = Vec::new();
    for value in sources.list("tables [[workload]]")? {
        workload.push(source(value.section("a table")?, &site, folder)?);
    }
    if workload.is_empty() {
        return Err(top.wrong("workload", "an empty list", "at least one table [[workload]]"));
    }
    let rules = run::rules(&site.model);
    let rules: Vec<_> = rules.into_iter().filter(|(_, rule)| rule.suits(&site.model)).collect();
    let names: Vec<&str> = rules.iter().map(|(name, _)| *name).collect();
    let list = top.need("policies", &format!("a list of policies: {}", names.join(", ")))?;
    let policies = policies(list, &rules)?;
    let metrics = match top.take("metrics") {
        Some(value) => metrics(value.section("a table [metrics]")?, &site.model)?,
        None => default_metrics(&site.model),
    };
    top.finish()?;
    Ok(Experiment { name, seeds, workload, site, policies, metrics })
}

/// What is drawn side by side unless the file says it.
fn default_metrics(model: &SiteModel) -> Metrics {
    let compare: &[&str] = match model {
        SiteModel::Batch { .. } => {
            &["mean_bounded_slowdown", "mean_wait_s", "p95_wait_s", "utilization"]
        }
        SiteModel::GpuSharing { .. } => &["unallocated_percent", "placed_percent"],
        SiteModel::Elastic { .. } => &["mean_jct_s", "p99_jct_s", "mean_wait_s", "makespan_s"],
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

fn site(mut section: Section<'_>, folder: &Path) -> Result<Site, Problem> {
    let name = match section.take("name") {
        Some(value) => title(&value)?,
        None => "site".to_owned(),
    };
    let model = section.need("model", "\"batch\", \"gpu-sharing\" or \"elastic\"")?;
    let model = match model.word(&[("batch", 0), ("gpu-sharing", 1), ("elastic", 2)])? {
        0 => batch_site(&mut section)?,
        1 => gpu_sharing_site(&mut section, folder)?,
        _ => elastic_site(&mut section, folder)?,
    };
    section.finish()?;
    Ok(Site { name, model })
}

fn batch_site(section: &mut Section<'_>) -> Result<SiteModel, Problem> {
    let processors = section.need("processors", "how many processors the site has")?;
    let processors = processors.whole(1..=PROCESSORS_MAX, "processors")? as u32;
    let convention = match section.take("convention") {
        Some(value) => value.word(&[
            ("instant", Convention::Instant),
            ("pyss", Convention::Pyss),
            ("accasim", Convention::AccaSim),
            ("alea", Convention::Alea),
        ])?,
        None => Convention::default(),
    };
    let grade_starts = whole(section, "grade_starts", 1..=1_000_000, "every so many jobs")?;
    Ok(SiteModel::Batch { processors, convention, grade_starts })
}

fn gpu_sharing_site(section: &mut Section<'_>, folder: &Path) -> Result<SiteModel, Problem> {
    let expected = "the path of a node list in openb's form";
    let nodes = folder.join(section.need("nodes", expected)?.text(expected)?);
    let demand = whole(section, "demand_percent", 1..=1000, "percent of the GPUs")?;
    Ok(SiteModel::GpuSharing { nodes, demand_percent: demand.unwrap_or(130) })
}

fn elastic_site(section: &mut Section<'_>, folder: &Path) -> Result<SiteModel, Problem> {
    let profiles = profiles(section, folder)?;
    let round_s = whole(section, "round_s", 1..=86_400, "seconds")?;
    let expected = "at least one table [[site.flavor]]";
    let list = section.need("flavor", expected)?;
    let empty = list.wrong(expected);
    let mut flavors = Vec::new();
    for value in list.list("tables [[site.flavor]]")? {
        let mut flavor = value.section("a table")?;
        let gpu = flavor.need("gpu", "the GPU type as in the profiles' names")?;
        let gpu = title(&gpu)?;
        let nodes = flavor.need("nodes", "how many nodes")?.whole(1..=4096, "nodes")? as u32;
        let each = flavor.need("gpus_per_node", "GPUs of each node")?.whole(1..=64, "GPUs")? as u32;
        flavor.finish()?;
        flavors.push(ElasticFlavor { gpu, nodes: FlavorNodes { nodes, gpus_per_node: each } });
    }
    if flavors.is_empty() {
        Err(empty)
    } else {
        Ok(SiteModel::Elastic { flavors, profiles, round_s })
    }
}

/// `profiles` or `throughputs`.
fn profiles(section: &mut Section<'_>, folder: &Path) -> Result<Profiles, Problem> {
    let expected = "the path of a table of throughputs in Gavel's form";
    if let Some(value) = section.take("throughputs") {
        if section.take("profiles").is_some() {
            return Err(value.wrong("`profiles` or `throughputs`, not both"));
        }
        return Ok(Profiles::Gavel(folder.join(value.text(expected)?)));
    }
    let expected = "the path of a folder with profiles in Sia's form, or `throughputs`";
    Ok(Profiles::Sia(folder.join(section.need("profiles", expected)?.text(expected)?)))
}

fn source(mut section: Section<'_>, site: &Site, folder: &Path) -> Result<Source, Problem> {
    let generator = section.take("generator");
    if let (Some(value), false) = (&generator, matches!(site.model, SiteModel::Batch { .. })) {
        let word = site.model.word();
        return Err(
            value.wrong(&format!("`file` and `format`: nothing is drawn for a {word} site"))
        );
    }
    let name = section.take("name").map(|value| title(&value)).transpose()?;
    let origin = match &generator {
        None => Origin::Log(log(&mut section, site, folder)?),
        Some(value) => match value.word(&[("lublin", 0), ("fitted", 1)])? {
            0 => lublin(&mut section, site)?,
            _ => {
                let log = log(&mut section, site, folder)?;
                let jobs = whole(&mut section, "jobs", 1..=JOBS_MAX, "jobs to draw")?;
                Origin::Fitted { log, jobs: jobs.unwrap_or(0) }
            }
        },
    };
    let name = name.unwrap_or_else(|| match &origin {
        Origin::Lublin { .. } => "lublin".to_owned(),
        Origin::Log(log) | Origin::Fitted { log, .. } => log
            .path
            .file_name()
            .map_or_else(|| "log".to_owned(), |name| name.to_string_lossy().into_owned()),
    });
    let scale = scale(&mut section)?;
    section.finish()?;
    Ok(Source { name, origin, scale })
}

fn log(section: &mut Section<'_>, site: &Site, folder: &Path) -> Result<Log, Problem> {
    let path = section.need("file", "the path of a log, or generator = \"lublin\"")?;
    let text = path.text("a path in quotes")?;
    let words: Vec<(&'static str, Format)> =
        Format::WORDS.into_iter().filter(|(_, format)| format.suits(&site.model)).collect();
    let format = match section.take("format") {
        Some(value) => value.word(&words)?,
        None => {
            Format::of_name(&text).filter(|format| format.suits(&site.model)).ok_or_else(|| {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                section.wrong("format", "missing", &format!("one of: {}", known.join(", ")))
            })?
        }
    };
    let filter = match section.take("clean") {
        Some(value) if format != Format::Swf => {
            return Err(value.wrong("nothing: only SWF logs are cleaned"));
        }
        Some(value) => value.word(&FILTERS)?,
        None => Filter::None,
    };
    let processors = whole(section, "log_processors", 1..=PROCESSORS_MAX, "processors")?;
    let zone = match section.take("zone") {
        Some(value) => {
            let expected = "an IANA time zone such as \"Asia/Shanghai\"";
            TimeZone::get(&value.text(expected)?).map_err(|_| value.wrong(expected))?
        }
        None => TimeZone::UTC,
    };
    let strictness = match section.take("bad_lines") {
        Some(value) => value.word(&[("skip", Strictness::Skip), ("stop", Strictness::Strict)])?,
        None => Strictness::Skip,
    };
    let processors = processors.map(|count| count as u32);
    let window =
        Window { since: moment(section, "since", &zone)?, until: moment(section, "until", &zone)? };
    let path = folder.join(text);
    Ok(Log { path, format, filter, processors, zone, window, strictness })
}

fn moment(
    section: &mut Section<'_>,
    key: &'static str,
    zone: &TimeZone,
) -> Result<Option<i64>, Problem> {
    let Some(value) = section.take(key) else { return Ok(None) };
    let at = Window::moment(&value.moment(A_MOMENT)?, zone);
    at.map(Some).ok_or_else(|| value.wrong(A_MOMENT))
}

fn lublin(section: &mut Section<'_>, site: &Site) -> Result<Origin, Problem> {
    let jobs = section.need("jobs", "how many jobs to draw")?.whole(1..=JOBS_MAX, "jobs")?;
    let types = match section.take("types") {
        Some(value) => {
            let both = Types::BatchAndInteractive;
            value.word(&[("whole", Types::Whole), ("batch-and-interactive", both)])?
        }
        None => Types::Whole,
    };
    let site_processors = match site.model {
        SiteModel::Batch { processors, .. } => processors,
        SiteModel::GpuSharing { .. } | SiteModel::Elastic { .. } => 1,
    };
    let own = whole(section, "processors", 1..=PROCESSORS_MAX, "processors of the machine")?;
    let estimates = match number(section, "estimate_factor", 1.0..=1000.0, "a factor")? {
        Some(factor) if factor > 1.0 => Estimates::Factor(factor),
        _ => Estimates::Exact,
    };
    let processors = own.map_or(site_processors, |own| own as u32);
    Ok(Origin::Lublin { model: Model { types, processors, estimates }, jobs })
}

fn scale(section: &mut Section<'_>) -> Result<Scale, Problem> {
    let first = whole(section, "first", 1..=JOBS_MAX, "jobs to keep")?;
    let arrivals = number(section, "arrivals", 0.0001..=10_000.0, "a factor")?;
    let load = match section.take("load") {
        Some(value) if arrivals.is_some() => {
            return Err(value.wrong("`arrivals` or `load`, not both"));
        }
        Some(value) => Some(value.number(0.001..=100.0, "a share of the site")?),
        None => None,
    };
    let shake_s = whole(section, "shake_s", 0..=86_400, "seconds")?.unwrap_or(0);
    Ok(Scale { first, arrivals, load, shake_s })
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

fn policies(value: Value<'_>, rules: &[(&'static str, Rule)]) -> Result<Vec<Policy>, Problem> {
    let expected = "a list of policies, such as [\"fcfs\", \"easy\"]";
    let empty = value.wrong(expected);
    let mut policies: Vec<Policy> = Vec::new();
    for value in value.list(expected)? {
        let rule = value.word(rules)?;
        let name = value.text(expected)?;
        if policies.iter().any(|other| other.name == name) {
            return Err(value.wrong("each policy once"));
        }
        policies.push(Policy { name, rule });
    }
    if policies.is_empty() { Err(empty) } else { Ok(policies) }
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
