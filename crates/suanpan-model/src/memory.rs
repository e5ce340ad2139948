//! Amounts of memory.

use crate::parse::{ParseError, digits};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// An amount of memory in mebibytes (2^20 bytes).
///
/// Read as `sbatch --mem` reads it: a bare number is mebibytes; the suffixes `K`, `M`, `G` and
/// `T` (any case, `B` or `iB` may follow) are powers of 1,024, and kibibytes round up. Printed
/// with the largest suffix that is exact (`16G`, `1500M`). Travels in JSON as mebibytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mebibytes(u64);

/// The largest amount that can be read: 2^43 MiB, so that its bytes fit in 63 bits.
const MAX: u64 = 1 << 43;

impl Mebibytes {
    /// No memory.
    pub const ZERO: Self = Self(0);

    /// Makes an amount of `mebibytes`.
    pub const fn new(mebibytes: u64) -> Self {
        Self(mebibytes)
    }

    /// Makes an amount that holds `bytes`, rounding up.
    pub const fn from_bytes_up(bytes: u64) -> Self {
        Self(bytes.div_ceil(1 << 20))
    }

    /// The amount in mebibytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The amount in bytes; `None` if it does not fit in 64 bits.
    pub const fn bytes(self) -> Option<u64> {
        self.0.checked_mul(1 << 20)
    }

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` if `other` is larger.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or `None` on overflow.
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }
}

impl FromStr for Mebibytes {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: &str| ParseError::new("memory size", text, expected);
        let forms = "a whole number of MiB, or a number with K, M, G or T (such as 16G)";
        let trimmed = text.trim();
        let end = trimmed.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(trimmed.len());
        let (number, suffix) = trimmed.split_at(end);
        let number: u64 = digits(number).ok_or_else(|| refuse(forms))?;
        let mebibytes = match suffix.trim_start().to_ascii_lowercase().as_str() {
            "k" | "kb" | "kib" => Some(number.div_ceil(1_024)),
            "" | "m" | "mb" | "mib" => Some(number),
            "g" | "gb" | "gib" => number.checked_mul(1 << 10),
            "t" | "tb" | "tib" => number.checked_mul(1 << 20),
            _ => return Err(refuse(forms)),
        };
        match mebibytes {
            Some(mebibytes) if mebibytes <= MAX => Ok(Self(mebibytes)),
            _ => Err(refuse("at most 8388608T")),
        }
    }
}

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(f, "0M"),
            n if n % (1 << 20) == 0 => write!(f, "{}T", n >> 20),
            n if n % (1 << 10) == 0 => write!(f, "{}G", n >> 10),
            n => write!(f, "{n}M"),
        }
    }
}
