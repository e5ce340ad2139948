//! Measured step times of one model on one flavor, and what lies between the measurements.

use std::collections::BTreeMap;

use super::Shape;
use super::interpolate::{Point, interpolate};

/// Seconds of one training step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// The whole step, gradient exchange included.
    pub step_s: f64,
    /// The part of it that is gradient exchange not hidden behind computation.
    pub sync_s: f64,
}

/// A step time that was measured at a local batch size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Samples per GPU and step.
    pub local_batch: u32,
    /// What was measured.
    pub times: Times,
}

/// A step time that was measured for some number of nodes and GPUs in whatever shape: so the
/// measurements reach further out than shapes could be tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Far {
    /// Nodes.
    pub nodes: u32,
    /// GPUs over all of them.
    pub gpus: u32,
    /// What was measured.
    pub measured: Measured,
}

/// The measurements of one model on one flavor, as Pollux (OSDI'21) took them and Sia (SOSP'23)
/// extended them: per exact [`Shape`], and further out per (nodes, GPUs).
#[derive(Clone, Debug)]
pub struct StepTimes {
    /// By shape; each list rises in local batch and is not empty.
    by_shape: BTreeMap<Shape, Vec<Measured>>,
    /// Largest local batch measured by (nodes, GPUs), of the far-out measurements only.
    far: BTreeMap<(u32, u32), u32>,
    /// Everything, at (nodes, GPUs, local batch).
    points: Vec<Point>,
    smallest_local_batch: u32,
    largest_local_batch: u32,
}

impl StepTimes {
    /// Takes in measurements per shape, and further out. `None` without a measurement per
    /// shape.
    ///
    /// Cost: n log n in the number of measurements.
    #[must_use]
    pub fn new(
        shapes: impl IntoIterator<Item = (Shape, Measured)>,
        far: impl IntoIterator<Item = Far>,
    ) -> Option<StepTimes> {
        let mut by_shape: BTreeMap<Shape, Vec<Measured>> = BTreeMap::new();
        let mut means: BTreeMap<(u32, u32, u32), (Times, f64)> = BTreeMap::new();
        for (shape, one) in shapes {
            let key = (shape.nodes(), shape.gpus(), one.local_batch);
            let (sum, count) =
                means.entry(key).or_insert((Times { step_s: 0.0, sync_s: 0.0 }, 0.0));
            sum.step_s += one.times.step_s;
            sum.sync_s += one.times.sync_s;
            *count += 1.0;
            by_shape.entry(shape).or_default().push(one);
        }
        for list in by_shape.values_mut() {
            list.sort_by_key(|one| one.local_batch);
            list.dedup_by_key(|one| one.local_batch);
        }
        let point = |(nodes, gpus, batch): (u32, u32, u32), times: Times| Point {
            at: [f64::from(nodes), f64::from(gpus), f64::from(batch)],
            value: [times.step_s, times.sync_s],
        };
        let mut points: Vec<Point> = means
            .into_iter()
            .map(|(key, (sum, count))| {
                point(key, Times { step_s: sum.step_s / count, sync_s: sum.sync_s / count })
            })
            .collect();
        let mut largest_far = BTreeMap::new();
        for Far { nodes, gpus, measured: one } in far {
            let largest = largest_far.entry((nodes, gpus)).or_insert(0);
            *largest = one.local_batch.max(*largest);
            points.push(point((nodes, gpus, one.local_batch), one.times));
        }
        let all = || by_shape.values().flatten().map(|one| one.local_batch);
        Some(StepTimes {
            smallest_local_batch: all().min()?,
            largest_local_batch: all().max()?,
            by_shape,
            far: largest_far,
            points,
        })
    }

    /// Smallest local batch that was measured for any shape.
    #[must_use]
    pub fn smallest_local_batch(&self) -> u32 {
        self.smallest_local_batch
    }

    /// Largest local batch that was measured for any shape: a bound set by memory.
    #[must_use]
    pub fn largest_local_batch(&self) -> u32 {
        self.largest_local_batch
    }

    /// Sets the largest local batch lower than what was measured.
    #[must_use]
    pub fn limited_to(mut self, local_batch: u32) -> StepTimes {
        self.largest_local_batch = local_batch;
        self
    }

    /// Samples per second of one GPU at its largest local batch; 0 if that was not measured.
    #[must_use]
    pub fn samples_per_s_alone(&self) -> f64 {
        let largest = self.by_shape.get(&Shape::new([1])).and_then(|list| list.last());
        largest.map_or(0.0, |one| f64::from(one.local_batch) / one.times.step_s)
    }

    /// Largest local batch of a shape: its own if it was measured, else the largest of the
    /// far-out measurements with at least as many nodes and GPUs. `None` if there is none.
    #[must_use]
    pub fn largest_local_batch_of(&self, shape: &Shape) -> Option<u32> {
        if let Some(list) = self.by_shape.get(&shape.smallest_rotation()) {
            return list.last().map(|one| one.local_batch);
        }
        let wide = |&(&(nodes, gpus), _): &(&(u32, u32), _)| {
            nodes >= shape.nodes() && gpus >= shape.gpus()
        };
        self.far.iter().filter(wide).map(|(_, &batch)| batch).max()
    }

    /// Largest local batch measured with exactly so many GPUs, in whatever shape.
    #[must_use]
    pub fn largest_local_batch_with(&self, gpus: u32) -> Option<u32> {
        let same = self.by_shape.iter().filter(|(shape, _)| shape.gpus() == gpus);
        same.filter_map(|(_, list)| list.last()).map(|one| one.local_batch).max()
    }

    /// Time of a step at a shape and local batch: between the measurements of that shape if there
    /// are any, else by linear interpolation over (nodes, GPUs, local batch), nodes counted up to
    /// 16. `None` outside of what was measured.
    ///
    /// Cost: log n for a measured shape; else a small linear program over all n measurements, so
    /// a caller that asks often keeps the answers.
    #[must_use]
    pub fn at(&self, shape: &Shape, local_batch: u32) -> Option<Times> {
        if let Some(list) = self.by_shape.get(&shape.smallest_rotation()) {
            return between(list, local_batch);
        }
        const MOST_NODES: u32 = 16;
        let nodes = shape.nodes().min(MOST_NODES);
        let at = [f64::from(nodes), f64::from(shape.gpus()), f64::from(local_batch)];
        let [step_s, sync_s] = interpolate(&self.points, at)?;
        Some(Times { step_s, sync_s })
    }

    /// All measurements by (nodes, GPUs, local batch), averaged over shapes; far-out ones last.
    pub fn measured(&self) -> impl Iterator<Item = (u32, u32, Measured)> + '_ {
        self.points.iter().map(|point| {
            let [nodes, gpus, batch] = point.at.map(|x| x as u32);
            let [step_s, sync_s] = point.value;
            (nodes, gpus, Measured { local_batch: batch, times: Times { step_s, sync_s } })
        })
    }
}

/// Linear interpolation in a list that rises in local batch.
fn between(list: &[Measured], local_batch: u32) -> Option<Times> {
    let above = list.partition_point(|one| one.local_batch < local_batch);
    let high = list.get(above)?;
    if high.local_batch == local_batch {
        return Some(high.times);
    }
    let low = &list[above.checked_sub(1)?];
    let along =
        f64::from(local_batch - low.local_batch) / f64::from(high.local_batch - low.local_batch);
    let mix = |from: f64, to: f64| from + along * (to - from);
    Some(Times {
        step_s: mix(low.times.step_s, high.times.step_s),
        sync_s: mix(low.times.sync_s, high.times.sync_s),
    })
}
