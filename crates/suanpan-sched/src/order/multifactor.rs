//! Slurm's multifactor priority: one number per job, a weighted sum of factors between 0 and 1.
//!
//! Source: Slurm's manual "Multifactor Priority Plugin" (`priority_multifactor.html`):
//!
//! ```text
//! priority = site_factor
//!   + weight_age * age_factor            + weight_association * association_factor
//!   + weight_fair_share * fair_share_factor + weight_job_size * job_size_factor
//!   + weight_partition * partition_factor   + weight_qos * qos_factor
//!   + sum of weight_tres * tres_factor of each TRES  - nice
//! ```
//!
//! Weights are 32-bit, the priority lies between 0 and 4,294,967,295 (of which 0 is kept for held
//! jobs, so a job that may start has at least 1), and a fraction left at the end is cut off. The
//! factors are kept as billionths, so the same job has the same priority on every machine.

use serde::{Deserialize, Serialize};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

#[cfg(test)]
mod tests;

/// A number between 0 and 1, in billionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Factor(u32);

impl Factor {
    /// Billionths in one.
    pub const UNIT: u32 = 1_000_000_000;
    /// One.
    pub const ONE: Factor = Factor(Factor::UNIT);
    /// Nothing.
    pub const ZERO: Factor = Factor(0);

    /// `part / whole`, at most one, rounded down; nothing where the whole is nothing.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Factor {
        let unit = u128::from(Factor::UNIT);
        let share = (u128::from(part) * unit).checked_div(whole.into()).unwrap_or(0);
        Factor(share.min(unit) as u32)
    }

    /// In billionths.
    #[must_use]
    pub fn billionths(self) -> u32 {
        self.0
    }

    /// One less this.
    #[must_use]
    pub fn complement(self) -> Factor {
        Factor(Factor::UNIT - self.0)
    }

    /// The mean of two.
    #[must_use]
    pub fn mean(self, other: Factor) -> Factor {
        Factor(((u64::from(self.0) + u64::from(other.0)) / 2) as u32)
    }
}

/// How the factors count. The defaults are those of the manual's configuration example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Weights {
    /// Waiting.
    pub age: u32,
    /// The association's own priority.
    pub association: u32,
    /// Fair share.
    pub fair_share: u32,
    /// Size.
    pub job_size: u32,
    /// The partition's priority.
    pub partition: u32,
    /// The QOS's priority.
    pub qos: u32,
    /// CPUs asked, of those of the partition.
    pub cpu: u32,
    /// Memory asked, of that of the partition.
    pub memory: u32,
    /// GPUs asked, of those of the partition.
    pub gpu: u32,
}

impl Default for Weights {
    fn default() -> Weights {
        Weights {
            age: 1_000,
            association: 0,
            fair_share: 10_000,
            job_size: 1_000,
            partition: 1_000,
            qos: 0,
            cpu: 0,
            memory: 0,
            gpu: 0,
        }
    }
}

/// What counts for one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// Of [`age`].
    pub age: Factor,
    /// The association's priority over the highest of all associations.
    pub association: Factor,
    /// Of [`crate::order::fair_tree`].
    pub fair_share: Factor,
    /// Of [`job_size`].
    pub job_size: Factor,
    /// The partition's priority over the highest of all partitions.
    pub partition: Factor,
    /// The QOS's priority over the highest of all QOSs.
    pub qos: Factor,
    /// CPUs asked over those of the partition.
    pub cpu: Factor,
    /// Memory asked over that of the partition.
    pub memory: Factor,
    /// GPUs asked over those of the partition.
    pub gpu: Factor,
    /// Set by an operator; added as it is.
    pub site: i64,
    /// Set by the user; subtracted as it is. From -2,147,483,645 to 2,147,483,645.
    pub nice: i32,
}

/// What each factor contributes, in billionths: what `sprio` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Waiting.
    pub age: u64,
    /// The association's own priority.
    pub association: u64,
    /// Fair share.
    pub fair_share: u64,
    /// Size.
    pub job_size: u64,
    /// The partition's priority.
    pub partition: u64,
    /// The QOS's priority.
    pub qos: u64,
    /// CPUs, memory and GPUs together.
    pub tres: u64,
    /// Added, in whole points.
    pub site: i64,
    /// Subtracted, in whole points.
    pub nice: i64,
}

/// The largest priority.
pub const PRIORITY_MAX: i64 = u32::MAX as i64;

impl Parts {
    /// Their sum as a priority: whole points, from 1 to [`PRIORITY_MAX`].
    #[must_use]
    pub fn priority(&self) -> i64 {
        let weighed = [
            self.age,
            self.association,
            self.fair_share,
            self.job_size,
            self.partition,
            self.qos,
            self.tres,
        ];
        let billionths: i128 = weighed.iter().map(|part| i128::from(*part)).sum();
        let points = billionths / i128::from(Factor::UNIT);
        let sum = points + i128::from(self.site) - i128::from(self.nice);
        i64::try_from(sum.clamp(1, PRIORITY_MAX.into())).expect("it was just clamped")
    }
}

/// Weighs the factors of one job.
#[must_use]
pub fn weigh(weights: &Weights, factors: &Factors) -> Parts {
    let part = |weight: u32, factor: Factor| u64::from(weight) * u64::from(factor.0);
    let tres = [
        part(weights.cpu, factors.cpu),
        part(weights.memory, factors.memory),
        part(weights.gpu, factors.gpu),
    ];
    Parts {
        age: part(weights.age, factors.age),
        association: part(weights.association, factors.association),
        fair_share: part(weights.fair_share, factors.fair_share),
        job_size: part(weights.job_size, factors.job_size),
        partition: part(weights.partition, factors.partition),
        qos: part(weights.qos, factors.qos),
        tres: tres.iter().fold(0, |sum: u64, part| sum.saturating_add(*part)),
        site: factors.site,
        nice: factors.nice.into(),
    }
}

/// The age factor: how long it has been able to start, over the time at which age counts fully
/// (`PriorityMaxAge`, by default seven days).
#[must_use]
pub fn age(eligible_since: Timestamp, now: Timestamp, age_max: Seconds) -> Factor {
    Factor::of(now.micros_since(eligible_since), age_max.0.saturating_mul(1_000_000))
}

/// Which sizes are favored (`PriorityFavorSmall`, and `PriorityFlags=SMALL_RELATIVE_TO_TIME`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Favor {
    /// The larger, the sooner: a job of the whole machine has factor 1.
    #[default]
    Large,
    /// The smaller, the sooner.
    Small,
    /// The more CPUs for each minute of the time limit, the sooner: a job of the whole machine
    /// for one minute has factor 1.
    LargeForItsTime,
}

/// How large a job is, and the machine it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Nodes asked.
    pub nodes: u64,
    /// CPUs asked, on all nodes together.
    pub cpus: u64,
    /// Its time limit.
    pub time: Seconds,
    /// Nodes there are.
    pub nodes_there: u64,
    /// CPUs there are.
    pub cpus_there: u64,
}

/// The job size factor: the mean of its share of the nodes and its share of the CPUs, as Slurm
/// computes it; less than one by as much for [`Favor::Small`] (the manual says that a job of one
/// node has then factor 1; Slurm's logs show `1 - size`, which this follows).
#[must_use]
pub fn job_size(favor: Favor, size: &Size) -> Factor {
    let share =
        Factor::of(size.nodes, size.nodes_there).mean(Factor::of(size.cpus, size.cpus_there));
    match favor {
        Favor::Large => share,
        Favor::Small => share.complement(),
        Favor::LargeForItsTime => {
            let minutes = size.time.0.div_ceil(60).max(1);
            Factor::of(size.cpus, size.cpus_there.saturating_mul(minutes))
        }
    }
}

/// The factors of the TRES asked: CPUs, memory and GPUs over those of the partition.
#[must_use]
pub fn tres(asked: &Tres, nodes: u32, there: &Tres) -> [Factor; 3] {
    let nodes = u64::from(nodes);
    let share = |asked: u64, there: u64| Factor::of(asked.saturating_mul(nodes), there);
    [
        share(asked.cpus.into(), there.cpus.into()),
        share(asked.memory.get(), there.memory.get()),
        share(asked.gpus.into(), there.gpus.into()),
    ]
}
