//! Goodput: useful progress per second, and the batch that gives most of it.
//!
//! Goodput is throughput times statistical efficiency (Pollux, OSDI'21, equation 1), here in
//! units of progress: steps of the initial batch size per second. For a model and a configuration
//! the batches worth trying, and how each is split over the GPUs, are known beforehand; what a job
//! gains with each changes as it learns.

use super::model::{Model, Split};
use super::training::Gradient;
use super::{Configuration, FlavorNodes, Shape};

/// A batch that a configuration can run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// How it is split.
    pub split: Split,
    /// Samples per step, over all GPUs.
    pub batch: u32,
    /// Seconds per step as measured, before the slowdown of production.
    pub step_s: f64,
}

/// The batches that a model may run in a shape on a flavor, rising: 50 between the smallest and
/// the largest in geometric steps, as Pollux samples them, those left out that were not measured.
///
/// Cost: 50 step times.
#[must_use]
pub fn candidates(model: &Model, flavor: usize, shape: &Shape) -> Vec<Candidate> {
    const SAMPLES: u32 = 50;
    let Some(times) = model.step_times.get(flavor).and_then(Option::as_ref) else {
        return Vec::new();
    };
    let Some(reach) = times.largest_local_batch_of(shape) else { return Vec::new() };
    let largest = reach.min(times.largest_local_batch());
    let gpus = shape.gpus();
    let training = &model.training;
    let low = training.initial_batch().max(gpus * times.smallest_local_batch());
    let high = training.largest_batch();
    let mut found: Vec<Candidate> = Vec::new();
    if low > high || largest < times.smallest_local_batch() {
        return found;
    }
    let growth = (f64::from(high) / f64::from(low)).powf(1.0 / f64::from(SAMPLES - 1));
    for sample in 0..SAMPLES {
        let local = f64::from(low) * growth.powi(sample as i32) / f64::from(gpus);
        let alone = gpus == 1 && local > f64::from(training.initial_batch()) + ROUNDING;
        let split = split(local, largest, alone);
        let split = model.within_limits(times, gpus, split);
        let batch = split.batch(gpus);
        if found.last().is_some_and(|last| last.batch >= batch) || batch < low {
            continue;
        }
        if let Some(pass) = times.at(shape, split.local_batch) {
            found.push(Candidate { split, batch, step_s: split.step_s(pass) });
        }
    }
    found
}

/// Rounding errors below this do not make one more pass.
const ROUNDING: f64 = 1e-8;

/// Fewest passes for a local batch; at least two for a GPU that is `alone` with more than the
/// initial batch.
fn split(local: f64, largest: u32, alone: bool) -> Split {
    let fewest = (local / f64::from(largest) - ROUNDING).ceil().max(1.0) as u32 - 1;
    let accumulated = if alone { fewest.max(1) } else { fewest };
    let local_batch = (local / f64::from(accumulated + 1) - ROUNDING).ceil() as u32;
    Split { local_batch, accumulated }
}

/// The candidate of highest goodput and that goodput, where `step_s` says how long a step of a
/// candidate takes. The first of equals.
#[must_use]
pub fn best(
    candidates: &[Candidate],
    gradient: Gradient,
    initial_batch: u32,
    step_s: impl Fn(&Candidate) -> f64,
) -> Option<(Candidate, f64)> {
    let mut best: Option<(Candidate, f64)> = None;
    for candidate in candidates {
        let scale = f64::from(candidate.batch) / f64::from(initial_batch);
        let goodput = gradient.gain(scale) / step_s(candidate);
        if goodput.is_finite() && best.is_none_or(|(_, other)| goodput > other) {
            best = Some((*candidate, goodput));
        }
    }
    best
}

/// The shape of a configuration: nodes filled one after the other.
#[must_use]
pub fn shape(configuration: Configuration, flavors: &[FlavorNodes]) -> Shape {
    Shape::filled(configuration.gpus, flavors[configuration.flavor].gpus_per_node)
}

#[cfg(test)]
mod tests;
