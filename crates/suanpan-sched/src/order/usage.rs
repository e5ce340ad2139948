//! What was used, and how it is forgotten.
//!
//! Usage is counted in billed seconds: each resource of an allocation by its weight, for as long
//! as it was held. What lies one half-life back counts half (Slurm's `PriorityDecayHalfLife`,
//! whose default is seven days).

use serde::{Deserialize, Serialize};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

#[cfg(test)]
mod tests;

/// What one unit of each resource counts, in thousandths (Slurm's `TRESBillingWeights`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BillingWeights {
    /// One CPU.
    pub cpu_milli: u64,
    /// One gibibyte of memory.
    pub gibibyte_milli: u64,
    /// One GPU.
    pub gpu_milli: u64,
    /// How the resources of a node are put together.
    pub combine: Combine,
}

impl Default for BillingWeights {
    /// Slurm's: allocated CPU seconds and nothing else.
    fn default() -> BillingWeights {
        BillingWeights { cpu_milli: 1_000, gibibyte_milli: 0, gpu_milli: 0, combine: Combine::Sum }
    }
}

/// How the weighted resources of a node become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Their sum, Slurm's default.
    #[default]
    Sum,
    /// The largest of them (Slurm's `PriorityFlags=MAX_TRES`).
    Largest,
}

impl BillingWeights {
    /// What `nodes` nodes with this amount each are billed as, in thousandths.
    #[must_use]
    pub fn billed_milli(&self, per_node: &Tres, nodes: u32) -> u64 {
        let parts = [
            u64::from(per_node.cpus).saturating_mul(self.cpu_milli),
            per_node.memory.get().saturating_mul(self.gibibyte_milli) / 1_024,
            u64::from(per_node.gpus).saturating_mul(self.gpu_milli),
        ];
        let each = match self.combine {
            Combine::Sum => parts.iter().fold(0, |sum: u64, part| sum.saturating_add(*part)),
            Combine::Largest => parts.into_iter().max().unwrap_or(0),
        };
        each.saturating_mul(nodes.into())
    }
}

/// An amount that halves with every half-life: so much of it was left at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decayed {
    /// Thousandths of a billed second.
    pub amount: u64,
    /// When so much of it was left.
    pub at: Timestamp,
}

impl Decayed {
    /// What is left of it at `now`; all of it without a half-life, or if `now` is not later.
    #[must_use]
    pub fn at(&self, now: Timestamp, half_life: Option<Seconds>) -> u64 {
        match half_life.filter(|length| length.0 > 0) {
            None => self.amount,
            Some(length) => decay(self.amount, now.micros_since(self.at), length),
        }
    }

    /// Adds an amount used just now. An amount reported late counts as used when it is reported.
    pub fn add(&mut self, amount: u64, now: Timestamp, half_life: Option<Seconds>) {
        self.amount = self.at(now, half_life).saturating_add(amount);
        self.at = self.at.max(now);
    }
}

/// 2^-(2^-k) for k = 1, 2, ... in units of 2^-64: roots of roots of one half.
const ROOTS: [u64; 32] = roots();

const fn roots() -> [u64; 32] {
    let mut roots = [0; 32];
    let mut value: u128 = 1 << 63;
    let mut k = 0;
    while k < roots.len() {
        value = (value << 64).isqrt();
        roots[k] = value as u64;
        k += 1;
    }
    roots
}

/// `amount` times 2^-(micros / half life), rounded down at each of at most 33 steps: off by less
/// than 33 units in all, and the same on every machine.
fn decay(amount: u64, micros: u64, half_life: Seconds) -> u64 {
    let length = u128::from(half_life.0) * 1_000_000;
    let halvings = u128::from(micros) / length;
    if halvings >= 64 {
        return 0;
    }
    let mut left = amount >> halvings;
    let mut rest = u128::from(micros) % length;
    for root in ROOTS {
        rest *= 2;
        if rest >= length {
            rest -= length;
            left = ((u128::from(left) * u128::from(root)) >> 64) as u64;
        }
    }
    left
}
