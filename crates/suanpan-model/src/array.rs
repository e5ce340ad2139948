//! The index list of an array job.

use crate::parse::{ParseError, digits, serde_as_text};
use runs::{Run, union};
use std::fmt;
use std::str::FromStr;

pub use crate::index_set::IndexSet;

mod runs;
#[cfg(test)]
mod tests;

/// Which task indices an array job has, and how many of them may run at once.
///
/// Read in the forms of `sbatch --array`: `0-15`, `1-7:2`, `1,3,5`, any mix separated by commas,
/// and a `%limit` at the end. Indices that are named twice count once. Kept as sorted arithmetic
/// runs, so that `1-1000000` takes a few bytes; two lists of the same indices are equal however
/// they were typed. Travels in JSON as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArraySpec {
    runs: Vec<Run>,
    limit: Option<u32>,
}

const FORMS: &str = "indices such as 0-15, 1-7:2 or 1,3,5, and an optional %limit";

impl ArraySpec {
    /// The largest index: one below Slurm's marker for "no value".
    pub const INDEX_MAX: u32 = 4_294_967_294;
    /// The most tasks one array may have, counted as typed.
    pub const TASKS_MAX: u64 = 10_000_000;
    /// The most tasks of overlapping ranges that may have to be listed one by one. Where such
    /// ranges together make long regular runs, as `0-8:2,1-9:2` does, only a few are.
    pub const INTERLEAVED_MAX: u64 = 1_000_000;

    /// How many tasks there are; at least one.
    pub fn count(&self) -> u64 {
        let last = self.last_run();
        u64::from(last.before) + u64::from(last.count)
    }

    /// The smallest index.
    pub fn min(&self) -> u32 {
        self.runs[0].start
    }

    /// The largest index.
    pub fn max(&self) -> u32 {
        self.last_run().last()
    }

    /// The distance between indices if they are one regular run, otherwise 1.
    pub fn step(&self) -> u32 {
        if self.runs.len() == 1 { self.runs[0].step } else { 1 }
    }

    /// How many tasks may run at the same time; `None` if all may.
    pub fn limit(&self) -> Option<u32> {
        self.limit
    }

    /// The indices in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs.iter().flat_map(|run| (0..run.count).map(|k| run.start + run.step * k))
    }

    /// The index at `position`, counted from zero in ascending order.
    pub fn nth(&self, position: u64) -> Option<u32> {
        if position >= self.count() {
            return None;
        }
        let after = self.runs.partition_point(|run| u64::from(run.before) <= position);
        let run = self.runs[after - 1];
        let offset = (position - u64::from(run.before)) as u32;
        Some(run.start + run.step * offset)
    }

    /// Where `index` stands in ascending order, or `None` if the array does not have it.
    pub fn position(&self, index: u32) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.start <= index);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let distance = index - run.start;
        let offset = distance / run.step;
        (distance.is_multiple_of(run.step) && offset < run.count)
            .then(|| u64::from(run.before) + u64::from(offset))
    }

    /// Whether the array has `index`.
    pub fn contains(&self, index: u32) -> bool {
        self.position(index).is_some()
    }

    /// The indices as arithmetic runs in ascending order: first index, step, count.
    pub fn runs(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.runs.iter().map(|run| (run.start, run.step, run.count))
    }

    fn last_run(&self) -> Run {
        *self.runs.last().expect("an array has at least one run")
    }
}

impl FromStr for ArraySpec {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: String| ParseError::new("array", text, expected);
        let trimmed = text.trim();
        let (list, limit) = match trimmed.split_once('%') {
            None => (trimmed, None),
            Some((list, limit)) => match digits::<u32>(limit) {
                // Slurm reads %0 as "no limit".
                Some(0) => (list, None),
                Some(limit) => (list, Some(limit)),
                None => return Err(refuse("a whole number after %".to_owned())),
            },
        };
        // Slurm also prints index lists in brackets.
        let list = list.strip_prefix('[').and_then(|l| l.strip_suffix(']')).unwrap_or(list);
        let mut ranges = Vec::new();
        let mut typed = 0u64;
        for part in list.split(',') {
            let range = read_range(part).map_err(|why| refuse(why.to_owned()))?;
            typed += u64::from(range.count);
            if typed > Self::TASKS_MAX {
                return Err(refuse(format!("at most {} tasks", Self::TASKS_MAX)));
            }
            ranges.push(range);
        }
        ranges.sort_by_key(|range| (range.start, range.last()));
        let (runs, _) = union(&ranges).ok_or_else(|| {
            refuse(format!("at most {} tasks in overlapping ranges", Self::INTERLEAVED_MAX))
        })?;
        Ok(Self { runs, limit })
    }
}

fn read_range(text: &str) -> Result<Run, &'static str> {
    let number = |text: &str| match digits::<u64>(text.trim()) {
        Some(n) if n <= u64::from(ArraySpec::INDEX_MAX) => Ok(n as u32),
        Some(_) => Err("indices up to 4294967294"),
        None => Err(FORMS),
    };
    let (range, step) = match text.split_once(':') {
        None => (text, None),
        Some((range, step)) => (range, Some(number(step)?)),
    };
    let (start, last) = match range.split_once('-') {
        None if step.is_some() => return Err("a range before the step, such as 1-7:2"),
        None => (number(range)?, number(range)?),
        Some((start, last)) => (number(start)?, number(last)?),
    };
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err("a step of at least 1");
    }
    if last < start {
        return Err("ranges from the smaller to the larger index");
    }
    Ok(Run { start, step, count: (last - start) / step + 1, before: 0 })
}

impl fmt::Display for ArraySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, run) in self.runs.iter().enumerate() {
            let comma = if k > 0 { "," } else { "" };
            match run {
                Run { start, count: 1, .. } => write!(f, "{comma}{start}")?,
                Run { start, step: 1, .. } => write!(f, "{comma}{start}-{}", run.last())?,
                Run { start, step, .. } => write!(f, "{comma}{start}-{}:{step}", run.last())?,
            }
        }
        self.limit.map_or(Ok(()), |limit| write!(f, "%{limit}"))
    }
}

serde_as_text!(ArraySpec);
