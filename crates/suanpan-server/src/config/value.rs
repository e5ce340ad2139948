//! What values of settings look like.

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IP address and a port.
    Address,
    /// A path.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A whole number.
    Count {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// Whole seconds.
    Seconds {
        /// Fewest.
        min: u64,
        /// Most.
        max: u64,
    },
    /// Bytes: a whole number, or one with `KiB`, `MiB` or `GiB`.
    Bytes {
        /// Fewest.
        min: u64,
        /// Most.
        max: u64,
    },
}

impl Kind {
    /// Reads a number; the error is what would be right.
    pub(super) fn number(self, text: &str) -> Result<u64, String> {
        let (value, min, max, unit) = match self {
            Kind::Count { min, max } => (text.trim().parse().ok(), min, max, ""),
            Kind::Seconds { min, max } => (text.trim().parse().ok(), min, max, " seconds"),
            Kind::Bytes { min, max } => (bytes(text), min, max, " bytes (or KiB, MiB, GiB)"),
            Kind::Address | Kind::Path | Kind::Choice(_) | Kind::Text => (None, 0, 0, ""),
        };
        value
            .filter(|value| (min..=max).contains(value))
            .ok_or_else(|| format!("write a whole number from {min} to {max}{unit}"))
    }

    /// Whether a value of this kind is written without quotes in a file.
    pub(super) fn is_bare(self, text: &str) -> bool {
        matches!(self, Kind::Count { .. } | Kind::Seconds { .. } | Kind::Bytes { .. })
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && !text.is_empty()
    }
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let scale = match unit.trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(scale)
}
