//! Requests for GPUs, in the forms of Slurm's `--gres` and `--gpus`.

use crate::parse::{ParseError, digits, serde_as_text};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// How many GPUs are asked for, of any kind or of named kinds.
///
/// [`FromStr`] reads the form of `sbatch --gres` (`gpu`, `gpu:2`, `gpu:a100:2`, `none`, comma
/// lists add up); [`GpuRequest::from_gpus`] reads the form of `sbatch --gpus` (`2`, `a100:2`).
/// Anything that is not a GPU is refused by name. Travels in JSON as the `--gres` text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GpuRequest {
    any: u32,
    named: BTreeMap<String, u32>,
}

const FORMS: &str = "gpu, gpu:2, gpu:a100:2 or a comma list of these";
const KIND: &str = "letters, digits, `-`, `_` or `.` in the kind of GPU";
const COUNT_MAX: u32 = 1_000_000;

impl GpuRequest {
    /// GPUs of any kind.
    pub fn of_any(count: u32) -> Self {
        Self { any: count, named: BTreeMap::new() }
    }

    /// GPUs of no particular kind.
    pub fn any(&self) -> u32 {
        self.any
    }

    /// GPUs by kind, in alphabetical order; kinds as typed, in lower case.
    pub fn named(&self) -> impl Iterator<Item = (&str, u32)> + '_ {
        self.named.iter().map(|(kind, &count)| (kind.as_str(), count))
    }

    /// All GPUs together.
    pub fn total(&self) -> u32 {
        // Each part was bounded by the total while reading, so the sum fits.
        self.named.values().fold(self.any, |sum, &count| sum.saturating_add(count))
    }

    /// Reads the form of `sbatch --gpus`: `2`, `a100:2`, `a100`, or a comma list of these.
    pub fn from_gpus(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: &str| ParseError::new("GPU request", text, expected);
        let mut request = Self::default();
        for part in text.trim().split(',') {
            let (kind, count) = match part.split_once(':') {
                None if part.starts_with(|c: char| c.is_ascii_digit()) => (None, part),
                None => (Some(part), "1"),
                Some((kind, count)) => (Some(kind), count),
            };
            request.add(kind, count).map_err(|expected| match expected {
                FORMS => refuse("2, a100:2 or a comma list of these"),
                expected => refuse(expected),
            })?;
        }
        Ok(request)
    }

    fn add(&mut self, kind: Option<&str>, count: &str) -> Result<(), &'static str> {
        let count: u32 = digits(count).ok_or(FORMS)?;
        let total = self.total().checked_add(count).filter(|&total| total <= COUNT_MAX);
        total.ok_or("at most 1000000 GPUs")?;
        let Some(kind) = kind else {
            self.any += count;
            return Ok(());
        };
        let is_kind = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !kind.starts_with(|c: char| c.is_ascii_alphabetic()) || !kind.bytes().all(is_kind) {
            return Err(KIND);
        }
        if count > 0 {
            *self.named.entry(kind.to_ascii_lowercase()).or_default() += count;
        }
        Ok(())
    }
}

impl FromStr for GpuRequest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut request = Self::default();
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("none") {
            return Ok(request);
        }
        for part in trimmed.split(',') {
            request
                .add_gres(part)
                .map_err(|expected| ParseError::new("resource request", text, expected))?;
        }
        Ok(request)
    }
}

impl GpuRequest {
    fn add_gres(&mut self, part: &str) -> Result<(), String> {
        let mut fields = part.split(':');
        let name = fields.next().unwrap_or_default();
        let name = name.strip_prefix("gres/").unwrap_or(name);
        if name != "gpu" {
            return Err(match name {
                "" => FORMS.to_owned(),
                _ => format!("{FORMS} (`{name}` is not a resource of this network)"),
            });
        }
        let added = match (fields.next(), fields.next(), fields.next()) {
            (None, ..) => self.add(None, "1"),
            (Some(count), None, _) if count.starts_with(|c: char| c.is_ascii_digit()) => {
                self.add(None, count)
            }
            (Some(kind), None, _) => self.add(Some(kind), "1"),
            (Some(kind), Some(count), None) => self.add(Some(kind), count),
            _ => Err(FORMS),
        };
        added.map_err(str::to_owned)
    }
}

impl fmt::Display for GpuRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total() == 0 {
            return f.write_str("none");
        }
        let mut comma = "";
        if self.any > 0 {
            write!(f, "gpu:{}", self.any)?;
            comma = ",";
        }
        for (kind, count) in &self.named {
            write!(f, "{comma}gpu:{kind}:{count}")?;
            comma = ",";
        }
        Ok(())
    }
}

serde_as_text!(GpuRequest);
