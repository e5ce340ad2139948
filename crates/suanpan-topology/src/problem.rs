//! What is wrong with a description, told by line, field, value and remedy.

use std::fmt;

pub use suanpan_model::parse::shown;

/// One thing wrong with a text or a document. The caller knows the file's name and puts it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1; 0 if it is about the whole text.
    pub line: usize,
    /// Field, by the format's own name for it.
    pub field: String,
    /// What stands there, shortened by [`shown`].
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl Problem {
    /// A problem with a field of a document, without a line.
    #[must_use]
    pub fn new(field: impl Into<String>, value: impl fmt::Display, expected: &str) -> Self {
        Self::at(0, field, value, expected)
    }

    /// A problem in one line of a text.
    #[must_use]
    pub fn at(
        line: usize,
        field: impl Into<String>,
        value: impl fmt::Display,
        expected: &str,
    ) -> Self {
        let value = shown(&value.to_string());
        Self { line, field: field.into(), value, expected: expected.to_owned() }
    }

    /// The same problem, its field named within `outer`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        let inner = std::mem::take(&mut self.field);
        self.field = if inner.starts_with('[') || inner.is_empty() {
            format!("{outer}{inner}")
        } else {
            format!("{outer}.{inner}")
        };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { line, field, value, expected } = self;
        if *line > 0 {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{field} is `{value}`: expected {expected}")
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_a_sentence() {
        let problem = Problem::at(3, "bandwidth", "fast", "a rate as `400 Gbit/s`");
        assert_eq!(
            problem.to_string(),
            "line 3: bandwidth is `fast`: expected a rate as `400 Gbit/s`"
        );
        assert_eq!(problem.within("links[2]").field, "links[2].bandwidth");
        assert!(shown(&"x".repeat(100)).ends_with('…'));
    }
}
