//! Requested times for workloads that have none.

use rand::{Rng, RngExt};

/// How a requested time is made from a run time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Estimates {
    /// It is the run time: users know.
    #[default]
    Exact,
    /// It is the run time times a number drawn evenly from 1 to this: the "f-model" of Mu'alem and
    /// Feitelson, "Utilization, Predictability, Workloads, and User Runtime Estimates in Scheduling
    /// the IBM SP2 with Backfilling", IEEE TPDS 12(6), 2001.
    Factor(f64),
}

impl Estimates {
    /// The requested time of a job, seconds; at least its run time, and at least 1.
    pub fn draw(self, run_s: u64, random: &mut impl Rng) -> u64 {
        let requested = match self {
            Estimates::Exact => run_s,
            Estimates::Factor(most) => {
                let factor = 1.0 + (most.max(1.0) - 1.0) * random.random::<f64>();
                ((run_s as f64) * factor).round() as u64
            }
        };
        requested.max(run_s).max(1)
    }
}
