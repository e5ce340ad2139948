//! Job files: an unmodified `#SBATCH` script, a YAML file, and the command line's options, each
//! read into a [`SubmitJob`](crate::v1::submit::SubmitJob).
//!
//! Nothing is accepted and ignored: what has no meaning here is refused by name, with the line
//! and what to do instead. All errors of a file are reported together.

pub mod export;
mod near;
pub mod sbatch;
pub mod yaml;

use std::fmt;
use suanpan_model::parse::ParseError;

/// The largest job file that is read, in bytes (Slurm's default for scripts).
pub const SIZE_MAX: usize = 4 * 1024 * 1024;

/// The most errors that are answered for one file.
pub const ERRORS_MAX: usize = 100;

/// What is wrong in a job file, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFileError {
    /// Line in the file, from 1; `None` for the command line and the environment.
    pub line: Option<usize>,
    /// The option, variable or field path, as the user knows it (`--time`, `resources.cpus`).
    pub field: String,
    /// The value as typed; empty if the field itself is wrong.
    pub value: String,
    /// What would be right, continuing the sentence "expected …".
    pub expected: String,
}

impl JobFileError {
    pub(crate) fn new(
        line: Option<usize>,
        field: impl Into<String>,
        value: &str,
        expected: impl Into<String>,
    ) -> Self {
        // The same cut as in the parsers of the model.
        let value = ParseError::new("", value, "").value;
        Self { line, field: field.into(), value, expected: expected.into() }
    }
}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.field)?;
        if !self.value.is_empty() {
            write!(f, ": `{}`", self.value)?;
        }
        write!(f, ": expected {}", self.expected)
    }
}

impl std::error::Error for JobFileError {}

/// Something the user should know although the file is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// The option, variable or field path.
    pub field: String,
    /// The remark, a sentence.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}: {}", self.field, self.text)
    }
}
