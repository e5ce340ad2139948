//! What is wrong with an input, told by file, line and field.

use std::fmt;

pub use suanpan_model::parse::shown;

/// One thing wrong with one line of an input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// What the input is called, mostly its path.
    pub file: String,
    /// Line, from 1; 0 if it is about the whole file.
    pub line: u64,
    /// Field, by the format's own name for it.
    pub field: String,
    /// What stands there, shortened.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, field, value, expected } = self;
        match line {
            0 => write!(f, "{file}: ")?,
            _ => write!(f, "{file}:{line}: ")?,
        }
        write!(f, "{field} is `{value}`: expected {expected}")
    }
}

/// What a problem in one line does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// The line is left out and counted.
    #[default]
    Skip,
    /// The import ends with the first problem.
    Strict,
}

/// What was read, and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported<T> {
    /// What was read.
    pub items: Vec<T>,
    /// The lines that were left out.
    pub skipped: Skipped,
}

/// Lines left out for a problem: all counted, the first kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// The first [`Skipped::KEPT`] of them.
    pub first: Vec<Problem>,
}

impl Skipped {
    /// How many problems are kept in full, so that a file of another kind does not fill memory.
    pub const KEPT: usize = 100;

    /// Takes note of a problem, or ends the import with it.
    ///
    /// # Errors
    /// The problem itself, if `strictness` is [`Strictness::Strict`].
    pub fn note(&mut self, problem: Problem, strictness: Strictness) -> Result<(), Problem> {
        if strictness == Strictness::Strict {
            return Err(problem);
        }
        self.count += 1;
        if self.first.len() < Skipped::KEPT {
            self.first.push(problem);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Problem {
        Problem {
            file: "kth.swf".to_owned(),
            line: 17,
            field: "field 4 (run time)".to_owned(),
            value: shown("ab\tc"),
            expected: "a whole number of seconds, or -1".to_owned(),
        }
    }

    #[test]
    fn says_file_line_field_value_and_what_would_be_right() {
        assert_eq!(
            problem().to_string(),
            "kth.swf:17: field 4 (run time) is `ab\\tc`: expected a whole number of seconds, or -1"
        );
    }

    #[test]
    fn skipping_counts_all_and_keeps_the_first() {
        let mut skipped = Skipped::default();
        for _ in 0..500 {
            skipped.note(problem(), Strictness::Skip).expect("skipping goes on");
        }
        assert_eq!((skipped.count, skipped.first.len()), (500, Skipped::KEPT));
        assert_eq!(skipped.note(problem(), Strictness::Strict), Err(problem()));
    }
}
