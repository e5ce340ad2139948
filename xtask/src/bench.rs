//! Benches: one file per bench under `bench/`, listed here by name.
//!
//! A bench prints its figures with their units, the machine's cores and load average, and what it
//! compared with; it asserts no timing. The figures are copied by hand to `docs/performance.md`.

use crate::runs::Run;

/// Every bench, in the order of the list.
pub const BENCHES: &[Run] = &[];
