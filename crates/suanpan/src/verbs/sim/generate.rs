//! `sim generate`: workloads drawn from a model.

use super::write_jobs;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Form, Output, format};
use crate::sim_args::{Drawn, SimGenerate};
use serde::Serialize;
use std::path::Path;
use suanpan_sim::experiment::source::read_log;
use suanpan_sim::workload::Content;
use suanpan_sim::workload::generate::Estimates;
use suanpan_sim::workload::generate::fitted::Fitted;
use suanpan_sim::workload::generate::lublin::{self, Model, Types};
use suanpan_sim::workload::job::Workload;

/// Most jobs that are drawn at once; they are held in memory.
const JOBS_MAX: u64 = 1_000_000_000;

/// Draws.
pub fn run(output: &Output, from: &SimGenerate) -> Outcome {
    match from {
        SimGenerate::Lublin { drawn, processors, estimate_factor, typed, load } => {
            check_jobs(drawn)?;
            if !(1.0..=1000.0).contains(estimate_factor) {
                let wrong = format!("--estimate-factor: `{estimate_factor}`: expected 1 to 1000");
                return Err(Failure::usage(wrong));
            }
            let types = if *typed { Types::BatchAndInteractive } else { Types::Whole };
            let estimates = match estimate_factor {
                factor if *factor > 1.0 => Estimates::Factor(*factor),
                _ => Estimates::Exact,
            };
            let model = Model { types, processors: *processors, estimates };
            let mut workload = lublin::generate(&model, drawn.jobs, drawn.seed);
            if let Some(load) = load {
                if !(0.001..=100.0).contains(load) {
                    return Err(Failure::usage(format!("--load: `{load}`: expected 0.001 to 100")));
                }
                workload.scale_to_load(u64::from(*processors), *load);
            }
            let load = workload.load(u64::from(*processors));
            written(output, &workload, drawn, Some(load))
        }
        SimGenerate::Fitted { file, log, drawn } => {
            check_jobs(drawn)?;
            let log = super::import::log(file, log)?;
            let read = read_log(&log).map_err(|error| super::failure(&error))?;
            let Content::Jobs(loaded) = read.content else {
                let word = log.format.word();
                return Err(Failure::usage(format!("{word} has no jobs to draw from")));
            };
            let workload = Fitted::new(&loaded.workload).draw(drawn.jobs, drawn.seed);
            written(output, &workload, drawn, None)
        }
    }
}

fn check_jobs(drawn: &Drawn) -> Result<(), Failure> {
    if (1..=JOBS_MAX).contains(&drawn.jobs) {
        return Ok(());
    }
    Err(Failure::usage(format!("--jobs: `{}`: expected 1 to {JOBS_MAX}", drawn.jobs)))
}

/// What was written, as a document.
#[derive(Serialize)]
struct Generated {
    file: String,
    jobs: u64,
    span_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<f64>,
}

fn written(output: &Output, workload: &Workload, drawn: &Drawn, load: Option<f64>) -> Outcome {
    write_jobs(workload, &drawn.to)?;
    if drawn.to == Path::new("-") {
        return Ok(exit::OK);
    }
    let file = drawn.to.display().to_string();
    let (jobs, span_s) = (workload.jobs.len() as u64, workload.span_s());
    match output.form {
        Form::Json => {
            output.json("simulation_workload", None, &Generated { file, jobs, span_s, load })?;
        }
        Form::Ids => output.line(file)?,
        Form::Text => {
            let jobs = format::counted(jobs, "job");
            let span = format::length(span_s);
            let load = load.map_or_else(String::new, |load| format!(", load {load:.3}"));
            output.line(format!("{file}: {jobs} over {span}{load}"))?;
        }
    }
    Ok(exit::OK)
}
