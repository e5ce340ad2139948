//! A model that is trained: how it learns, how fast each flavor runs it, and how a batch is split
//! over GPUs.

use super::Shape;
use super::step_times::{StepTimes, Times};
use super::training::Training;

/// What is known of a model and its training program, on every flavor.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// How it learns.
    pub training: Training,
    /// Measured step times by flavor; `None` where it cannot run.
    pub step_times: Vec<Option<StepTimes>>,
    /// Seconds to write a checkpoint, start anew and restore it.
    pub restart_s: u32,
    /// How many times slower than measured the program runs in production: input, evaluation and
    /// logging stand beside the steps.
    pub slowdown: f64,
}

/// How a GPU works through its part of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Samples of one pass over one GPU.
    pub local_batch: u32,
    /// Passes whose gradients are only added up, before the one that is exchanged.
    pub accumulated: u32,
}

impl Split {
    /// Samples of one step over so many GPUs.
    #[must_use]
    pub fn batch(self, gpus: u32) -> u32 {
        gpus * self.local_batch * (self.accumulated + 1)
    }

    /// Seconds of one step, from those of one pass.
    #[must_use]
    pub fn step_s(self, times: Times) -> f64 {
        times.step_s + f64::from(self.accumulated) * (times.step_s - times.sync_s)
    }
}

impl Model {
    /// Smallest number of passes that bring `local_batch` samples through a GPU that takes
    /// `largest` at a time; one GPU accumulates at least once when asked to, because the
    /// gradient's variance cannot be estimated from a single pass (Pollux, OSDI'21).
    fn passes(local_batch: u32, largest: u32, alone: Alone) -> Split {
        let fewest = local_batch.div_ceil(largest.max(1)).max(1) - 1;
        let accumulated = if alone == Alone::Twice { fewest.max(1) } else { fewest };
        Split { local_batch: local_batch.div_ceil(accumulated + 1), accumulated }
    }

    /// How a fixed batch is run on a shape: as Sia's simulator does it, cut to what memory and
    /// the measurements allow, so a batch may come out smaller than asked. `None` if the flavor
    /// cannot run the shape.
    #[must_use]
    pub fn fixed_split(&self, flavor: usize, shape: &Shape, batch: u32) -> Option<Split> {
        let times = self.step_times.get(flavor)?.as_ref()?;
        let gpus = shape.gpus();
        let twice = gpus == 1 && batch > self.training.initial_batch();
        let alone = if twice { Alone::Twice } else { Alone::Once };
        let largest = times.largest_local_batch_of(shape)?;
        let split = Model::passes(batch.div_ceil(gpus), largest, alone);
        Some(self.within_limits(times, gpus, split))
    }

    /// A split cut to the largest local batch measured with that many GPUs, and to the largest
    /// batch that the model still learns with.
    #[must_use]
    pub fn within_limits(&self, times: &StepTimes, gpus: u32, split: Split) -> Split {
        let measured = times.largest_local_batch_with(gpus).unwrap_or(u32::MAX);
        let learns = self.training.largest_batch() / (gpus * (split.accumulated + 1));
        Split { local_batch: split.local_batch.min(measured).min(learns), ..split }
    }

    /// Steps per second of a fixed batch on so many GPUs in filled nodes, as Gavel's policy in
    /// Sia's simulator predicts it: a single GPU always accumulates once. `None` if the flavor
    /// cannot run it.
    #[must_use]
    pub fn fixed_steps_per_s(
        &self,
        flavor: usize,
        gpus: u32,
        per_node: u32,
        batch: u32,
    ) -> Option<f64> {
        let times = self.step_times.get(flavor)?.as_ref()?;
        let shape = Shape::filled(gpus, per_node);
        let alone = if gpus == 1 { Alone::Twice } else { Alone::Once };
        let largest = times.largest_local_batch_of(&shape)?;
        let mut split = Model::passes(batch.div_ceil(gpus), largest, alone);
        let learns = self.training.largest_batch() / (gpus * (split.accumulated + 1));
        split.local_batch = split.local_batch.min(learns);
        let step = split.step_s(times.at(&shape, split.local_batch)?);
        (step > 0.0).then(|| 1.0 / step / self.slowdown)
    }
}

/// Whether a job on one GPU accumulates at least once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    Once,
    Twice,
}
