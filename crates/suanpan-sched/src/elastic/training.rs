//! How fast a model learns: statistical efficiency by batch size and epoch.

/// One epoch of a recorded training run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Progress when the epoch ends, in steps of the initial batch size that would have learnt
    /// as much.
    pub progress: f64,
    /// Squared norm of the mean gradient.
    pub gradient_squared: f64,
    /// Variance of the gradient at the initial batch size.
    pub gradient_variance: f64,
}

/// The gradient statistics that decide what a larger batch is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    /// Squared norm of the mean gradient.
    pub squared: f64,
    /// Variance at the initial batch size.
    pub variance: f64,
}

impl Gradient {
    /// Steps of the initial batch size that one step of `scale` times that size is worth
    /// (AdaScale's gain; Pollux, OSDI'21, equation 5). Between 1 and `scale`.
    #[must_use]
    pub fn gain(self, scale: f64) -> f64 {
        let denominator = self.variance / scale + self.squared;
        if denominator > 0.0 { (self.variance + self.squared) / denominator } else { 1.0 }
    }

    /// Progress per sample relative to the initial batch size; 1 at that size.
    #[must_use]
    pub fn efficiency(self, scale: f64) -> f64 {
        self.gain(scale) / scale
    }
}

/// Recorded runs of one model at some batch sizes, to its full length.
#[derive(Clone, Debug)]
pub struct Training {
    /// By rising batch size; all have the same number of epochs.
    runs: Vec<(u32, Vec<Epoch>)>,
    /// Progress at which each epoch has ended in every run.
    ends: Vec<f64>,
}

impl Training {
    /// Takes in recorded runs by batch size, cut to the shortest. `None` without a run or an
    /// epoch, or with a batch size of 0.
    #[must_use]
    pub fn new(runs: impl IntoIterator<Item = (u32, Vec<Epoch>)>) -> Option<Training> {
        let mut runs: Vec<(u32, Vec<Epoch>)> = runs.into_iter().collect();
        runs.sort_by_key(|run| run.0);
        runs.dedup_by_key(|run| run.0);
        let epochs = runs.iter().map(|run| run.1.len()).min()?;
        if epochs == 0 || runs[0].0 == 0 {
            return None;
        }
        let end = |epoch: usize| {
            runs.iter().map(|run| run.1[epoch].progress).fold(f64::INFINITY, f64::min)
        };
        let ends = (0..epochs).map(end).collect();
        Some(Training { runs, ends })
    }

    /// Smallest recorded batch size: what one unit of progress is a step of.
    #[must_use]
    pub fn initial_batch(&self) -> u32 {
        self.runs[0].0
    }

    /// Largest recorded batch size, beyond which a job may not go.
    #[must_use]
    pub fn largest_batch(&self) -> u32 {
        self.runs[self.runs.len() - 1].0
    }

    /// Number of epochs to the end.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.ends.len()
    }

    /// Progress at which an epoch, counted from 0, has ended.
    #[must_use]
    pub fn end_of(&self, epoch: usize) -> Option<f64> {
        self.ends.get(epoch).copied()
    }

    /// Progress when all is done.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.ends[self.ends.len() - 1]
    }

    /// Gradient statistics in an epoch at a batch size: linear between the recorded sizes, the
    /// nearest of them outside. `None` after the last epoch.
    #[must_use]
    pub fn gradient(&self, batch: u32, epoch: usize) -> Option<Gradient> {
        let batch = batch.clamp(self.initial_batch(), self.largest_batch());
        let of = |run: usize| {
            let (size, epochs) = self.runs.get(run)?;
            let epoch = epochs.get(epoch)?;
            let Epoch { gradient_squared: squared, gradient_variance: variance, .. } = *epoch;
            Some((*size, Gradient { squared, variance }))
        };
        let above = self.runs.partition_point(|run| run.0 < batch);
        let (high_size, high) = of(above)?;
        if high_size == batch {
            return Some(high);
        }
        let (low_size, low) = of(above.checked_sub(1)?)?;
        let along = f64::from(batch - low_size) / f64::from(high_size - low_size);
        Some(Gradient {
            squared: low.squared + along * (high.squared - low.squared),
            variance: low.variance + along * (high.variance - low.variance),
        })
    }
}
