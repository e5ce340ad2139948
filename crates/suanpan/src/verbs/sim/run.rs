//! `sim run`, `sim check` and `sim report`.

use super::failure;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupts;
use crate::output::table::{Align, Item, Rows};
use crate::output::{Form, Output, format, note};
use crate::progress::Progress;
use crate::sim_args::SimRun;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use suanpan_sim::experiment::campaign::{self, Reuse, Setting, Watch};
use suanpan_sim::experiment::source::{ReadLog, Sources};
use suanpan_sim::experiment::{Experiment, Policy, Source};
use suanpan_sim::output;
use suanpan_sim::summary::{Estimate, Summary};

/// What was done, as a document.
#[derive(Serialize)]
struct Simulation {
    directory: String,
    report: String,
    summary: String,
    runs: usize,
    reused: usize,
    policies: Vec<PolicyLine>,
}

#[derive(Serialize)]
struct PolicyLine {
    name: String,
    metrics: BTreeMap<String, Estimate>,
}

/// Runs an experiment.
pub fn run(output: &Output, args: &SimRun) -> Outcome {
    let (experiment, text) =
        output::read_experiment(&args.file).map_err(|error| failure(&error))?;
    let sources = opened(&experiment)?;
    let out = args.out.clone().unwrap_or_else(|| results_beside(&args.file));
    output::prepare(&out, &text).map_err(|error| failure(&error))?;
    let threads = args.threads.unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
    });
    let reuse = if args.fresh { Reuse::Nothing } else { Reuse::WhatIsRight };
    let setting = Setting { out: out.clone(), threads, reuse };
    let watched = Watched::begin("simulating", "jobs")?;
    let done = campaign::run(&experiment, &sources, &setting, &watched)
        .map_err(|error| failure(&error))?;
    watched.clear();
    if done.reused > 0 {
        let runs = format::counted(done.reused as u64, "run");
        note(format!("{runs} of before kept: nothing they depend on has changed"));
    }
    let Some(runs) = done.complete() else {
        let of = experiment.policies.len() * experiment.seeds.len();
        let kept = done.reused + done.ran;
        return Err(Failure::interrupted().hint(format!(
            "{kept} of {of} runs are done and kept in {}; the same command goes on",
            out.display()
        )));
    };
    let summary =
        output::conclude(&out, &experiment, &sources, &runs).map_err(|error| failure(&error))?;
    let report = out.join("report.html").display().to_string();
    match output.form {
        Form::Json => output.json(
            "simulation",
            None,
            &Simulation {
                directory: out.display().to_string(),
                summary: out.join("summary.json").display().to_string(),
                report,
                runs: done.ran,
                reused: done.reused,
                policies: summary.policies.iter().map(line).collect(),
            },
        )?,
        Form::Ids => output.line(report)?,
        Form::Text => {
            table(output, &summary)?;
            output.line(format!("\nReport: {}", output.bold(&report)))?;
        }
    }
    Ok(exit::OK)
}

fn line(policy: &suanpan_sim::summary::PolicySummary) -> PolicyLine {
    PolicyLine { name: policy.name.clone(), metrics: policy.metrics.clone() }
}

/// Reads the logs of an experiment.
fn opened(experiment: &Experiment) -> Result<Sources<'_>, Failure> {
    let sources = Sources::open(experiment).map_err(|error| failure(&error))?;
    if !sources.differ_by_seed() && experiment.seeds.len() > 1 {
        return Err(Failure::usage(format!(
            "{} seeds would all run the same jobs in the same way",
            experiment.seeds.len()
        ))
        .hint("give one seed, or shake the log with `shake_s`, or draw from it with \"fitted\""));
    }
    Ok(sources)
}

/// `experiment.toml` leaves its output in `experiment.results`.
fn results_beside(file: &Path) -> PathBuf {
    PathBuf::from(file.with_extension("results").file_name().unwrap_or_default())
}

fn table(output: &Output, summary: &Summary) -> Result<(), Failure> {
    let columns: Vec<_> = summary
        .compare
        .iter()
        .filter_map(|name| summary.metrics.iter().find(|metric| metric.name == *name))
        .collect();
    let heads: Vec<String> = columns
        .iter()
        .map(|metric| match metric.unit.as_str() {
            "" => metric.title.to_uppercase(),
            unit => format!("{} ({unit})", metric.title.to_uppercase()),
        })
        .collect();
    let mut all = vec![("POLICY", Align::Left)];
    all.extend(heads.iter().map(|head| (head.as_str(), Align::Right)));
    let mut rows = Rows::new(output, &all);
    for policy in &summary.policies {
        let value = |metric: &&suanpan_sim::summary::MetricSummary| {
            let Estimate { mean, half_width, .. } = policy.metrics[&metric.name];
            let decimals = metric.decimals as usize;
            Item::from(match half_width {
                Some(half) => format!("{mean:.decimals$} ± {half:.decimals$}"),
                None => format!("{mean:.decimals$}"),
            })
        };
        let name = std::iter::once(Item::from(policy.name.as_str()));
        rows.items(name.chain(columns.iter().map(value)).collect());
    }
    rows.print(output)
}

/// What an experiment would do, as a document.
#[derive(Serialize)]
struct Plan<'a> {
    name: &'a str,
    runs: usize,
    policies: Vec<&'a str>,
    seeds: &'a [u64],
    workload: Vec<SourceLine>,
}

#[derive(Serialize)]
struct SourceLine {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<u64>,
    skipped: u64,
}

/// Reads an experiment and its logs, and says what it would do.
pub fn check(output: &Output, file: &Path) -> Outcome {
    let (experiment, _) = output::read_experiment(file).map_err(|error| failure(&error))?;
    let sources = opened(&experiment)?;
    let source = |(source, logs): (&Source, &[ReadLog])| SourceLine {
        name: source.name.clone(),
        jobs: (!logs.is_empty()).then(|| logs.iter().map(|log| log.content.count() as u64).sum()),
        skipped: logs.iter().map(|log| log.content.skipped().count).sum(),
    };
    let plan = Plan {
        name: &experiment.name,
        runs: experiment.policies.len() * experiment.seeds.len(),
        policies: experiment.policies.iter().map(|Policy { name, .. }| name.as_str()).collect(),
        seeds: &experiment.seeds,
        workload: sources.logs().map(source).collect(),
    };
    match output.form {
        Form::Json => output.json("simulation_plan", None, &plan)?,
        Form::Ids => {
            for policy in &plan.policies {
                output.line(policy)?;
            }
        }
        Form::Text => say_plan(output, &plan)?,
    }
    Ok(exit::OK)
}

fn say_plan(output: &Output, plan: &Plan<'_>) -> Result<(), Failure> {
    let counted = |count: usize, noun| format::counted(count as u64, noun);
    output.line(format!("{}: {}", output.bold(plan.name), counted(plan.runs, "run")))?;
    let seeds = counted(plan.seeds.len(), "seed");
    output.line(format!("  policies  {} (each with {seeds})", plan.policies.join(", ")))?;
    for source in &plan.workload {
        let jobs = match source.jobs {
            Some(jobs) => format!("{} read", format::counted(jobs, "job")),
            None => "drawn for each seed".to_owned(),
        };
        let skipped = match source.skipped {
            0 => String::new(),
            lines => {
                format!(", {} left out because they are wrong", format::counted(lines, "line"))
            }
        };
        output.line(format!("  workload  {}: {jobs}{skipped}", source.name))?;
    }
    Ok(())
}

/// Writes a report again.
pub fn report(output: &Output, dir: &Path) -> Outcome {
    let summary = output::read_summary(dir).map_err(|error| {
        failure(&error).hint("`suanpan sim run` leaves one in its output directory")
    })?;
    output::draw(dir, &summary).map_err(|error| failure(&error))?;
    let report = dir.join("report.html").display().to_string();
    match output.form {
        Form::Json => {
            let policies = summary.policies.iter().map(line).collect();
            let directory = dir.display().to_string();
            let text = dir.join("summary.json").display().to_string();
            let runs = summary.policies.iter().map(|policy| policy.runs.len()).sum();
            let document =
                Simulation { directory, report, summary: text, runs: 0, reused: runs, policies };
            output.json("simulation", None, &document)?;
        }
        Form::Ids => output.line(report)?,
        Form::Text => output.line(format!("Report: {}", output.bold(&report)))?,
    }
    Ok(exit::OK)
}

/// Shows progress, and listens for Ctrl-C: the first lets the current runs end, the second ends
/// the process.
pub struct Watched {
    interrupts: Interrupts,
    progress: Mutex<Progress>,
    began: Instant,
    noun: &'static str,
    counted: AtomicU64,
}

impl Watched {
    /// Begins to watch; `noun` names what is counted by the second.
    pub fn begin(what: &str, noun: &'static str) -> Result<Watched, Failure> {
        let interrupts = Interrupts::watch()?;
        let heard = interrupts.clone();
        std::thread::spawn(move || {
            let mut told = false;
            loop {
                std::thread::sleep(Duration::from_millis(50));
                match heard.count() {
                    0 => {}
                    1 if !told => {
                        told = true;
                        note("stopping after the current runs; Ctrl-C again stops at once");
                    }
                    1 => {}
                    _ => std::process::exit(i32::from(exit::INTERRUPTED)),
                }
            }
        });
        let progress = Mutex::new(Progress::counted(what, "runs, done in"));
        let counted = AtomicU64::new(0);
        Ok(Watched { interrupts, progress, began: Instant::now(), noun, counted })
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.progress.lock().expect("nobody panics while holding this").clear();
    }
}

impl Watch for Watched {
    fn is_stopping(&self) -> bool {
        self.interrupts.count() > 0
    }

    fn finished(&self, done: usize, of: usize, jobs: u64) {
        let counted = self.counted.fetch_add(jobs, Ordering::Relaxed) + jobs;
        let rate = counted as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let mut progress = self.progress.lock().expect("nobody panics while holding this");
        progress.say(&format!("{rate:.0} {}/s", self.noun));
        progress.at(done as u64, of as u64);
    }
}
