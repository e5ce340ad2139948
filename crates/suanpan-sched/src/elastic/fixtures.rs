//! A model that was never measured, for tests.

use super::model::Model;
use super::step_times::{Measured, StepTimes, Times};
use super::training::{Epoch, Training};
use super::{FlavorNodes, Shape};

/// Two nodes of four slow GPUs, and one of four that are three times as fast.
pub(super) const FLAVORS: [FlavorNodes; 2] =
    [FlavorNodes { nodes: 2, gpus_per_node: 4 }, FlavorNodes { nodes: 1, gpus_per_node: 4 }];

fn step_times(each: f64, most: u32) -> StepTimes {
    let mut shapes = Vec::new();
    for gpus in 1..=most {
        for local_batch in [4, 8, 16, 32, 64] {
            let across = if gpus > 4 { 0.02 } else { 0.0 };
            let sync_s = if gpus == 1 { 0.0 } else { 0.005 + across + 0.001 * f64::from(gpus) };
            let times = Times { step_s: 0.02 + each * f64::from(local_batch) + sync_s, sync_s };
            shapes.push((Shape::filled(gpus, 4), Measured { local_batch, times }));
        }
    }
    StepTimes::new(shapes, []).expect("there are measurements")
}

/// A model with batches from 16 to 256 on [`FLAVORS`].
pub(super) fn model() -> Model {
    let run = |batch: u32| {
        let epoch = Epoch { progress: 400.0, gradient_squared: 1.0, gradient_variance: 4.0 };
        (batch, vec![epoch])
    };
    Model {
        name: "fixture".to_owned(),
        training: Training::new([16, 64, 256].map(run)).expect("there are runs"),
        step_times: vec![Some(step_times(0.006, 8)), Some(step_times(0.002, 4))],
        restart_s: 30,
        slowdown: 1.0,
    }
}
