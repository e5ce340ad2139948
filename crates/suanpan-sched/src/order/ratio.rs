//! Fractions that compare exactly.

use std::cmp::Ordering;

#[cfg(test)]
mod tests;

/// A fraction of whole numbers, compared by value: 1/2 equals 2/4. A number over nothing is
/// larger than every other and equal to itself; nothing over nothing is the same.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// What is divided.
    pub over: u128,
    /// By what.
    pub under: u128,
}

impl Ratio {
    /// Nothing.
    pub const ZERO: Ratio = Ratio { over: 0, under: 1 };
    /// Larger than any number.
    pub const INFINITE: Ratio = Ratio { over: 1, under: 0 };

    /// `over / under`.
    #[must_use]
    pub fn new(over: u128, under: u128) -> Ratio {
        Ratio { over, under }
    }

    /// As a number with a fraction, for reading; infinity where there is no bound.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        match self.under {
            0 => f64::INFINITY,
            under => self.over as f64 / under as f64,
        }
    }
}

impl Ord for Ratio {
    /// Compares the whole parts, then the rests turned over, as Euclid did: no product is formed,
    /// so nothing overflows. O(log of the smaller number).
    fn cmp(&self, other: &Ratio) -> Ordering {
        let (mut one, mut two) = (*self, *other);
        let mut turned = false;
        let order = loop {
            match (one.under, two.under) {
                (0, 0) => break Ordering::Equal,
                (0, _) => break Ordering::Greater,
                (_, 0) => break Ordering::Less,
                _ => {}
            }
            let whole = (one.over / one.under).cmp(&(two.over / two.under));
            if whole != Ordering::Equal {
                break whole;
            }
            one = Ratio { over: one.under, under: one.over % one.under };
            two = Ratio { over: two.under, under: two.over % two.under };
            turned = !turned;
        };
        if turned { order.reverse() } else { order }
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Ratio) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Ratio) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ratio {}
