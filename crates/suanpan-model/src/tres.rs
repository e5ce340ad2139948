//! Trackable resources (TRES) that placement counts.

use crate::memory::Mebibytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount of each resource of one node.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Tres {
    /// Processors.
    pub cpus: u32,
    /// Memory.
    pub memory: Mebibytes,
    /// Accelerators, of the flavor of the node they are on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpus: u32,
}

impl Tres {
    /// Whether `self` has at least as much of everything as `other` asks.
    #[must_use]
    pub fn covers(&self, other: &Tres) -> bool {
        self.cpus >= other.cpus && self.memory >= other.memory && self.gpus >= other.gpus
    }

    /// How many copies of `other` fit into `self`; `u32::MAX` when `other` is nothing.
    #[must_use]
    pub fn holds(&self, other: &Tres) -> u32 {
        let ratio = |have: u64, want: u64| have.checked_div(want).unwrap_or(u64::MAX);
        let copies = ratio(self.cpus.into(), other.cpus.into())
            .min(ratio(self.memory.get(), other.memory.get()))
            .min(ratio(self.gpus.into(), other.gpus.into()));
        u32::try_from(copies).unwrap_or(u32::MAX)
    }

    /// `self` less `other`, or nothing if it does not cover it.
    #[must_use]
    pub fn checked_sub(&self, other: &Tres) -> Option<Tres> {
        Some(Tres {
            cpus: self.cpus.checked_sub(other.cpus)?,
            memory: Mebibytes::new(self.memory.get().checked_sub(other.memory.get())?),
            gpus: self.gpus.checked_sub(other.gpus)?,
        })
    }

    /// `self` less `other`, each at least zero.
    #[must_use]
    pub fn less(&self, other: &Tres) -> Tres {
        Tres {
            cpus: self.cpus.saturating_sub(other.cpus),
            memory: Mebibytes::new(self.memory.get().saturating_sub(other.memory.get())),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }

    /// Sum, saturating.
    #[must_use]
    pub fn plus(&self, other: &Tres) -> Tres {
        Tres {
            cpus: self.cpus.saturating_add(other.cpus),
            memory: Mebibytes::new(self.memory.get().saturating_add(other.memory.get())),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }
}

impl fmt::Display for Tres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu={},mem={}", self.cpus, self.memory)?;
        if self.gpus > 0 {
            write!(f, ",gres/gpu={}", self.gpus)?;
        }
        Ok(())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if takes &T")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}
