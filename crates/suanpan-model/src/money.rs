//! Money: integer micro-units of the network's credit. Never a float.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Millionths of one credit. Signed, because a balance may be owed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroCredits(pub i64);

impl MicroCredits {
    /// Nothing.
    pub const ZERO: MicroCredits = MicroCredits(0);

    /// Reads a decimal number of credits exactly: `12`, `0.5`, `-3.000001`. At most six decimals.
    pub fn from_decimal(text: &str) -> Option<MicroCredits> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 6 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
        let micros = whole.checked_mul(1_000_000)?.checked_add(fraction)?;
        Some(MicroCredits(if negative { -micros } else { micros }))
    }

    /// Sum that stops at the ends instead of wrapping.
    #[must_use]
    pub fn saturating_add(self, other: MicroCredits) -> MicroCredits {
        MicroCredits(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for MicroCredits {
    /// Credits with at least two and at most six decimals: `0.12`, `3.000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let fraction = format!("{:06}", micros % 1_000_000);
        let kept = fraction.trim_end_matches('0');
        let text = format!("{sign}{}.{kept:0<2}", micros / 1_000_000);
        f.pad(&text)
    }
}

/// Price of using one node's share of a flavor for one hour, in micro-credits per unit and hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Price {
    /// Per CPU and hour.
    pub cpu_hour: MicroCredits,
    /// Per GPU (or other accelerator) and hour.
    pub gpu_hour: MicroCredits,
    /// Per GiB of memory and hour.
    pub gib_hour: MicroCredits,
}

impl Price {
    /// Charge for `nodes` nodes of `per_node` each over `length`, rounded up to a micro-credit.
    #[must_use]
    pub fn charge(
        &self,
        per_node: &crate::tres::Tres,
        nodes: u32,
        length: crate::time::Seconds,
    ) -> MicroCredits {
        let hour_mib = i128::from(self.cpu_hour.0) * i128::from(per_node.cpus) * 1024
            + i128::from(self.gpu_hour.0) * i128::from(per_node.gpus) * 1024
            + i128::from(self.gib_hour.0) * i128::from(per_node.memory.get());
        let amount = hour_mib * i128::from(nodes) * i128::from(length.0);
        let unit = 1024 * 3600;
        let rounded = amount / unit + i128::from(amount % unit > 0);
        MicroCredits(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}
