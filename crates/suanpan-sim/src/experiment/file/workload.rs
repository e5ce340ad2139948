//! The sources of jobs of an experiment file.

use super::policies::GOALS;
use super::{JOBS_MAX, PROCESSORS_MAX, network, number, title, whole};
use crate::experiment::network::{Binding, NetworkModel};
use crate::experiment::section::Section;
use crate::experiment::{Log, Origin, Scale, Site, SiteModel, Source};
use crate::problem::{Problem, Strictness};
use crate::workload::generate::Estimates;
use crate::workload::generate::lublin::{Model, Types};
use crate::workload::swf::Filter;
use crate::workload::{A_MOMENT, FILTERS, Format, Window};
use jiff::tz::TimeZone;
use std::path::Path;
use suanpan_model::job::{Goal, InputNeed, Requeue, Sharing};
use suanpan_model::memory::Mebibytes;
use suanpan_model::tres::Tres;

pub(super) fn source(
    mut section: Section<'_>,
    site: &Site,
    folder: &Path,
) -> Result<Source, Problem> {
    let generator = section.take("generator");
    let is_drawn = matches!(site.model, SiteModel::Batch { .. } | SiteModel::Network(_));
    if let (Some(value), false) = (&generator, is_drawn) {
        let word = site.model.word();
        return Err(
            value.wrong(&format!("`file` and `format`: nothing is drawn for a {word} site"))
        );
    }
    let name = section.take("name").map(|value| title(&value)).transpose()?;
    let binding = match &site.model {
        SiteModel::Network(network) => Some(binding(&mut section, network)?),
        _ => None,
    };
    // The machine that a generator draws for, unless it is told.
    let processors = match (&site.model, &binding) {
        (SiteModel::Batch { processors, .. }, _) => *processors,
        (SiteModel::Network(network), Some(binding)) => {
            u32::try_from(network.room(binding).site).unwrap_or(u32::MAX)
        }
        _ => 1,
    };
    let origin = match &generator {
        None => Origin::Log(log(&mut section, site, folder)?),
        Some(value) => match value.word(&[("lublin", 0), ("fitted", 1)])? {
            0 => lublin(&mut section, processors)?,
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
    let binding = binding.map(|binding| match binding.project.is_empty() {
        true => Binding { project: name.clone(), ..binding },
        false => binding,
    });
    let scale = scale(&mut section)?;
    section.finish()?;
    Ok(Source { name, origin, scale, binding })
}

/// What the jobs of a source ask of a network. A project that is not named is the source's name.
fn binding(section: &mut Section<'_>, network: &NetworkModel) -> Result<Binding, Problem> {
    for key in ["output", "outputs"] {
        if let Some(value) = section.take(key) {
            return Err(value.wrong(
                "nothing: the scheduler weighs `inputs` only, results are copied after a job's end",
            ));
        }
    }
    let text =
        |section: &mut Section<'_>, key| section.take(key).map(|value| title(&value)).transpose();
    let project = text(section, "project")?.unwrap_or_default();
    let user = text(section, "user")?;
    let goal = section.take("goal").map(|value| value.word(&GOALS)).transpose()?;
    let budget = section.take("budget").map(|value| network::credits(&value)).transpose()?;
    let rank = rank(section, network)?;
    let sharing = section.take("sharing");
    let sharing = sharing
        .map(|value| value.word(&[("shared", Sharing::Shared), ("exclusive", Sharing::Exclusive)]));
    let mut binding = Binding {
        project,
        user,
        goal: goal.unwrap_or(Goal::Balanced),
        budget,
        qos: rank.qos,
        requeue: rank.requeue,
        nice: rank.nice,
        sites: known(section, "sites", network, |site| vec![&site.site])?,
        partitions: known(section, "partitions", network, |site| {
            site.partitions.iter().map(|partition| partition.name.as_str()).collect()
        })?,
        flavors: known(section, "flavors", network, |site| {
            site.flavors.iter().map(|flavor| flavor.name.as_str()).collect()
        })?,
        features: known(section, "features", network, |site| {
            site.nodes.iter().flat_map(|node| &node.features).map(String::as_str).collect()
        })?,
        sharing: sharing.transpose()?.unwrap_or_default(),
        inputs: inputs(section, network)?,
        per_processor: Tres { cpus: 1, memory: Mebibytes::ZERO, gpus: 0 },
        processors_per_node: 1,
    };
    if let Some(value) = section.take("per_processor") {
        let expected = "what each processor asks, such as { cpus = 4, gpus = 1, memory = \"16G\" }";
        binding.per_processor = per_processor(value.section(expected)?)?;
    }
    let room = network.room(&binding);
    if room.node == 0 {
        let (value, one) = ("no node", binding.per_processor);
        let expected = format!("a node that its jobs may use with room for one processor: {one}");
        return Err(section.wrong("per_processor", value, &expected));
    }
    let each = whole(section, "processors_per_node", 1..=PROCESSORS_MAX, "processors")?;
    binding.processors_per_node = each.map_or(room.node, |each| each as u32);
    Ok(binding)
}

/// What counts only where jobs have priorities.
struct Rank {
    qos: Option<String>,
    nice: i32,
    requeue: Requeue,
}

fn rank(section: &mut Section<'_>, network: &NetworkModel) -> Result<Rank, Problem> {
    let mut rank = Rank { qos: None, nice: 0, requeue: Requeue::Never };
    let Some(policy) = &network.priorities else {
        for key in ["qos", "nice", "requeue"] {
            if let Some(value) = section.take(key) {
                return Err(value.wrong("nothing: without a table [priorities] no job has one"));
            }
        }
        return Ok(rank);
    };
    if let Some(value) = section.take("qos") {
        let known: Vec<&str> = policy.qos.keys().map(String::as_str).collect();
        let expected = match known.is_empty() {
            true => "a QOS that a table [priorities.qos.NAME] names".to_owned(),
            false => format!("one of: {}", known.join(", ")),
        };
        let name = value.text(&expected)?;
        if !known.contains(&name.as_str()) {
            return Err(value.wrong(&expected));
        }
        rank.qos = Some(name);
    }
    if let Some(nice) = whole(section, "nice", 0..=2_147_483_645, "points of priority")? {
        rank.nice = nice as i32;
    }
    if let Some(value) = section.take("requeue") {
        rank.requeue =
            value.word(&[("never", Requeue::Never), ("on-failure", Requeue::OnFailure)])?;
    }
    Ok(rank)
}

/// Names of the network, each of which must be there.
fn known<'n>(
    section: &mut Section<'_>,
    key: &'static str,
    network: &'n NetworkModel,
    names: impl Fn(&'n suanpan_model::site::Inventory) -> Vec<&'n str>,
) -> Result<Vec<String>, Problem> {
    let Some(value) = section.take(key) else { return Ok(Vec::new()) };
    let mut there: Vec<&str> = network.sites.iter().flat_map(|site| names(site)).collect();
    there.sort_unstable();
    there.dedup();
    let expected = match there.is_empty() {
        true => format!("none: the network has no {key}"),
        false => format!("a list of some of: {}", there.join(", ")),
    };
    let mut wanted = Vec::new();
    for value in value.list(&expected)? {
        let name = value.text(&expected)?;
        if !there.contains(&name.as_str()) {
            return Err(value.wrong(&expected));
        }
        wanted.push(name);
    }
    Ok(wanted)
}

fn per_processor(mut section: Section<'_>) -> Result<Tres, Problem> {
    let cpus = whole(&mut section, "cpus", 1..=65_536, "CPUs")?.unwrap_or(1) as u32;
    let gpus = whole(&mut section, "gpus", 0..=1_024, "GPUs")?.unwrap_or(0) as u32;
    let memory = section.take("memory").map(|value| network::memory(&value)).transpose()?;
    section.finish()?;
    Ok(Tres { cpus, memory: memory.unwrap_or(Mebibytes::ZERO), gpus })
}

/// Inputs of every job, each with its size and where it is.
fn inputs(section: &mut Section<'_>, network: &NetworkModel) -> Result<Vec<InputNeed>, Problem> {
    let Some(value) = section.take("inputs") else { return Ok(Vec::new()) };
    let mut inputs = Vec::new();
    for value in value.list("a list of inputs, such as [{ size = \"20G\" }]")? {
        let at_home =
            value.wrong("`at`: no site has `home = true`, so nothing is at the front door");
        let mut input = value.section("a table with `size` and `at`")?;
        let size = input.need("size", "how much is copied, such as \"20G\"")?;
        let bytes = network::memory(&size)?.bytes();
        let bytes = bytes.ok_or_else(|| size.wrong("a size below 8388608T"))?;
        let names: Vec<&str> = network.sites.iter().map(|site| site.site.as_str()).collect();
        let at = match input.take("at") {
            Some(value) => {
                let expected = format!("the site where it is: {}", names.join(", "));
                let name = value.text(&expected)?;
                if !names.contains(&name.as_str()) {
                    return Err(value.wrong(&expected));
                }
                Some(name)
            }
            None if network.sites.iter().all(|site| !site.home) => return Err(at_home),
            None => None,
        };
        input.finish()?;
        inputs.push(InputNeed { at, bytes, dataset: None });
    }
    Ok(inputs)
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

fn lublin(section: &mut Section<'_>, machine: u32) -> Result<Origin, Problem> {
    let jobs = section.need("jobs", "how many jobs to draw")?.whole(1..=JOBS_MAX, "jobs")?;
    let types = match section.take("types") {
        Some(value) => {
            let both = Types::BatchAndInteractive;
            value.word(&[("whole", Types::Whole), ("batch-and-interactive", both)])?
        }
        None => Types::Whole,
    };
    let own = whole(section, "processors", 1..=PROCESSORS_MAX, "processors of the machine")?;
    let estimates = match number(section, "estimate_factor", 1.0..=1000.0, "a factor")? {
        Some(factor) if factor > 1.0 => Estimates::Factor(factor),
        _ => Estimates::Exact,
    };
    let processors = own.map_or(machine, |own| own as u32);
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
