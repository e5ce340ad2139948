//! Values that occur everywhere: times, money, states, amounts of resources.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use utoipa::ToSchema;

/// A point of time in UTC, written as RFC 3339 with up to microseconds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = String, format = DateTime, example = "2026-03-01T08:30:00.250000Z")]
pub struct Time(pub jiff::Timestamp);

impl Time {
    /// The time this many microseconds after 1970-01-01T00:00:00Z; the nearest end of the
    /// calendar if that is outside years -9999 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Time {
        let ends = if micros < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        Time(jiff::Timestamp::from_microsecond(micros).unwrap_or(ends))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0.as_microsecond()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An amount of money: integer millionths of one unit of a currency. `{"micro": 120000,
/// "currency": "credit"}` is 0.12 credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// Millionths of one unit of the currency.
    #[schema(example = 120_000)]
    pub micro: i64,
    /// Name of the currency.
    #[schema(value_type = String, example = "credit")]
    pub currency: Cow<'static, str>,
}

impl Money {
    /// Millionths of the network's credit.
    #[must_use]
    pub fn credits(micro: i64) -> Money {
        Money { micro, currency: Cow::Borrowed("credit") }
    }
}

/// State of a job or of one task, in Slurm's words.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub enum JobState {
    /// Waiting.
    Pending,
    /// Placed; the site has not yet said that it runs.
    Configuring,
    /// The payload runs.
    Running,
    /// Asked to stop, or cleaning up.
    Completing,
    /// Ended with exit code 0.
    Completed,
    /// Ended with another exit code or by a signal.
    Failed,
    /// Ended because it reached its time limit.
    Timeout,
    /// Ended by its user or an operator.
    Cancelled,
    /// Its node, site or supervisor failed.
    NodeFail,
    /// Its resources were taken for another job.
    Preempted,
    /// Killed for memory.
    OutOfMemory,
    /// Could not be finished by its deadline.
    Deadline,
}

impl JobState {
    /// All states, in the order above.
    pub const ALL: [JobState; 12] = [
        JobState::Pending,
        JobState::Configuring,
        JobState::Running,
        JobState::Completing,
        JobState::Completed,
        JobState::Failed,
        JobState::Timeout,
        JobState::Cancelled,
        JobState::NodeFail,
        JobState::Preempted,
        JobState::OutOfMemory,
        JobState::Deadline,
    ];

    /// The state's name, as it is written in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            JobState::Pending => "Pending",
            JobState::Configuring => "Configuring",
            JobState::Running => "Running",
            JobState::Completing => "Completing",
            JobState::Completed => "Completed",
            JobState::Failed => "Failed",
            JobState::Timeout => "Timeout",
            JobState::Cancelled => "Cancelled",
            JobState::NodeFail => "NodeFail",
            JobState::Preempted => "Preempted",
            JobState::OutOfMemory => "OutOfMemory",
            JobState::Deadline => "Deadline",
        }
    }

    /// Slurm's short form, as `squeue` prints it.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            JobState::Pending => "PD",
            JobState::Configuring => "CF",
            JobState::Running => "R",
            JobState::Completing => "CG",
            JobState::Completed => "CD",
            JobState::Failed => "F",
            JobState::Timeout => "TO",
            JobState::Cancelled => "CA",
            JobState::NodeFail => "NF",
            JobState::Preempted => "PR",
            JobState::OutOfMemory => "OOM",
            JobState::Deadline => "DL",
        }
    }

    /// Reads a name (any case) or a short form.
    #[must_use]
    pub fn parse(text: &str) -> Option<JobState> {
        let plain = text.replace('_', "");
        JobState::ALL.into_iter().find(|state| {
            state.name().eq_ignore_ascii_case(&plain) || state.short().eq_ignore_ascii_case(text)
        })
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(
            self,
            JobState::Pending | JobState::Configuring | JobState::Running | JobState::Completing
        )
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Amount of each resource of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PerNode {
    /// Processors.
    #[schema(example = 8)]
    pub cpus: u32,
    /// Memory in MiB.
    #[schema(example = 16_384)]
    pub memory_mib: u64,
    /// Accelerators.
    #[serde(default)]
    #[schema(example = 1)]
    pub gpus: u32,
}

#[cfg(test)]
mod tests {
    use super::{JobState, Money, Time};

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let time = Time::from_micros(1_772_353_800_250_000);
        let text = serde_json::to_string(&time).expect("a time is a string");
        assert_eq!(text, "\"2026-03-01T08:30:00.25Z\"");
        let zoned: Time =
            serde_json::from_str("\"2026-03-01T16:30:00.25+08:00\"").expect("an offset is read");
        assert_eq!(zoned, time);
    }

    #[test]
    fn the_end_of_time_is_the_end_of_the_calendar() {
        assert_eq!(Time::from_micros(i64::MAX).0, jiff::Timestamp::MAX);
        assert_eq!(Time::from_micros(i64::MIN).0, jiff::Timestamp::MIN);
    }

    #[test]
    fn money_is_integer_and_names_its_currency() {
        let text = serde_json::to_string(&Money::credits(120_000)).expect("money is an object");
        assert_eq!(text, r#"{"micro":120000,"currency":"credit"}"#);
    }

    #[test]
    fn states_are_read_in_any_spelling_slurm_users_type() {
        for text in ["OutOfMemory", "OUT_OF_MEMORY", "oom", "out_of_memory"] {
            assert_eq!(JobState::parse(text), Some(JobState::OutOfMemory), "{text}");
        }
        assert_eq!(JobState::parse("done"), None);
    }
}
