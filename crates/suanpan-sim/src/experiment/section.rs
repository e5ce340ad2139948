//! Reading TOML key by key: every value knows its line, and a key nobody asked for is refused.

use crate::problem::{Problem, shown};
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text that is read, for names and lines in messages.
#[derive(Clone, Copy, Debug)]
struct Place<'t> {
    file: &'t str,
    text: &'t str,
}

impl Place<'_> {
    fn line(self, offset: usize) -> u64 {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1
    }

    fn problem(self, offset: usize, field: &str, value: &str, expected: &str) -> Problem {
        Problem {
            file: self.file.to_owned(),
            line: self.line(offset),
            field: field.to_owned(),
            value: shown(value),
            expected: expected.to_owned(),
        }
    }
}

/// A table whose keys are taken one after the other.
#[derive(Debug)]
pub(super) struct Section<'t> {
    place: Place<'t>,
    path: String,
    offset: usize,
    left: Vec<(String, usize, Spanned<DeValue<'t>>)>,
    asked: Vec<&'static str>,
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Value<'t> {
    place: Place<'t>,
    /// The key with the tables around it, `workload[0].jobs`.
    pub field: String,
    offset: usize,
    value: DeValue<'t>,
}

/// Reads a whole file.
pub(super) fn document<'t>(file: &'t str, text: &'t str) -> Result<Section<'t>, Problem> {
    let place = Place { file, text };
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let line = text.lines().nth(place.line(offset) as usize - 1).unwrap_or_default();
        place.problem(offset, "line", line, &format!("TOML: {}", error.message()))
    })?;
    Ok(Section::new(place, String::new(), 0, table.into_inner()))
}

impl<'t> Section<'t> {
    fn new(place: Place<'t>, path: String, offset: usize, table: DeTable<'t>) -> Section<'t> {
        let keyed = |(key, value): (Spanned<_>, Spanned<DeValue<'t>>)| {
            let offset = key.span().start;
            let name: std::borrow::Cow<'t, str> = key.into_inner();
            (name.into_owned(), offset, value)
        };
        let left = table.into_iter().map(keyed).collect();
        Section { place, path, offset, left, asked: Vec::new() }
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.asked.push(key);
        let at = self.left.iter().position(|(name, ..)| name == key)?;
        let (_, offset, value) = self.left.swap_remove(at);
        let field = self.field(key);
        // A table written `[key]` has no span of its own that is of use.
        let offset = if value.span().is_empty() { offset } else { value.span().start };
        Some(Value { place: self.place, field, offset, value: value.into_inner() })
    }

    /// All keys with their values, for a table whose keys are names.
    pub(super) fn entries(self) -> Vec<(String, Value<'t>)> {
        let mut left = self.left;
        left.sort_unstable_by_key(|(_, offset, _)| *offset);
        let value = |(key, offset, value): (String, usize, Spanned<DeValue<'t>>)| {
            let field = format!("{}.{key}", self.path);
            let value = Value { place: self.place, field, offset, value: value.into_inner() };
            (key, value)
        };
        left.into_iter().map(value).collect()
    }

    /// The value of a key that must be there.
    pub(super) fn need(&mut self, key: &'static str, expected: &str) -> Result<Value<'t>, Problem> {
        let value = self.take(key);
        value.ok_or_else(|| self.wrong(key, "missing", expected))
    }

    /// A problem with a key of this table that is not there, or with the table as a whole.
    pub(super) fn wrong(&self, key: &str, value: &str, expected: &str) -> Problem {
        self.place.problem(self.offset, &self.field(key), value, expected)
    }

    /// Ends the reading: a key that was never asked for is unknown.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some((key, offset, _)) = self.left.iter().min_by_key(|(_, offset, _)| *offset) else {
            return Ok(());
        };
        let mut known = self.asked.clone();
        known.sort_unstable();
        let expected = match nearest(key, &known) {
            Some(name) => format!("`{name}`, or one of: {}", known.join(", ")),
            None => format!("one of: {}", known.join(", ")),
        };
        let table = if self.path.is_empty() { "key" } else { "key of" };
        let field = format!("{table} {}", self.path);
        Err(self.place.problem(*offset, field.trim_end(), key, &expected))
    }
}

impl<'t> Value<'t> {
    /// What is wrong with it.
    pub(super) fn wrong(&self, expected: &str) -> Problem {
        self.place.problem(self.offset, &self.field, &self.shown(), expected)
    }

    /// It as it is written; a list or a table by its kind.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(yes) => yes.to_string(),
            DeValue::Datetime(at) => at.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    /// A quantity, in quotes or as a plain number; its text, so that decimals stay exact.
    pub(super) fn quantity(&self, expected: &str) -> Result<String, Problem> {
        match &self.value {
            DeValue::String(text) => Ok(text.trim().to_owned()),
            DeValue::Float(number) => Ok(number.as_str().to_owned()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
            _ => Err(self.wrong(expected)),
        }
    }

    /// A list of texts in quotes.
    pub(super) fn texts(self, expected: &str) -> Result<Vec<String>, Problem> {
        self.list(expected)?.iter().map(|value| value.text(expected)).collect()
    }

    /// Text in quotes.
    pub(super) fn text(&self, expected: &str) -> Result<String, Problem> {
        match &self.value {
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.wrong(expected)),
        }
    }

    /// A date or a time, in quotes or not, as it is written.
    pub(super) fn moment(&self, expected: &str) -> Result<String, Problem> {
        match &self.value {
            DeValue::Datetime(at) => Ok(at.to_string()),
            _ => self.text(expected),
        }
    }

    /// A whole number in a range.
    pub(super) fn whole(&self, range: RangeInclusive<u64>, what: &str) -> Result<u64, Problem> {
        let number = match &self.value {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.and_then(|number| u64::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.wrong(&format!("{what}, a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// A number, with or without a fraction, in a range.
    pub(super) fn number(&self, range: RangeInclusive<f64>, what: &str) -> Result<f64, Problem> {
        let number: Option<f64> = match &self.value {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.wrong(&format!("{what}, a number from {} to {}", range.start(), range.end()))
        })
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Result<T, Problem> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let text = self.text(&format!("one of: {}", known.join(", ")))?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let near = nearest(&text, &known).map(|word| format!("`{word}`, or "));
            self.wrong(&format!("{}one of: {}", near.unwrap_or_default(), known.join(", ")))
        })
    }

    /// Values in brackets.
    pub(super) fn list(self, expected: &str) -> Result<Vec<Value<'t>>, Problem> {
        let problem = self.wrong(expected);
        let DeValue::Array(values) = self.value else { return Err(problem) };
        let (place, field) = (self.place, self.field);
        let numbered = |(index, value): (usize, Spanned<DeValue<'t>>)| Value {
            place,
            field: format!("{field}[{index}]"),
            offset: value.span().start,
            value: value.into_inner(),
        };
        Ok(values.into_iter().enumerate().map(numbered).collect())
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// `true` or `false`.
    pub(super) fn truth(&self) -> Result<bool, Problem> {
        match &self.value {
            DeValue::Boolean(yes) => Ok(*yes),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// Whether it is text.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// A table.
    pub(super) fn section(self, expected: &str) -> Result<Section<'t>, Problem> {
        let problem = self.wrong(expected);
        let DeValue::Table(table) = self.value else { return Err(problem) };
        Ok(Section::new(self.place, self.field, self.offset, table))
    }
}

/// The known word that was probably meant: at most two letters wrong, or one begins the other.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = |candidate: &&&str| distance(word, candidate);
    let best = known.iter().min_by_key(near)?;
    let close = distance(word, best) <= 2 && best.chars().count() > 3;
    (close || (word.len() >= 3 && best.starts_with(word))).then_some(*best)
}

/// How many letters must be changed, added or taken away (Levenshtein). Only short words are
/// compared.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(32).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().take(32).enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = before + usize::from(a != *b);
            before = row[j + 1];
            row[j + 1] = changed.min(before + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
