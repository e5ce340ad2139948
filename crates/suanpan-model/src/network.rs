//! What is measured between sites, and what is believed of it.
//!
//! The words are those of the metric model of IETF CATS (draft-ietf-cats-metric-definition): a
//! [`Sample`] is a metric of level L0, with unit, source, statistic and time. Amounts are
//! integers; each metric has one unit. A link is directed, from one site to another; the control
//! plane's own place takes part under the name its operator gave it.

use crate::time::{Seconds, Timestamp};
use serde::{Deserialize, Serialize};

/// What a sample measures. Its unit belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Round trip of a small message; microseconds.
    RoundTrip,
    /// Small messages that were not answered in time; parts per million.
    Loss,
    /// What one bulk transfer moves; bits per second.
    Throughput,
}

/// Which value of its window a sample is (the field `statistics` of CATS, and quantiles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Smallest.
    Min,
    /// Arithmetic mean.
    Mean,
    /// Median.
    P50,
    /// 99th percentile.
    P99,
    /// Largest.
    Max,
    /// The only one.
    Cur,
}

/// Where a value is from (the field `source` of CATS).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The operator declares it (`nominal`).
    #[default]
    Declared,
    /// It was measured on the link itself (`directly measured`).
    Measured,
    /// It was worked out from measurements of other links (`estimation`).
    Derived,
    /// Nothing is known of the link yet.
    Assumed,
}

/// One measurement of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Site at which the traffic begins.
    pub from: String,
    /// Site at which it ends.
    pub to: String,
    /// What was measured.
    pub metric: Metric,
    /// Which value of the window this is.
    pub statistic: Statistic,
    /// Amount in the metric's unit.
    pub value: u64,
    /// End of the window, by the measuring agent's clock.
    pub at: Timestamp,
    /// Length of the window.
    pub window: Seconds,
    /// Bytes that were moved to learn it.
    pub bytes: u64,
    /// Why they were moved.
    pub taken: Taken,
}

/// Whether a sample is of traffic that had to flow anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// From a transfer that had to be made.
    Passively,
    /// From traffic made to measure, within a budget.
    Actively,
}

/// What is believed of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEstimate {
    /// Median round trip, microseconds.
    pub round_trip_us: u32,
    /// 99th percentile of the round trip, microseconds; at least the median.
    pub round_trip_p99_us: u32,
    /// Small messages not answered in time, parts per million.
    pub loss_ppm: u32,
    /// What one bulk transfer moves, bits per second; 0 while nothing gets through.
    pub throughput_bps: u64,
    /// Where the delay is from.
    pub delay_from: Origin,
    /// Where the throughput is from.
    pub throughput_from: Origin,
    /// When it was last changed.
    pub at: Timestamp,
}

/// Most connections over which a transfer comes from one source: of one connection a lost packet
/// halves all that flows.
const STREAMS_MAX: u64 = 4;

/// A transfer has one connection for each part of this size.
const STREAM_BYTES: u64 = 4 << 20;

/// Connections over which a transfer of so many bytes comes from each of its sources: what the
/// agents open, and what the scheduler foretells times with. At least one.
#[must_use]
pub const fn streams(bytes: u64) -> u64 {
    match bytes.div_ceil(STREAM_BYTES) {
        0 => 1,
        parts if parts < STREAMS_MAX => parts,
        _ => STREAMS_MAX,
    }
}
