//! The kinds of logs, and reading one of them into jobs.

use super::gavel::{self, Throughput, TraceJob};
use super::job::{Job, Loaded, Names};
use super::openb::{OpenbNode, OpenbPod};
use super::swf::{self, Filter, SwfJob};
use super::{job, kueue, openb, philly, sacct, sia};
use crate::experiment::{Log, Profiles, SiteModel};
use crate::problem::{Imported, Problem, Skipped};
use std::collections::BTreeMap;
use suanpan_site::model::elastic::TrainingJob;

/// A kind of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Our own CSV, [`job::COLUMNS`].
    Jobs,
    /// [`swf`].
    Swf,
    /// [`philly`].
    Philly,
    /// [`kueue`].
    Kueue,
    /// [`sacct`].
    Sacct,
    /// [`super::journal`]: a folder, not a file.
    Journal,
    /// [`openb`]: a list of pods, or of nodes.
    Openb,
    /// [`sia`]: training jobs.
    Sia,
    /// [`gavel`]: training jobs, or throughputs.
    Gavel,
}

impl Format {
    /// Their names on the command line and in experiment files.
    pub const WORDS: [(&'static str, Format); 9] = [
        ("jobs", Format::Jobs),
        ("swf", Format::Swf),
        ("philly", Format::Philly),
        ("kueue", Format::Kueue),
        ("sacct", Format::Sacct),
        ("journal", Format::Journal),
        ("openb", Format::Openb),
        ("sia", Format::Sia),
        ("gavel", Format::Gavel),
    ];

    /// The format that a file's name shows without doubt.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Format> {
        let name = name.strip_suffix(".zst").unwrap_or(name);
        match name {
            name if name.ends_with(".jobs.csv") => Some(Format::Jobs),
            name if name.ends_with(".swf") => Some(Format::Swf),
            _ => None,
        }
    }

    /// Whether a site of this kind runs what it has.
    #[must_use]
    pub fn suits(self, model: &SiteModel) -> bool {
        match self {
            Format::Openb => matches!(model, SiteModel::GpuSharing { .. }),
            Format::Sia => matches!(model, SiteModel::Elastic { profiles: Profiles::Sia(_), .. }),
            Format::Gavel => {
                matches!(model, SiteModel::Elastic { profiles: Profiles::Gavel(_), .. })
            }
            _ => matches!(model, SiteModel::Batch { .. } | SiteModel::Network(_)),
        }
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = Format::WORDS.iter().find(|(_, format)| *format == self);
        found.map_or("", |(word, _)| word)
    }
}

/// The names of the filters that clean an SWF log.
pub const FILTERS: [(&str, Filter); 4] = [
    ("none", Filter::None),
    ("gaussier", Filter::Gaussier),
    ("gaussier-run-times", Filter::GaussierRunTimes),
    ("alea", Filter::Alea),
];

/// What a log has.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Jobs.
    Jobs(Box<Loaded>),
    /// Pods.
    Pods(Imported<OpenbPod>),
    /// Nodes whose GPUs are shared.
    Nodes(Imported<OpenbNode>),
    /// Training jobs.
    Training(Imported<TrainingJob>),
    /// Training jobs of a trace, by type and steps.
    Trace(Imported<TraceJob>),
    /// Measured throughputs of job types.
    Throughputs(Imported<Throughput>),
}

impl Content {
    /// Jobs that were read.
    #[must_use]
    pub fn jobs(loaded: Loaded) -> Content {
        Content::Jobs(Box::new(loaded))
    }

    /// How many of them there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Content::Jobs(loaded) => loaded.workload.jobs.len(),
            Content::Pods(pods) => pods.items.len(),
            Content::Nodes(nodes) => nodes.items.len(),
            Content::Training(jobs) => jobs.items.len(),
            Content::Trace(jobs) => jobs.items.len(),
            Content::Throughputs(rates) => rates.items.len(),
        }
    }

    /// The lines that are wrong.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        match self {
            Content::Jobs(loaded) => &loaded.skipped,
            Content::Pods(pods) => &pods.skipped,
            Content::Nodes(nodes) => &nodes.skipped,
            Content::Training(jobs) => &jobs.skipped,
            Content::Trace(jobs) => &jobs.skipped,
            Content::Throughputs(rates) => &rates.skipped,
        }
    }

    /// The lines left out although nothing is wrong with them.
    #[must_use]
    pub fn left_out(&self) -> BTreeMap<&'static str, u64> {
        match self {
            Content::Jobs(loaded) => loaded.left_out.clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// Reads the text of a log as its format says; a journal has none.
///
/// # Errors
/// What the format's own reader refuses; text that is not UTF-8 where it must be.
pub fn read(bytes: &[u8], file: &str, log: &Log) -> Result<Content, Problem> {
    if log.format == Format::Swf {
        return read_swf(bytes, file, log).map(Content::jobs);
    }
    let text = str::from_utf8(bytes).map_err(|error| Problem {
        file: file.to_owned(),
        line: bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1,
        field: "text".to_owned(),
        value: "bytes that are not UTF-8".to_owned(),
        expected: "UTF-8".to_owned(),
    })?;
    let strictness = log.strictness;
    match log.format {
        Format::Philly => philly::read(text, file, strictness).map(Content::jobs),
        Format::Kueue => kueue::read(text, file).map(Content::jobs),
        Format::Sacct => sacct::read(text, file, &log.zone, strictness).map(Content::jobs),
        Format::Jobs | Format::Swf | Format::Journal => {
            job::read_csv(text, file, strictness).map(Content::jobs)
        }
        // Both lists of a trace have the same format; the node list's first column is `sn`.
        Format::Openb if text.starts_with("sn,") => {
            openb::parse_nodes(file, text, strictness).map(Content::Nodes)
        }
        Format::Openb => openb::parse_pods(file, text, strictness).map(Content::Pods),
        Format::Sia => sia::parse(file, text, strictness).map(Content::Training),
        Format::Gavel if text.trim_start().starts_with('{') => {
            gavel::parse_throughputs(file, text, strictness).map(Content::Throughputs)
        }
        Format::Gavel => gavel::parse_trace(file, text, strictness).map(Content::Trace),
    }
}

fn read_swf(bytes: &[u8], file: &str, log: &Log) -> Result<Loaded, Problem> {
    let options = swf::Options { filter: log.filter, processors: log.processors };
    let read = swf::parse(file, bytes, &options, log.strictness)?;
    let mut loaded = Loaded { skipped: read.jobs.skipped, ..Loaded::default() };
    let cleaned = read.cleaned;
    let dropped = [
        ("neither requested nor allocated processors", cleaned.without_processors),
        ("wider than the machine", if log.filter == Filter::Alea { 0 } else { cleaned.too_wide }),
        ("no run time above zero", cleaned.without_run),
    ];
    loaded.left_out.extend(dropped.into_iter().filter(|(_, count)| *count > 0));
    if log.filter == Filter::Gaussier && cleaned.without_request > 0 {
        loaded.left_out.insert("no requested time", cleaned.without_request);
    }
    let first = read.jobs.items.first().map_or(0, |job| job.submit);
    loaded.workload.begins = read.header.unix_start_time.map(|at| at.saturating_add(first));
    for swf in read.jobs.items {
        let (Some(run_s), Some(processors)) = (swf.run, swf.processors()) else {
            loaded.leave_out("no run time, or no processors");
            continue;
        };
        let submit_s = swf.submit.saturating_sub(first).unsigned_abs();
        let id = swf.number.unsigned_abs();
        let mut job = Job::bare(id, submit_s, run_s, processors);
        job.requested_s = swf.requested_time.unwrap_or(0);
        name(&mut loaded, &mut job, &swf, read.queues.name(swf.queue_name));
        loaded.workload.jobs.push(job);
    }
    Ok(loaded)
}

fn name(loaded: &mut Loaded, job: &mut Job, swf: &SwfJob, queue: &str) {
    let workload = &mut loaded.workload;
    let of = |names: &mut Names, number: Option<u32>| {
        number.map_or(0, |number| names.number(&number.to_string()))
    };
    job.user = of(&mut workload.users, swf.user);
    job.group = of(&mut workload.groups, swf.group);
    job.program = of(&mut workload.programs, swf.executable);
    job.queue = match queue {
        "" => of(&mut workload.queues, swf.queue),
        name => workload.queues.number(name),
    };
}
