//! What a job waits for, in Slurm's dependency expressions.

use crate::id::JobId;
use crate::job::TaskRef;
use crate::parse::{ParseError, digits, serde_as_text};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// When a job may start, seen from other jobs.
///
/// Read in the form of `sbatch --dependency`: `afterok:1:2,afterany:3` waits for all conditions,
/// `afterok:1?afterany:3` for any one of them; the two separators do not mix. A target is a job
/// (`36`) or one task of an array job (`36_4`). Travels in JSON as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dependency {
    join: Join,
    conditions: Vec<Condition>,
}

/// How the conditions of a dependency are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Join {
    /// Every condition must hold.
    All,
    /// One condition is enough.
    Any,
}

/// One thing a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The target has started (or was cancelled) at least `minutes` ago.
    After {
        /// What is waited for.
        target: TaskRef,
        /// Minutes since its start.
        minutes: u32,
    },
    /// The target has ended, however.
    AfterAny(TaskRef),
    /// The target has ended with success; all tasks of it, if it is an array.
    AfterOk(TaskRef),
    /// The target has ended without success.
    AfterNotOk(TaskRef),
    /// The task of the same index of the target array has ended with success.
    AfterCorr(TaskRef),
    /// No earlier job of the same name and owner is unfinished.
    Singleton,
}

const FORMS: &str = "conditions such as afterok:36:37 or after:36+10, joined by , (all) or ? (any)";
const KINDS: &str = "after, afterany, afterok, afternotok, aftercorr or singleton";

impl Dependency {
    /// The most conditions one expression may have.
    pub const CONDITIONS_MAX: usize = 1_000;

    /// How the conditions combine; `All` if there is only one.
    pub fn join(&self) -> Join {
        self.join
    }

    /// The conditions as typed; at least one.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The jobs that are named.
    pub fn targets(&self) -> impl Iterator<Item = TaskRef> + '_ {
        self.conditions.iter().filter_map(|condition| condition.target())
    }
}

impl Condition {
    /// The job or task that is waited for; `None` for `singleton`.
    pub fn target(self) -> Option<TaskRef> {
        match self {
            Self::After { target, .. }
            | Self::AfterAny(target)
            | Self::AfterOk(target)
            | Self::AfterNotOk(target)
            | Self::AfterCorr(target) => Some(target),
            Self::Singleton => None,
        }
    }

    /// The word the condition is typed with.
    pub fn kind(self) -> &'static str {
        match self {
            Self::After { .. } => "after",
            Self::AfterAny(_) => "afterany",
            Self::AfterOk(_) => "afterok",
            Self::AfterNotOk(_) => "afternotok",
            Self::AfterCorr(_) => "aftercorr",
            Self::Singleton => "singleton",
        }
    }
}

impl FromStr for Dependency {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: String| ParseError::new("dependency", text, expected);
        let trimmed = text.trim();
        let separator = match (trimmed.contains(','), trimmed.contains('?')) {
            (true, true) => {
                return Err(refuse("only , (all) or only ? (any), not both".to_owned()));
            }
            (_, false) => ',',
            (false, true) => '?',
        };
        let mut conditions = Vec::new();
        for part in trimmed.split(separator) {
            read_part(part, &mut conditions).map_err(refuse)?;
            if conditions.len() > Self::CONDITIONS_MAX {
                return Err(refuse(format!("at most {} conditions", Self::CONDITIONS_MAX)));
            }
        }
        let join = if separator == '?' && conditions.len() > 1 { Join::Any } else { Join::All };
        Ok(Self { join, conditions })
    }
}

fn read_part(part: &str, conditions: &mut Vec<Condition>) -> Result<(), String> {
    let (kind, targets) = match part.split_once(':') {
        Some((kind, targets)) => (kind.to_ascii_lowercase(), Some(targets)),
        None => (part.to_ascii_lowercase(), None),
    };
    match (kind.as_str(), targets) {
        ("singleton", None) => conditions.push(Condition::Singleton),
        ("singleton", Some(_)) => return Err("singleton without a job id".to_owned()),
        ("after" | "afterany" | "afterok" | "afternotok" | "aftercorr", None) => {
            return Err(format!("a job id after {kind}, such as {kind}:36"));
        }
        ("afterburstbuffer" | "expand", _) => {
            return Err(format!("{KINDS} (`{kind}` belongs to a Slurm site and is not supported)"));
        }
        ("after" | "afterany" | "afterok" | "afternotok" | "aftercorr", Some(targets)) => {
            for target in targets.split(':') {
                conditions.push(read_condition(&kind, target)?);
                if conditions.len() > Dependency::CONDITIONS_MAX {
                    break;
                }
            }
        }
        ("", _) => return Err(FORMS.to_owned()),
        (kind, None) if kind.bytes().all(|b| b.is_ascii_digit() || b == b'_') => {
            return Err(format!("a kind before the job id, such as afterany:{kind}"));
        }
        _ => return Err(KINDS.to_owned()),
    }
    Ok(())
}

fn read_condition(kind: &str, text: &str) -> Result<Condition, String> {
    let (target, minutes) = match text.split_once('+') {
        None => (text, None),
        Some((target, minutes)) if kind == "after" => {
            let minutes = digits::<u32>(minutes)
                .ok_or_else(|| "whole minutes after +, such as after:36+10".to_owned())?;
            (target, Some(minutes))
        }
        Some(_) => return Err(format!("+minutes only with after, not with {kind}")),
    };
    let target: TaskRef = target.parse().map_err(|error: ParseError| error.expected)?;
    Ok(match kind {
        "after" => Condition::After { target, minutes: minutes.unwrap_or(0) },
        "afterany" => Condition::AfterAny(target),
        "afterok" => Condition::AfterOk(target),
        "afternotok" => Condition::AfterNotOk(target),
        _ => Condition::AfterCorr(target),
    })
}

impl FromStr for TaskRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse =
            || ParseError::new("job id", text, "a job id such as 36, or 36_4 for one task of it");
        let (job, index) = match text.split_once('_') {
            None => (text, None),
            Some((job, index)) => {
                let index = digits::<u32>(index).filter(|&index| index < u32::MAX);
                (job, Some(index.ok_or_else(refuse)?))
            }
        };
        match digits::<u64>(job) {
            Some(job) if job > 0 => Ok(Self { job: JobId(job), index }),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Singleton => write!(f, "singleton"),
            Self::After { target, minutes } if *minutes > 0 => {
                write!(f, "after:{target}+{minutes}")
            }
            Self::After { target, .. }
            | Self::AfterAny(target)
            | Self::AfterOk(target)
            | Self::AfterNotOk(target)
            | Self::AfterCorr(target) => write!(f, "{}:{target}", self.kind()),
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.join {
            Join::All => ',',
            Join::Any => '?',
        };
        for (k, condition) in self.conditions.iter().enumerate() {
            if k > 0 {
                write!(f, "{separator}")?;
            }
            write!(f, "{condition}")?;
        }
        Ok(())
    }
}

serde_as_text!(Dependency);
