//! The experiment file, in TOML. Every key that is not known and every value that is wrong is
//! refused with its line and with what would be right.

use super::run::Rule;
use super::section::{Section, Value, document};
use super::{Experiment, Log, Metrics, Origin, Policy, Scale, Site, SiteModel, Source};
use crate::problem::{Problem, Strictness};
use crate::workload::generate::Estimates;
use crate::workload::generate::lublin::{Model, Types};
use crate::workload::swf::Filter;
use crate::workload::{FILTERS, Format};
use jiff::tz::TimeZone;
use std::path::Path;
use suanpan_site::model::batch::Convention;

#[cfg(test)]
mod tests;

/// Most jobs a generator is asked for.
pub const JOBS_MAX: u64 = 1_000_000_000;
/// Most processors of a site.
pub const PROCESSORS_MAX: u64 = 100_000_000;
/// Most runs of each policy.
const SEEDS_MAX: u64 = 10_000;

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
    let site = site(site_value.section("a table [site]")?)?;
    let sources = top.need("workload", "at least one table [[workload]]")?;
    let mut workload = Vec::new();
    for value in sources.list("tables [[workload]]")? {
        workload.push(source(value.section("a table")?, &site, folder)?);
    }
    if workload.is_empty() {
        return Err(top.wrong("workload", "an empty list", "at least one table [[workload]]"));
    }
    let list =
        top.need("policies", &format!("a list of policies: {}", Rule::names().join(", ")))?;
    let policies = policies(list)?;
    let metrics = match top.take("metrics") {
        Some(value) => metrics(value.section("a table [metrics]")?)?,
        None => Metrics::default(),
    };
    top.finish()?;
    Ok(Experiment { name, seeds, workload, site, policies, metrics })
}

impl Default for Metrics {
    fn default() -> Metrics {
        let compare = ["mean_bounded_slowdown", "mean_wait_s", "p95_wait_s", "utilization"];
        Metrics { bounded_slowdown_s: 10, compare: compare.map(str::to_owned).to_vec() }
    }
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
    let expected = "seeds as [1, 2, 3] or \"1-10\"";
    if value.is_text() {
        let text = value.text(expected)?;
        let ends = text.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?))
        });
        return match ends {
            Some((first, last)) if first <= last && last - first < SEEDS_MAX => {
                Ok((first..=last).collect())
            }
            _ => Err(value.wrong(expected)),
        };
    }
    let empty = value.wrong(expected);
    let mut seeds = Vec::new();
    for value in value.list(expected)? {
        let seed = value.whole(0..=u64::MAX >> 1, "a seed")?;
        if seeds.contains(&seed) {
            return Err(value.wrong("each seed once"));
        }
        seeds.push(seed);
    }
    if seeds.is_empty() { Err(empty) } else { Ok(seeds) }
}

fn site(mut section: Section<'_>) -> Result<Site, Problem> {
    let name = match section.take("name") {
        Some(value) => title(&value)?,
        None => "site".to_owned(),
    };
    section.need("model", "\"batch\"")?.word(&[("batch", ())])?;
    let processors = section.need("processors", "how many processors the site has")?;
    let processors = processors.whole(1..=PROCESSORS_MAX, "processors")? as u32;
    let convention = match section.take("convention") {
        Some(value) => value.word(&[
            ("instant", Convention::Instant),
            ("pyss", Convention::Pyss),
            ("accasim", Convention::AccaSim),
        ])?,
        None => Convention::default(),
    };
    section.finish()?;
    Ok(Site { name, model: SiteModel::Batch { processors, convention } })
}

fn source(mut section: Section<'_>, site: &Site, folder: &Path) -> Result<Source, Problem> {
    let generator = section.take("generator");
    let name = section.take("name").map(|value| title(&value)).transpose()?;
    let origin = match &generator {
        None => Origin::Log(log(&mut section, folder)?),
        Some(value) => match value.word(&[("lublin", 0), ("fitted", 1)])? {
            0 => lublin(&mut section, site)?,
            _ => {
                let log = log(&mut section, folder)?;
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

fn log(section: &mut Section<'_>, folder: &Path) -> Result<Log, Problem> {
    let path = section.need("file", "the path of a log, or generator = \"lublin\"")?;
    let text = path.text("a path in quotes")?;
    let format = match section.take("format") {
        Some(value) => value.word(&Format::WORDS)?,
        None => Format::of_name(&text).ok_or_else(|| {
            let known: Vec<&str> = Format::WORDS.iter().map(|(word, _)| *word).collect();
            section.wrong("format", "missing", &format!("one of: {}", known.join(", ")))
        })?,
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
    Ok(Log { path: folder.join(text), format, filter, processors, zone, strictness })
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
    let SiteModel::Batch { processors, .. } = site.model;
    let own = whole(section, "processors", 1..=PROCESSORS_MAX, "processors of the machine")?;
    let estimates = match number(section, "estimate_factor", 1.0..=1000.0, "a factor")? {
        Some(factor) if factor > 1.0 => Estimates::Factor(factor),
        _ => Estimates::Exact,
    };
    let processors = own.map_or(processors, |own| own as u32);
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

fn policies(value: Value<'_>) -> Result<Vec<Policy>, Problem> {
    let expected = "a list of policies, such as [\"fcfs\", \"easy\"]";
    let empty = value.wrong(expected);
    let mut policies: Vec<Policy> = Vec::new();
    for value in value.list(expected)? {
        let rule = value.word(&Rule::WORDS)?;
        let name = value.text(expected)?;
        if policies.iter().any(|other| other.name == name) {
            return Err(value.wrong("each policy once"));
        }
        policies.push(Policy { name, rule });
    }
    if policies.is_empty() { Err(empty) } else { Ok(policies) }
}

fn metrics(mut section: Section<'_>) -> Result<Metrics, Problem> {
    let mut metrics = Metrics::default();
    if let Some(seconds) = whole(&mut section, "bounded_slowdown_s", 1..=86_400, "seconds")? {
        metrics.bounded_slowdown_s = seconds;
    }
    if let Some(value) = section.take("compare") {
        let known: Vec<(&'static str, &'static str)> =
            super::digest::BATCH_METRICS.iter().map(|metric| (metric.name, metric.name)).collect();
        metrics.compare.clear();
        for value in value.list("a list of metrics")? {
            metrics.compare.push(value.word(&known)?.to_owned());
        }
    }
    section.finish()?;
    Ok(metrics)
}
