//! Sets of array indices that stay small when the indices are consecutive.

use crate::array::ArraySpec;
use crate::parse::{ParseError, digits, serde_as_text};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// A set of 32-bit indices kept as maximal intervals.
///
/// A million consecutive indices take one entry; inserting and removing cost O(log intervals).
/// Printed and read as `1-5,7`; the empty set is the empty text. Travels in JSON as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct IndexSet {
    /// First index of each interval to its last; intervals neither overlap nor touch.
    intervals: BTreeMap<u32, u32>,
    count: u64,
}

impl IndexSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many indices the set has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the set has no index.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The smallest index.
    pub fn first(&self) -> Option<u32> {
        self.intervals.keys().next().copied()
    }

    /// The largest index.
    pub fn last(&self) -> Option<u32> {
        self.intervals.values().next_back().copied()
    }

    /// Whether the set has `index`.
    pub fn contains(&self, index: u32) -> bool {
        self.interval_at(index).is_some()
    }

    /// The maximal intervals in ascending order.
    pub fn intervals(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.intervals.iter().map(|(&first, &last)| first..=last)
    }

    /// The indices in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.intervals().flatten()
    }

    /// Adds `index`; whether it was new.
    pub fn insert(&mut self, index: u32) -> bool {
        if self.contains(index) {
            return false;
        }
        self.insert_range(index..=index);
        true
    }

    /// Adds every index of `range`.
    pub fn insert_range(&mut self, range: RangeInclusive<u32>) {
        let (mut first, mut last) = (*range.start(), *range.end());
        if first > last {
            return;
        }
        if let Some((before, end)) = self.interval_before(first)
            && end >= first.saturating_sub(1)
        {
            first = before;
        }
        // Everything that starts inside or right behind the range becomes part of it.
        let reach = last.saturating_add(1);
        while let Some((&start, &end)) = self.intervals.range(first..=reach.max(first)).next() {
            if start > last.saturating_add(1) {
                break;
            }
            self.intervals.remove(&start);
            self.count -= length(start, end);
            last = last.max(end);
        }
        self.intervals.insert(first, last);
        self.count += length(first, last);
    }

    /// Takes `index` out; whether it was there.
    pub fn remove(&mut self, index: u32) -> bool {
        let Some((first, last)) = self.interval_at(index) else { return false };
        self.intervals.remove(&first);
        if first < index {
            self.intervals.insert(first, index - 1);
        }
        if index < last {
            self.intervals.insert(index + 1, last);
        }
        self.count -= 1;
        true
    }

    /// Takes the smallest index out.
    pub fn pop_first(&mut self) -> Option<u32> {
        let first = self.first()?;
        self.remove(first);
        Some(first)
    }

    /// Adds every index of `other`.
    pub fn union_with(&mut self, other: &Self) {
        other.intervals().for_each(|range| self.insert_range(range));
    }

    /// The indices that are in either set.
    pub fn union(&self, other: &Self) -> Self {
        let (mut large, small) = if self.intervals.len() < other.intervals.len() {
            (other.clone(), self)
        } else {
            (self.clone(), other)
        };
        large.union_with(small);
        large
    }

    /// The interval that holds `index`.
    fn interval_at(&self, index: u32) -> Option<(u32, u32)> {
        self.interval_before(index).filter(|&(_, last)| index <= last)
    }

    /// The last interval that starts at or before `index`.
    fn interval_before(&self, index: u32) -> Option<(u32, u32)> {
        self.intervals.range(..=index).next_back().map(|(&first, &last)| (first, last))
    }
}

fn length(first: u32, last: u32) -> u64 {
    u64::from(last - first) + 1
}

impl FromIterator<u32> for IndexSet {
    fn from_iter<I: IntoIterator<Item = u32>>(indices: I) -> Self {
        let mut set = Self::new();
        for index in indices {
            set.insert(index);
        }
        set
    }
}

impl From<&ArraySpec> for IndexSet {
    fn from(array: &ArraySpec) -> Self {
        let mut set = Self::new();
        for (first, step, count) in array.runs() {
            if step == 1 {
                set.insert_range(first..=first + (count - 1));
            } else {
                (0..count).for_each(|k| set.insert_range(first + step * k..=first + step * k));
            }
        }
        set
    }
}

impl FromStr for IndexSet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || ParseError::new("index set", text, "ascending ranges such as 1-5,7");
        let mut set = Self::new();
        if text.is_empty() {
            return Ok(set);
        }
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let first: u32 = digits(first).ok_or_else(refuse)?;
            let last: u32 = digits(last).ok_or_else(refuse)?;
            if last < first {
                return Err(refuse());
            }
            set.insert_range(first..=last);
        }
        Ok(set)
    }
}

impl fmt::Display for IndexSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, (first, last)) in self.intervals.iter().enumerate() {
            let comma = if k > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

serde_as_text!(IndexSet);
