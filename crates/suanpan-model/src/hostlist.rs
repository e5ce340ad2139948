//! Lists of node names in Slurm's bracket form.

use crate::parse::{ParseError, digits, serde_as_text};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// An ordered list of node names, such as `gpu[01-04,07],login1`.
///
/// Zero padding is kept. One bracket per name is read; text may follow it (`gpu[1-2]-ib`).
/// Travels in JSON as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Hostlist {
    groups: Vec<Group>,
}

/// Names that differ only in a number, or a single name without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Group {
    prefix: String,
    ranges: Vec<NumberRange>,
    suffix: String,
}

/// The numbers from `first` to `last`, padded with zeros to `width`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct NumberRange {
    first: u64,
    last: u64,
    width: usize,
}

impl NumberRange {
    fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

const FORMS: &str = "node names such as login1,gpu[01-04,07]";

impl Hostlist {
    /// The most names one list may stand for.
    pub const HOSTS_MAX: u64 = 100_000;

    /// How many names the list stands for.
    pub fn count(&self) -> u64 {
        self.groups.iter().map(Group::count).sum()
    }

    /// Whether the list has no name.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Every name, in the order of the list.
    pub fn expand(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.count() as usize);
        for Group { prefix, ranges, suffix } in &self.groups {
            if ranges.is_empty() {
                names.push(prefix.clone());
            }
            for &NumberRange { first, last, width } in ranges {
                names.extend((first..=last).map(|n| format!("{prefix}{n:0width$}{suffix}")));
            }
        }
        names
    }

    /// Writes `names` in the shortest bracket form that keeps their order. Names need not be
    /// valid: each is taken as it is.
    pub fn compress(names: &[String]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for name in names {
            let (prefix, number) = split_number(name);
            let Some(number) = number else {
                groups.push(Group::single(name));
                continue;
            };
            match groups.last_mut() {
                Some(group) if !group.ranges.is_empty() && group.prefix == prefix => {
                    group.append(number);
                }
                _ => groups.push(Group {
                    prefix: prefix.to_owned(),
                    ranges: vec![number],
                    suffix: String::new(),
                }),
            }
        }
        Self { groups: groups.into_iter().map(Group::plain).collect() }
    }
}

/// Splits the decimal number off the end of a name; at most 18 digits, so that it fits 64 bits.
fn split_number(name: &str) -> (&str, Option<NumberRange>) {
    let digit_count = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (prefix, number) = name.split_at(name.len() - digit_count);
    if prefix.is_empty() || digit_count > 18 {
        return (name, None);
    }
    let range =
        digits::<u64>(number).map(|n| NumberRange { first: n, last: n, width: number.len() });
    (prefix, range)
}

impl Group {
    fn single(name: &str) -> Self {
        Self { prefix: name.to_owned(), ranges: Vec::new(), suffix: String::new() }
    }

    /// The same group, as a single name if it stands for one: `gpu[7]` is `gpu7`.
    fn plain(self) -> Self {
        match self.ranges[..] {
            [range] if range.first == range.last => Self::single(&self.to_string()),
            _ => self,
        }
    }

    fn count(&self) -> u64 {
        if self.ranges.is_empty() {
            return 1;
        }
        self.ranges.iter().fold(0, |sum, range| sum.saturating_add(range.count()))
    }

    /// Adds a number, extending the last range if the number continues it with equal padding.
    fn append(&mut self, number: NumberRange) {
        if let Some(last) = self.ranges.last_mut()
            && number.first == last.last + 1
            && padded_width(number.first, last.width) == number.width
        {
            last.last = number.first;
        } else {
            self.ranges.push(number);
        }
    }
}

/// How many digits `number` has when padded to `width`.
fn padded_width(number: u64, width: usize) -> usize {
    let digit_count = number.checked_ilog10().unwrap_or(0) as usize + 1;
    digit_count.max(width)
}

impl FromStr for Hostlist {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: &str| ParseError::new("node list", text, expected);
        let mut groups = Vec::new();
        let mut count = 0u64;
        for part in split_outside_brackets(text.trim()) {
            let group = read_group(part).map_err(refuse)?;
            count = count.saturating_add(group.count());
            if count > Self::HOSTS_MAX {
                return Err(refuse("at most 100000 nodes"));
            }
            groups.push(group);
        }
        Ok(Self { groups })
    }
}

fn split_outside_brackets(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.split(move |c: char| {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    })
}

fn read_group(text: &str) -> Result<Group, &'static str> {
    let is_name = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let Some((prefix, rest)) = text.split_once('[') else {
        let known = !text.is_empty() && is_name(text);
        return if known { Ok(Group::single(text)) } else { Err(FORMS) };
    };
    let (list, suffix) = rest.split_once(']').ok_or("a ] for every [")?;
    if list.contains('[') || suffix.contains(['[', ']']) {
        return Err("one bracket per name (write rack1-node[1-4],rack2-node[1-4])");
    }
    if !is_name(prefix) || !is_name(suffix) || (prefix.is_empty() && suffix.is_empty()) {
        return Err(FORMS);
    }
    let ranges = list.split(',').map(read_range).collect::<Result<_, _>>()?;
    Ok(Group { prefix: prefix.to_owned(), ranges, suffix: suffix.to_owned() }.plain())
}

fn read_range(text: &str) -> Result<NumberRange, &'static str> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    if first.len() > 18 || last.len() > 18 {
        return Err("numbers of at most 18 digits in brackets");
    }
    let width = first.len();
    let wide_enough = last.len() == width || (last.len() > width && !last.starts_with('0'));
    let (Some(first), Some(last)) = (digits::<u64>(first), digits::<u64>(last)) else {
        return Err("numbers or ranges such as 01-04,07 in brackets");
    };
    if last < first {
        return Err("ranges from the smaller to the larger number");
    }
    if !wide_enough {
        return Err("the same padding at both ends of a range, such as 01-04");
    }
    Ok(NumberRange { first, last, width })
}

impl fmt::Display for Hostlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, group) in self.groups.iter().enumerate() {
            if k > 0 {
                f.write_str(",")?;
            }
            group.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, ranges, suffix } = self;
        match ranges[..] {
            [] => return f.write_str(prefix),
            [NumberRange { first, last, width }] if first == last => {
                return write!(f, "{prefix}{first:0width$}{suffix}");
            }
            _ => {}
        }
        write!(f, "{prefix}[")?;
        for (k, &NumberRange { first, last, width }) in ranges.iter().enumerate() {
            let comma = if k > 0 { "," } else { "" };
            write!(f, "{comma}{first:0width$}")?;
            if last != first {
                write!(f, "-{last:0width$}")?;
            }
        }
        write!(f, "]{suffix}")
    }
}

serde_as_text!(Hostlist);
