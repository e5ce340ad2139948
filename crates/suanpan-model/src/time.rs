//! Points and lengths of time.

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z. Made by the server's clock or an agent's, never here.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The far end of time: an allocation without a known end, a start that never comes.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// `self` moved by a length; saturates at the ends of time.
    #[must_use]
    pub fn plus(self, length: Seconds) -> Timestamp {
        Timestamp(self.0.saturating_add(length.micros()))
    }

    /// Time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Seconds {
        let micros = self.0.saturating_sub(earlier.0).max(0);
        Seconds(micros.cast_unsigned().div_ceil(1_000_000))
    }

    /// Microseconds from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub fn micros_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0).max(0).cast_unsigned()
    }
}

/// A length of time in whole seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl Seconds {
    /// The same length in microseconds, saturating.
    #[must_use]
    pub fn micros(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX).saturating_mul(1_000_000)
    }
}
