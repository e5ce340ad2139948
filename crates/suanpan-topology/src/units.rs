//! Rates, times, energies and lengths as whole numbers, and how people write them.
//!
//! What is typed is a number, a space and a unit: `400 Gbit/s`, `50 GB/s`, `1.2 us`, `0.15 pJ/bit`.
//! Prefixes are decimal (SI); the value must be a whole number of the type's own unit, so that
//! nothing is rounded in silence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// A number with a unit, as it is written, and the type's own unit as a multiplier of one.
type Unit = (&'static str, u64);

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $example:literal, $units:expr) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
            Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub u64);

        impl $name {
            /// What a value looks like.
            pub const EXAMPLE: &'static str = $example;
            const UNITS: &'static [Unit] = $units;

            /// Reads a number and a unit.
            ///
            /// # Errors
            /// If the unit is unknown, or the value is not a whole number of the type's own unit.
            pub fn parse(text: &str) -> Result<Self, Problem> {
                parse(text, Self::UNITS).map($name).map_err(|expected| {
                    Problem::new(stringify!($name), text, &format!("{expected}, as `{}`", $example))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_quantity(f, self.0, Self::UNITS)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Problem;
            fn try_from(text: String) -> Result<Self, Problem> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}

quantity!(
    /// A rate in bits per second, of one direction of a link.
    BitsPerSecond,
    "400 Gbit/s",
    &[
        ("bit/s", 1),
        ("kbit/s", 1_000),
        ("Mbit/s", 1_000_000),
        ("Gbit/s", 1_000_000_000),
        ("Tbit/s", 1_000_000_000_000),
        ("B/s", 8),
        ("kB/s", 8_000),
        ("MB/s", 8_000_000),
        ("GB/s", 8_000_000_000),
        ("TB/s", 8_000_000_000_000),
    ]
);

quantity!(
    /// A time in picoseconds: fine enough for a cycle on a die, and 213 days at most.
    Picoseconds,
    "1.2 us",
    &[
        ("ps", 1),
        ("ns", 1_000),
        ("us", 1_000_000),
        ("ms", 1_000_000_000),
        ("s", 1_000_000_000_000),
    ]
);

quantity!(
    /// The energy to move one bit over a link, in femtojoules.
    FemtojoulesPerBit,
    "0.15 pJ/bit",
    &[("fJ/bit", 1), ("pJ/bit", 1_000), ("nJ/bit", 1_000_000)]
);

quantity!(
    /// A length in micrometres: dies, wafers, cables.
    Micrometers,
    "300 mm",
    &[("um", 1), ("mm", 1_000), ("cm", 10_000), ("m", 1_000_000), ("km", 1_000_000_000)]
);

/// Reads `12.5 unit` exactly; says what was expected otherwise.
fn parse(text: &str, units: &[Unit]) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = (&text[..split], text[split..].trim());
    let names = || {
        let names: Vec<&str> = units.iter().map(|unit| unit.0).collect();
        format!("a number and one of {}", names.join(", "))
    };
    let &(name, multiplier) =
        units.iter().find(|candidate| candidate.0 == unit).ok_or_else(names)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    let (true, Ok(scaled), Ok(places)) =
        (!number.is_empty(), digits.parse::<u128>(), u32::try_from(fraction.len()))
    else {
        return Err(names());
    };
    let Some(divisor) = 10_u128.checked_pow(places) else { return Err(names()) };
    let smallest = units[0].0;
    let product = scaled
        .checked_mul(u128::from(multiplier))
        .ok_or_else(|| format!("less {name} (the most is {} {smallest})", u64::MAX))?;
    if product % divisor != 0 {
        return Err(format!("a whole number of {smallest}"));
    }
    u64::try_from(product / divisor)
        .map_err(|_| format!("less {name} (the most is {} {smallest})", u64::MAX))
}

/// Writes the value with the largest unit that keeps it a whole number; only the first of two units
/// with one size (bits before bytes) is used, so that one value has one text.
fn write_quantity(f: &mut fmt::Formatter<'_>, value: u64, units: &[Unit]) -> fmt::Result {
    let mut best = units[0];
    for &unit in units {
        if unit.0.contains('B') {
            continue;
        }
        if value.is_multiple_of(unit.1) && value > 0 && unit.1 > best.1 {
            best = unit;
        }
    }
    write!(f, "{} {}", value / best.1, best.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_read_as_people_write_them() {
        assert_eq!(BitsPerSecond::parse("400 Gbit/s"), Ok(BitsPerSecond(400_000_000_000)));
        assert_eq!(BitsPerSecond::parse("50GB/s"), Ok(BitsPerSecond(400_000_000_000)));
        assert_eq!(Picoseconds::parse("1.25 us"), Ok(Picoseconds(1_250_000)));
        assert_eq!(FemtojoulesPerBit::parse("0.15 pJ/bit"), Ok(FemtojoulesPerBit(150)));
        assert_eq!(Micrometers::parse("25.5 mm"), Ok(Micrometers(25_500)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_remedy() {
        for text in ["", "4", "Gbit/s", "4 Gb", "-1 Gbit/s", "0.5 bit/s", "1.2.3 bit/s", "1e9 B/s"]
        {
            let problem = BitsPerSecond::parse(text).expect_err(text);
            assert!(problem.expected.contains("400 Gbit/s"), "{problem}");
        }
        assert!(BitsPerSecond::parse("99999999999999999999 TB/s").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any::<u64>(), text in "\\PC{0,20}") {
            let rate = BitsPerSecond(value);
            prop_assert_eq!(BitsPerSecond::parse(&rate.to_string()), Ok(rate));
            let time = Picoseconds(value);
            prop_assert_eq!(Picoseconds::parse(&time.to_string()), Ok(time));
            let _ = Micrometers::parse(&text);
        }
    }
}
