//! File name patterns such as `slurm-%j.out`.

use crate::parse::{ParseError, serde_as_text};
use std::fmt::{self, Write as _};
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// A file name with replacement symbols, as in `sbatch --output` (sbatch manual, "filename
/// pattern").
///
/// `%A` array job, `%a` task index, `%J` job.step, `%j` job, `%N` node name, `%n` node number,
/// `%s` step, `%t` task rank, `%u` user, `%x` job name, `%%` a percent sign. A number between
/// the percent sign and the letter pads numbers with zeros (`%3a`). A backslash anywhere makes
/// the whole name literal. Travels in JSON as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    Field(Field, Option<u8>),
}

/// What a replacement symbol stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `%A`
    ArrayJob,
    /// `%a`
    ArrayIndex,
    /// `%J`
    JobStep,
    /// `%j`
    Job,
    /// `%N`
    NodeName,
    /// `%n`
    NodeNumber,
    /// `%s`
    Step,
    /// `%t`
    Task,
    /// `%u`
    User,
    /// `%x`
    JobName,
}

const FIELDS: [(char, Field); 10] = [
    ('A', Field::ArrayJob),
    ('a', Field::ArrayIndex),
    ('J', Field::JobStep),
    ('j', Field::Job),
    ('N', Field::NodeName),
    ('n', Field::NodeNumber),
    ('s', Field::Step),
    ('t', Field::Task),
    ('u', Field::User),
    ('x', Field::JobName),
];

/// The values that replace the symbols of a pattern.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// The number of the job.
    pub job: u64,
    /// The number of the array job and the index of the task, for a task of an array.
    pub array: Option<(u64, u32)>,
    /// The name of the job.
    pub name: &'a str,
    /// The user the job runs as.
    pub user: &'a str,
    /// The short name of the first node.
    pub node_name: &'a str,
    /// The node's number within the job, from zero.
    pub node: u32,
    /// The rank of the task within the job, from zero.
    pub task: u32,
    /// The step; `None` for the batch script itself.
    pub step: Option<u32>,
}

impl FilePattern {
    /// The longest file name, in bytes (Linux `PATH_MAX`, with room for a directory).
    pub const LENGTH_MAX: usize = 4_000;
    /// The largest padding (Slurm's own bound).
    pub const WIDTH_MAX: u8 = 10;

    /// Whether the name depends on `field`.
    pub fn uses(&self, field: Field) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(used, _) if *used == field))
    }

    /// The file name for one task. A slash inside a job, user or node name becomes `_`, so that a
    /// name cannot leave its directory.
    pub fn render(&self, fields: &Fields<'_>) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Field(field, width) => {
                    push_field(&mut name, *field, usize::from(width.unwrap_or(0)), fields);
                }
            }
        }
        name
    }
}

fn push_field(name: &mut String, field: Field, width: usize, fields: &Fields<'_>) {
    // Slurm prints its "no value" marker for the index of a job that is no array.
    let (array_job, index) = fields.array.unwrap_or((fields.job, u32::MAX - 1));
    let number = match field {
        Field::ArrayJob => array_job,
        Field::ArrayIndex => u64::from(index),
        Field::Job | Field::JobStep => fields.job,
        Field::NodeNumber => u64::from(fields.node),
        Field::Task => u64::from(fields.task),
        Field::Step => match fields.step {
            Some(step) => u64::from(step),
            None => return name.push_str("batch"),
        },
        Field::NodeName => return push_name(name, fields.node_name),
        Field::User => return push_name(name, fields.user),
        Field::JobName => return push_name(name, fields.name),
    };
    write!(name, "{number:0width$}").expect("writing to a string cannot fail");
    if let (Field::JobStep, Some(step)) = (field, fields.step) {
        write!(name, ".{step}").expect("writing to a string cannot fail");
    }
}

fn push_name(name: &mut String, value: &str) {
    name.extend(value.chars().map(|c| if c == '/' || c == '\0' { '_' } else { c }));
}

impl FromStr for FilePattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: String| ParseError::new("file name pattern", text, expected);
        if text.is_empty() || text.len() > Self::LENGTH_MAX || text.contains(['\0', '\n']) {
            let most = Self::LENGTH_MAX;
            return Err(refuse(format!("a file name of 1 to {most} bytes on one line")));
        }
        if text.contains('\\') {
            let literal = text.replace('\\', "");
            if literal.is_empty() {
                return Err(refuse("a file name beside the backslash".to_owned()));
            }
            return Ok(Self { parts: vec![Part::Text(literal)] });
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            let (field, width, after) = read_symbol(after).map_err(refuse)?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Field(field, width));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }
}

/// Reads what follows a percent sign: the width, the letter, and the text behind them.
fn read_symbol(text: &str) -> Result<(Field, Option<u8>, &str), String> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (width, rest) = text.split_at(end);
    let width = match width {
        "" => None,
        digits => Some(
            digits
                .parse()
                .ok()
                .filter(|&width| width <= FilePattern::WIDTH_MAX)
                .ok_or_else(|| format!("a width up to {} after %", FilePattern::WIDTH_MAX))?,
        ),
    };
    let letter = rest.chars().next();
    let known = FIELDS.iter().find(|&&(known, _)| Some(known) == letter);
    match (known, letter) {
        (Some(&(letter, field)), _) => Ok((field, width, &rest[letter.len_utf8()..])),
        (None, letter) => {
            let wrong = letter.map_or("the end".to_owned(), |c| format!("`{c}`"));
            Err(format!(
                "one of A a J j N n s t u x after %, or %% for a percent sign, not {wrong}"
            ))
        }
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(&text.replace('%', "%%"))?,
                Part::Field(field, width) => {
                    f.write_str("%")?;
                    width.map_or(Ok(()), |width| write!(f, "{width}"))?;
                    let known = FIELDS.iter().find(|(_, known)| known == field);
                    let (letter, _) = known.expect("every field has a letter");
                    write!(f, "{letter}")?;
                }
            }
        }
        Ok(())
    }
}

serde_as_text!(FilePattern);
