//! `sim import`: what is in a log, and what is wrong with it.

use super::{failure, write_jobs};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Form, Output, format, note};
use crate::sim_args::{SimImport, SimLog};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use suanpan_sim::experiment::Log;
use suanpan_sim::experiment::source::read_log;
use suanpan_sim::problem::{Skipped, Strictness};
use suanpan_sim::workload::job::Workload;
use suanpan_sim::workload::swf::Filter;
use suanpan_sim::workload::{A_MOMENT, Content, FILTERS, Format, Window};

/// Problems that are printed; all are counted.
const PRINTED: usize = 10;

/// Reads a log.
pub fn run(output: &Output, args: &SimImport) -> Outcome {
    let log = log(&args.file, &args.log)?;
    let read = read_log(&log).map_err(|error| {
        let failure = failure(&error);
        match args.log.strict {
            true => failure.hint("without --strict such a line is left out and counted"),
            false => failure,
        }
    })?;
    if let Some(to) = &args.to {
        let Content::Jobs(loaded) = &read.content else {
            let word = log.format.word();
            return Err(Failure::usage(format!(
                "--to: {word} has no jobs of the form that is written"
            )));
        };
        write_jobs(&loaded.workload, to)?;
        if to == Path::new("-") {
            say_skipped(&loaded.skipped);
            return Ok(exit::OK);
        }
    }
    let found = Found::of(&log, &read.content);
    match output.form {
        Form::Json => output.json("simulation_import", None, &found)?,
        Form::Ids => output.line(found.count.to_string())?,
        Form::Text => say(output, &found)?,
    }
    if output.form != Form::Json {
        say_skipped(read.content.skipped());
    }
    Ok(exit::OK)
}

/// The log that the arguments name.
pub fn log(file: &Path, args: &SimLog) -> Result<Log, Failure> {
    let words = |known: Vec<&str>| known.join(", ");
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let known = || words(Format::WORDS.iter().map(|(word, _)| *word).collect());
    let format = match &args.format {
        Some(word) => {
            let found = Format::WORDS.iter().find(|(known, _)| known == word);
            found.map(|(_, format)| *format).ok_or_else(|| {
                Failure::usage(format!("--format: `{word}`: expected one of: {}", known()))
            })?
        }
        None => Format::of_name(&name).ok_or_else(|| {
            Failure::usage(format!("{name}: its name does not say what it is"))
                .hint(format!("name its format with --format: {}", known()))
        })?,
    };
    let filter = match &args.clean {
        None => Filter::None,
        Some(word) => {
            let found = FILTERS.iter().find(|(known, _)| known == word);
            found.map(|(_, filter)| *filter).ok_or_else(|| {
                let known = words(FILTERS.iter().map(|(word, _)| *word).collect());
                Failure::usage(format!("--clean: `{word}`: expected one of: {known}"))
            })?
        }
    };
    let strictness = if args.strict { Strictness::Strict } else { Strictness::Skip };
    let zone = jiff::tz::TimeZone::get(&args.zone).map_err(|_| {
        let expected = "an IANA time zone such as Asia/Shanghai";
        Failure::usage(format!("--zone: `{}`: expected {expected}", args.zone))
    })?;
    let moment = |flag: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Window::moment(text, &zone)
            .map(Some)
            .ok_or_else(|| Failure::usage(format!("{flag}: `{text}`: expected {A_MOMENT}"))),
    };
    let window =
        Window { since: moment("--since", &args.since)?, until: moment("--until", &args.until)? };
    let (path, processors) = (file.to_owned(), args.log_processors);
    Ok(Log { path, format, filter, processors, zone, window, strictness })
}

/// What was read, as a document.
#[derive(Serialize)]
struct Found {
    file: String,
    format: String,
    /// How many, of what is named.
    count: u64,
    of: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<JobsFound>,
    skipped: u64,
    left_out: BTreeMap<&'static str, u64>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct JobsFound {
    users: usize,
    queues: usize,
    processors_max: u32,
    span_s: u64,
    processor_seconds: f64,
    without_requested_time: u64,
}

impl Found {
    fn of(log: &Log, content: &Content) -> Found {
        let (of, jobs) = match content {
            Content::Jobs(loaded) => ("job", Some(JobsFound::of(&loaded.workload))),
            Content::Pods(_) => ("pod", None),
            Content::Nodes(_) => ("node", None),
            Content::Training(_) | Content::Trace(_) => ("training job", None),
            Content::Throughputs(_) => ("throughput", None),
        };
        Found {
            file: log.path.display().to_string(),
            format: log.format.word().to_owned(),
            count: content.count() as u64,
            of,
            jobs,
            skipped: content.skipped().count,
            left_out: content.left_out(),
            problems: content.skipped().first.iter().map(ToString::to_string).collect(),
        }
    }
}

impl JobsFound {
    fn of(workload: &Workload) -> JobsFound {
        let jobs = &workload.jobs;
        JobsFound {
            users: workload.users.len(),
            queues: workload.queues.len(),
            processors_max: jobs.iter().map(|job| job.processors).max().unwrap_or(0),
            span_s: workload.span_s(),
            processor_seconds: workload.work() as f64,
            without_requested_time: jobs.iter().filter(|job| job.requested_s == 0).count() as u64,
        }
    }
}

fn say(output: &Output, found: &Found) -> Result<(), Failure> {
    let count = output.bold(&format::counted(found.count, found.of));
    output.line(format!("{}: {count} ({})", found.file, found.format))?;
    if let Some(jobs) = &found.jobs {
        let users = format::counted(jobs.users as u64, "user");
        let queues = format::counted(jobs.queues as u64, "queue");
        output.line(format!("  of        {users}, {queues}"))?;
        output.line(format!("  over      {}", format::length(jobs.span_s)))?;
        output.line(format!("  widest    {} processors", jobs.processors_max))?;
        let hours = jobs.processor_seconds / 3600.0;
        output.line(format!("  work      {hours:.0} processor hours"))?;
        if jobs.without_requested_time > 0 {
            let jobs = format::counted(jobs.without_requested_time, "job");
            output.line(format!("  {jobs} without a requested time"))?;
        }
    }
    for (reason, count) in &found.left_out {
        output.line(format!("  left out  {}: {reason}", format::counted(*count, "line")))?;
    }
    Ok(())
}

fn say_skipped(skipped: &Skipped) {
    if skipped.count == 0 {
        return;
    }
    note(format!("{} left out because they are wrong:", format::counted(skipped.count, "line")));
    for problem in skipped.first.iter().take(PRINTED) {
        note(format!("  {problem}"));
    }
    let more = skipped.count.saturating_sub(PRINTED as u64);
    if more > 0 {
        note(format!("  and {more} more"));
    }
}
