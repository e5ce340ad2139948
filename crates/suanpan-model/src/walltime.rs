//! Time limits, in Slurm's forms.

use crate::parse::{ParseError, digits};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// How long a job may run, in whole seconds; never zero.
///
/// Read in the forms of `sbatch --time` (sbatch manual, "--time"): `minutes`,
/// `minutes:seconds`, `hours:minutes:seconds`, `days-hours`, `days-hours:minutes` and
/// `days-hours:minutes:seconds`. Printed as `[d-]hh:mm:ss`. Travels in JSON as seconds.
///
/// Slurm's `0` and `UNLIMITED` are refused: planning and charging need a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Walltime(u32);

const FORMS: &str = "minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm or d-hh:mm:ss";
const BOUND: &str = "a bound, because jobs are planned and charged by it (ask for the longest time \
                     the partition allows)";

impl Walltime {
    /// Makes a limit of `seconds`; `None` for zero.
    pub const fn from_seconds(seconds: u32) -> Option<Self> {
        if seconds == 0 { None } else { Some(Self(seconds)) }
    }

    /// The limit in seconds, at least one.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Walltime {
    type Error = ParseError;

    fn try_from(seconds: u32) -> Result<Self, ParseError> {
        Self::from_seconds(seconds)
            .ok_or_else(|| ParseError::new("time limit", "0", "at least one second"))
    }
}

impl From<Walltime> for u32 {
    fn from(limit: Walltime) -> u32 {
        limit.0
    }
}

impl FromStr for Walltime {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: &str| ParseError::new("time limit", text, expected);
        let trimmed = text.trim();
        if ["unlimited", "infinite", "-1"].iter().any(|word| trimmed.eq_ignore_ascii_case(word)) {
            return Err(refuse(BOUND));
        }
        let seconds = seconds_of(trimmed).ok_or_else(|| refuse(FORMS))?;
        let seconds = u32::try_from(seconds)
            .map_err(|_| refuse("at most 49710-06:28:15 (4,294,967,295 seconds)"))?;
        Self::from_seconds(seconds).ok_or_else(|| refuse(BOUND))
    }
}

/// The value in seconds, or `None` when the text has none of the six forms. Parts are 32 bits
/// wide, so that the sum cannot overflow 64.
fn seconds_of(text: &str) -> Option<u64> {
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(u64::from(digits::<u32>(days)?)), rest),
        None => (None, text),
    };
    let mut parts = [0u64; 3];
    let mut count = 0;
    for part in rest.split(':') {
        *parts.get_mut(count)? = u64::from(digits::<u32>(part)?);
        count += 1;
    }
    let [first, second, third] = parts;
    // The last parts are bounded as on a clock; the leading one may be as large as typed.
    if (count >= 2 && second > 59) || (count == 3 && third > 59) {
        return None;
    }
    match (days, count) {
        (Some(_), _) if first > 23 => None,
        (Some(days), _) => Some(days * 86_400 + first * 3_600 + second * 60 + third),
        (None, 1) => Some(first * 60),
        (None, 2) => Some(first * 60 + second),
        (None, _) => Some(first * 3_600 + second * 60 + third),
    }
}

impl fmt::Display for Walltime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        if days > 0 {
            write!(f, "{days}-")?;
        }
        write!(f, "{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
    }
}
