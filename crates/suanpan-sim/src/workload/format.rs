//! The kinds of logs, and reading one of them.

use super::{job, philly};
use crate::experiment::Log;
use crate::problem::Problem;

/// A kind of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Our own CSV, [`job::COLUMNS`].
    Jobs,
    /// [`philly`].
    Philly,
}

impl Format {
    /// Their names on the command line and in experiment files.
    pub const WORDS: [(&'static str, Format); 2] =
        [("jobs", Format::Jobs), ("philly", Format::Philly)];

    /// The format that a file's name shows without doubt.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Format> {
        let name = name.strip_suffix(".zst").unwrap_or(name);
        name.ends_with(".jobs.csv").then_some(Format::Jobs)
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = Format::WORDS.iter().find(|(_, format)| *format == self);
        found.map_or("", |(word, _)| word)
    }
}

/// How a log is cleaned before use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clean {
    /// Not at all.
    #[default]
    None,
}

impl Clean {
    /// Their names.
    pub const WORDS: [(&'static str, Clean); 1] = [("none", Clean::None)];
}

/// Reads the text of a log as its format says.
///
/// # Errors
/// What the format's own reader refuses.
pub fn read(
    text: &str,
    file: &str,
    log: &Log,
) -> Result<job::Loaded, Problem> {
    match log.format {
        Format::Jobs => job::read_csv(text, file, log.strictness),
        Format::Philly => philly::read(text, file, log.strictness),
    }
}
