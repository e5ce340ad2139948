//! Gavel's inputs (OSDI'20): a table of throughputs in JSON, and traces of training jobs.

pub mod training;

use serde_json::{Map, Value};

use crate::problem::{Imported, Problem, Skipped, Strictness, shown};

/// A job type and the number of GPUs it runs on: `('ResNet-18 (batch size 16)', 1)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobType {
    /// Its name.
    pub name: String,
    /// GPUs.
    pub gpus: u32,
}

/// One measured throughput.
#[derive(Clone, Debug, PartialEq)]
pub struct Throughput {
    /// GPU type, with `_unconsolidated` if its GPUs lie on different nodes.
    pub gpu_type: String,
    /// What ran.
    pub job_type: JobType,
    /// Steps per second.
    pub steps_per_s: f64,
    /// What shared its GPUs, if any did, with its own steps per second.
    pub partner: Option<(JobType, f64)>,
}

/// One job of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceJob {
    /// Type of job.
    pub job_type: String,
    /// Steps to do.
    pub steps: u64,
    /// GPUs.
    pub gpus: u32,
    /// When it is submitted, in seconds.
    pub submitted_s: f64,
    /// Its weight; 1 where the trace has none.
    pub weight: f64,
    /// In how many times its shortest run time it should be done, if that is asked.
    pub slo: Option<f64>,
}

/// Reads a table of throughputs: GPU type → job type → `null` → steps per second alone, or
/// partner → both steps per second when sharing. Problems name the entry as field, as JSON has no
/// lines that mean anything.
///
/// # Errors
/// It is not a JSON object; or, if strict, the first bad entry.
pub fn parse_throughputs(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<Throughput>, Problem> {
    let whole = |line: u64, value: String| Problem {
        file: name.to_owned(),
        line,
        field: "document".to_owned(),
        value,
        expected: "a JSON object of GPU types".to_owned(),
    };
    let parsed: Value = serde_json::from_str(text)
        .map_err(|error| whole(error.line() as u64, shown(&error.to_string())))?;
    let gpu_types = parsed.as_object().ok_or_else(|| whole(1, kind(&parsed)))?;
    let mut read = Table { name, strictness, items: Vec::new(), skipped: Skipped::default() };
    for (gpu_type, jobs) in gpu_types {
        let Some(jobs) = read.object(gpu_type, jobs)? else { continue };
        for (job_type, entries) in jobs {
            let at = format!("{gpu_type}/{job_type}");
            let Some(own) = read.job_type(&at, job_type)? else { continue };
            let Some(entries) = read.object(&at, entries)? else { continue };
            for (partner, value) in entries {
                read.entry(gpu_type, &own, &format!("{at}/{partner}"), partner, value)?;
            }
        }
    }
    Ok(Imported { items: read.items, skipped: read.skipped })
}

/// A table of throughputs while it is read.
struct Table<'a> {
    name: &'a str,
    strictness: Strictness,
    items: Vec<Throughput>,
    skipped: Skipped,
}

impl Table<'_> {
    fn note(&mut self, at: &str, value: String, expected: &str) -> Result<(), Problem> {
        let problem = Problem {
            file: self.name.to_owned(),
            line: 0,
            field: place(at),
            value,
            expected: expected.to_owned(),
        };
        self.skipped.note(problem, self.strictness)
    }

    fn object<'v>(
        &mut self,
        at: &str,
        value: &'v Value,
    ) -> Result<Option<&'v Map<String, Value>>, Problem> {
        if value.as_object().is_none() {
            self.note(at, kind(value), "an object")?;
        }
        Ok(value.as_object())
    }

    fn job_type(&mut self, at: &str, text: &str) -> Result<Option<JobType>, Problem> {
        let found = job_type(text);
        if found.is_none() {
            self.note(at, shown(text), "a job type as ('name', GPUs)")?;
        }
        Ok(found)
    }

    fn entry(
        &mut self,
        gpu_type: &str,
        own: &JobType,
        at: &str,
        partner: &str,
        value: &Value,
    ) -> Result<(), Problem> {
        let alone = partner == "null";
        let partner = if alone { None } else { self.job_type(at, partner)? };
        let rates = match (alone, value.as_array().map(Vec::as_slice)) {
            (true, _) => rate(value).map(|own| (own, None)),
            (false, Some([own, other])) => {
                rate(own).zip(rate(other)).map(|(own, other)| (own, Some(other)))
            }
            _ => None,
        };
        let Some((steps_per_s, other)) = rates else {
            let expected = if alone { "steps per second" } else { "two rates of steps per second" };
            return self.note(at, kind(value), expected);
        };
        if alone || partner.is_some() {
            self.items.push(Throughput {
                gpu_type: gpu_type.to_owned(),
                job_type: own.clone(),
                steps_per_s,
                partner: partner.zip(other),
            });
        }
        Ok(())
    }
}

/// Where an entry stands, shortened and without control characters.
fn place(at: &str) -> String {
    let clean = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    at.chars().take(120).map(clean).collect()
}

fn rate(value: &Value) -> Option<f64> {
    value.as_f64().filter(|rate| rate.is_finite() && *rate >= 0.0)
}

/// A JSON value as it is shown in a problem.
fn kind(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(list) => format!("a list of {}", list.len()),
        other => shown(&other.to_string()),
    }
}

fn job_type(text: &str) -> Option<JobType> {
    let (name, gpus) = text.strip_prefix("('")?.strip_suffix(')')?.rsplit_once("', ")?;
    let gpus = gpus.parse().ok().filter(|gpus| (1..=4096).contains(gpus))?;
    Some(JobType { name: name.to_owned(), gpus })
}

/// Reads a trace: one job a line, fields between tabs. Two forms are in use: of ten fields (type,
/// command, working directory, steps argument, whether it needs data, steps, GPUs, weight, SLO,
/// submission) and of seven (type, command, steps argument, whether it needs data, steps,
/// submission, GPUs).
///
/// # Errors
/// If strict, the first bad line.
pub fn parse_trace(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<TraceJob>, Problem> {
    let mut items = Vec::new();
    let mut skipped = Skipped::default();
    for (line, number) in text.lines().zip(1u64..) {
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        match trace_job(&Line { name, number, fields: &fields }) {
            Ok(job) => items.push(job),
            Err(problem) => skipped.note(problem, strictness)?,
        }
    }
    Ok(Imported { items, skipped })
}

/// A line of a trace.
struct Line<'a> {
    name: &'a str,
    number: u64,
    fields: &'a [&'a str],
}

impl Line<'_> {
    fn problem(&self, field: String, value: &str, expected: &str) -> Problem {
        let (file, expected) = (self.name.to_owned(), expected.to_owned());
        Problem { file, line: self.number, field, value: shown(value), expected }
    }

    /// The number in a field, counted from 0, if it is between two others.
    fn number(&self, place: usize, of: &str, low: f64, high: f64) -> Result<f64, Problem> {
        let text = self.fields.get(place).copied().unwrap_or_default();
        let parsed = text.parse().ok().filter(|number| (low..=high).contains(number));
        parsed.ok_or_else(|| {
            let field = format!("field {} ({of})", place + 1);
            self.problem(field, text, &format!("a number from {low} to {high}"))
        })
    }
}

fn trace_job(line: &Line<'_>) -> Result<TraceJob, Problem> {
    const MOST: f64 = 9e15;
    let (steps, gpus, submitted, terms) = match line.fields.len() {
        10 => (5, 6, 9, Some((7, 8))),
        7 => (4, 6, 5, None),
        count => {
            let expected = "7 or 10 fields between tabs";
            return Err(line.problem("line".to_owned(), &count.to_string(), expected));
        }
    };
    let name = line.fields[0];
    if name.is_empty() {
        return Err(line.problem("field 1 (job type)".to_owned(), name, "a name"));
    }
    let (weight, slo) = match terms {
        None => (1.0, None),
        Some((weight, slo)) => {
            let asked = line.number(slo, "SLO", -MOST, MOST)?;
            (line.number(weight, "weight", 0.0, MOST)?, Some(asked).filter(|slo| *slo > 0.0))
        }
    };
    Ok(TraceJob {
        job_type: name.to_owned(),
        steps: line.number(steps, "steps", 1.0, MOST)? as u64,
        gpus: line.number(gpus, "GPUs", 1.0, 4096.0)? as u32,
        submitted_s: line.number(submitted, "submission", 0.0, MOST)?,
        weight,
        slo,
    })
}

#[cfg(test)]
mod tests;
