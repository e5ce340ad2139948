//! A Gavel trace as training jobs: throughputs become step times, and steps progress.

use super::{Throughput, TraceJob};
use anyhow::{Context, ensure};
use std::collections::{BTreeMap, BTreeSet};
use suanpan_sched::elastic::Shape;
use suanpan_sched::elastic::model::Model;
use suanpan_sched::elastic::step_times::{Measured, StepTimes, Times};
use suanpan_sched::elastic::training::{Epoch, Training};
use suanpan_site::model::elastic::TrainingJob;

/// What ends the name of a GPU type whose GPUs lie on different nodes.
const UNCONSOLIDATED: &str = "_unconsolidated";

/// Most GPUs of a job whose every shape is written down.
const WIDEST: u32 = 16;

/// Steps per second alone, by GPU type, then job type and GPUs.
type Rates<'a> = BTreeMap<&'a str, BTreeMap<(&'a str, u32), f64>>;

/// The jobs of a trace, and for each length of each type of job a model that does as many steps per
/// second as was measured, on GPUs of one node or of several. A step counts alike on every GPU
/// type, and a restart takes no time, as in Gavel's simulator.
///
/// # Errors
/// A job type has no throughput on any of the GPU types, or a job more GPUs than 16.
pub fn training(
    throughputs: &[Throughput],
    gpu_types: &[&str],
    trace: &[TraceJob],
) -> anyhow::Result<(Vec<Model>, Vec<TrainingJob>)> {
    let mut rates = Rates::new();
    for one in throughputs.iter().filter(|one| one.partner.is_none()) {
        let of = (one.job_type.name.as_str(), one.job_type.gpus);
        rates.entry(&one.gpu_type).or_default().insert(of, one.steps_per_s);
    }
    let (mut models, mut known) = (Vec::new(), BTreeSet::new());
    let mut jobs = Vec::with_capacity(trace.len());
    for (place, job) in trace.iter().enumerate() {
        ensure!(job.gpus <= WIDEST, "{} wants {} GPUs: at most {WIDEST}", job.job_type, job.gpus);
        let name = format!("{} x{}, {} steps", job.job_type, job.gpus, job.steps);
        if known.insert(name.clone()) {
            models.push(model(&name, job, gpu_types, &rates)?);
        }
        jobs.push(TrainingJob {
            name: format!("{}", place + 1),
            submitted_s: job.submitted_s,
            model: name,
            gpus: job.gpus,
            batch: job.gpus,
        });
    }
    Ok((models, jobs))
}

fn model(
    name: &str,
    job: &TraceJob,
    gpu_types: &[&str],
    rates: &Rates<'_>,
) -> anyhow::Result<Model> {
    let rate = |gpu_type: &str| {
        let found = rates.get(gpu_type)?.get(&(job.job_type.as_str(), job.gpus))?;
        Some(*found).filter(|rate| *rate > 0.0)
    };
    let step_times: Vec<Option<StepTimes>> = gpu_types
        .iter()
        .map(|gpu_type| {
            let together = rate(gpu_type)?;
            let apart = rate(&format!("{gpu_type}{UNCONSOLIDATED}"));
            let measured = |parts: Vec<u32>| {
                let rate = if parts.len() == 1 { Some(together) } else { apart };
                rate.map(|rate| (Shape::new(parts), alone(rate)))
            };
            StepTimes::new(shapes(job.gpus).into_iter().filter_map(measured), [])
        })
        .collect();
    let runs = step_times.iter().any(Option::is_some);
    ensure!(runs, "no throughput of {} on {} of these GPUs", job.job_type, job.gpus);
    // A step is a step whatever runs beside it: gradients without variance gain nothing from a
    // larger batch. The larger of the two sizes only says that any number of GPUs may be used.
    let epoch = Epoch { progress: job.steps as f64, gradient_squared: 1.0, gradient_variance: 0.0 };
    let training = Training::new([(1, vec![epoch]), (1 << 20, vec![epoch])])
        .context("a run of one epoch is a training")?;
    Ok(Model { name: name.to_owned(), training, step_times, restart_s: 0, slowdown: 1.0 })
}

/// One sample for each GPU and step. All of the step counts as exchange, so that passes whose
/// gradients are only added up, which these jobs do not make, cost nothing.
fn alone(steps_per_s: f64) -> Measured {
    let step_s = 1.0 / steps_per_s;
    Measured { local_batch: 1, times: Times { step_s, sync_s: step_s } }
}

/// All ways to lay so many GPUs on nodes, up to order and rotation: falling parts are enough,
/// because a policy fills nodes and the measurements do not tell shapes apart.
fn shapes(gpus: u32) -> Vec<Vec<u32>> {
    fn add(left: u32, parts: &mut Vec<u32>, all: &mut Vec<Vec<u32>>) {
        if left == 0 {
            all.push(parts.clone());
            return;
        }
        for part in 1..=left {
            parts.push(part);
            add(left - part, parts, all);
            parts.pop();
        }
    }
    let mut all = Vec::new();
    add(gpus, &mut Vec::new(), &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::gavel::JobType;
    use std::sync::Arc;
    use suanpan_sched::elastic::FlavorNodes;
    use suanpan_sched::elastic::gavel::{Gavel, Objective};
    use suanpan_site::model::elastic::Batches;

    fn throughput(gpu_type: &str, gpus: u32, steps_per_s: f64) -> Throughput {
        let job_type = JobType { name: "LM".to_owned(), gpus };
        Throughput { gpu_type: gpu_type.to_owned(), job_type, steps_per_s, partner: None }
    }

    fn job(steps: u64, gpus: u32) -> TraceJob {
        let job_type = "LM".to_owned();
        TraceJob { job_type, steps, gpus, submitted_s: 0.0, weight: 1.0, slo: None }
    }

    #[test]
    fn a_job_takes_as_long_as_its_steps_at_its_throughput() {
        let rates = [
            throughput("v100", 1, 10.0),
            throughput("k80", 1, 1.0),
            throughput("v100", 4, 20.0),
            throughput("v100_unconsolidated", 4, 5.0),
        ];
        let trace = [job(36_000, 1), job(36_000, 4), job(1_000, 1)];
        let (models, jobs) = training(&rates, &["v100", "k80"], &trace).expect("it is known");
        assert_eq!((models.len(), jobs.len()), (3, 3));
        let models: Arc<[Model]> = models.into();
        let run = |per_node: u32, jobs: &[TrainingJob]| {
            let v100 = FlavorNodes { nodes: 4 / per_node, gpus_per_node: per_node };
            let k80 = FlavorNodes { nodes: 1, gpus_per_node: 1 };
            let policy = Box::new(Gavel::new(60.0, Objective::MaxMinFairness));
            let done = crate::replay::elastic::replay(
                &models,
                &[v100, k80],
                60,
                Batches::Fixed,
                policy,
                jobs,
            );
            done.expect("all end").into_iter().map(|done| done.jct_s).collect::<Vec<f64>>()
        };
        // The first round begins with the trace, and jobs come in when it ends.
        assert_eq!(run(4, &jobs[..1]), [60.0 + 3_600.0]);
        assert_eq!(run(4, &jobs[1..2]), [60.0 + 1_800.0]);
        assert_eq!(run(2, &jobs[1..2]), [60.0 + 7_200.0]);
        let unknown = TraceJob { job_type: "GAN".to_owned(), ..job(1, 1) };
        assert!(training(&rates, &["v100"], &[unknown]).is_err());
    }
}
