//! The one form that every log of jobs is read into, and its CSV.

use crate::problem::{Problem, Skipped, Strictness, shown};
use std::collections::BTreeMap;
use std::io::{self, Write};

#[cfg(test)]
mod tests;

/// One job of a workload, whatever it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number in the log.
    pub id: u64,
    /// When it was submitted, seconds after the workload begins.
    pub submit_s: u64,
    /// How long it runs once started, seconds.
    pub run_s: u64,
    /// How long its user said it would run at most, seconds; 0 if nothing was said.
    pub requested_s: u64,
    /// Processors it holds while it runs.
    pub processors: u32,
    /// GPUs among what it holds.
    pub gpus: u32,
    /// Its user: a place in [`Workload::users`], 0 if nobody knows.
    pub user: u32,
    /// Its user's group: a place in [`Workload::groups`], 0 if nobody knows.
    pub group: u32,
    /// What it runs: a place in [`Workload::programs`], 0 if nobody knows.
    pub program: u32,
    /// Its queue, partition or virtual cluster: a place in [`Workload::queues`],
    /// 0 if nobody knows.
    pub queue: u32,
}

impl Job {
    /// A job of which only sizes and times are known.
    #[must_use]
    pub fn bare(id: u64, submit_s: u64, run_s: u64, processors: u32) -> Job {
        let (user, group, program, queue) = (0, 0, 0, 0);
        let (requested_s, gpus) = (0, 0);
        Job { id, submit_s, run_s, requested_s, processors, gpus, user, group, program, queue }
    }
}

/// Jobs in the order of submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Their users.
    pub users: Names,
    /// Their groups.
    pub groups: Names,
    /// Their programs or job names.
    pub programs: Names,
    /// Their queues.
    pub queues: Names,
    /// When it begins, seconds after 1970-01-01 UTC, if the log says.
    pub begins: Option<i64>,
}

/// A workload that was read, and what of the log is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The jobs.
    pub workload: Workload,
    /// Lines left out because something in them is wrong.
    pub skipped: Skipped,
    /// Lines left out although nothing is wrong with them, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
}

impl Loaded {
    /// Counts a line that is left out for this reason.
    pub fn leave_out(&mut self, reason: &'static str) {
        *self.left_out.entry(reason).or_default() += 1;
    }
}

/// Names, each kept once and numbered from 1 in the order they come; 0 is the empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    list: Vec<String>,
    index: BTreeMap<String, u32>,
}

impl Names {
    /// The number of a name. O(log n) in the names there are.
    pub fn number(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        if let Some(&number) = self.index.get(name) {
            return number;
        }
        self.list.push(name.to_owned());
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.index.insert(name.to_owned(), number);
        number
    }

    /// The name of a number; empty if there is none.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        let place = (number as usize).checked_sub(1);
        place.and_then(|place| self.list.get(place)).map_or("", String::as_str)
    }

    /// How many there are, the empty one not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Workload {
    /// Sorts the jobs by time of submission, then number, and lets time begin with the first of
    /// them. O(n log n).
    pub fn settle(&mut self) {
        self.jobs.sort_by_key(|job| (job.submit_s, job.id));
        let first = self.jobs.first().map_or(0, |job| job.submit_s);
        for job in &mut self.jobs {
            job.submit_s -= first;
        }
        self.begins = self.begins.map(|begins| begins.saturating_add_unsigned(first));
    }

    /// From the first submission to the last, seconds.
    #[must_use]
    pub fn span_s(&self) -> u64 {
        let first = self.jobs.first().map_or(0, |job| job.submit_s);
        self.jobs.last().map_or(0, |job| job.submit_s) - first
    }

    /// Work asked for, processors times seconds.
    #[must_use]
    pub fn work(&self) -> u128 {
        self.jobs.iter().map(|job| u128::from(job.processors) * u128::from(job.run_s)).sum()
    }

    /// Work asked for as a share of what a machine of so many processors could do between the
    /// first and the last submission; 0 if that is one moment.
    #[must_use]
    pub fn load(&self, processors: u64) -> f64 {
        let could = u128::from(processors) * u128::from(self.span_s());
        if could == 0 { 0.0 } else { self.work() as f64 / could as f64 }
    }

    /// Stretches or shrinks the times between submissions so that [`Workload::load`] becomes this,
    /// as near as whole seconds allow. Jobs keep their order.
    pub fn scale_to_load(&mut self, processors: u64, load: f64) {
        let factor = self.load(processors) / load;
        if factor.is_finite() && factor > 0.0 {
            self.scale_arrivals(factor);
        }
    }

    /// Multiplies the times between submissions; above 1 the load falls.
    pub fn scale_arrivals(&mut self, factor: f64) {
        let first = self.jobs.first().map_or(0, |job| job.submit_s);
        for job in &mut self.jobs {
            let after = (job.submit_s - first) as f64 * factor;
            // Casts from f64 stop at the end of the range, so nothing wraps.
            job.submit_s = first.saturating_add(after.round() as u64);
        }
    }
}

impl Workload {
    /// The same names, without jobs.
    #[must_use]
    pub fn clone_names(&self) -> Workload {
        Workload {
            jobs: Vec::new(),
            users: self.users.clone(),
            groups: self.groups.clone(),
            programs: self.programs.clone(),
            queues: self.queues.clone(),
            begins: self.begins,
        }
    }

    /// The names of a job's user, group, program and queue.
    fn names(&self, job: &Job) -> [&str; 4] {
        [
            self.users.name(job.user),
            self.groups.name(job.group),
            self.programs.name(job.program),
            self.queues.name(job.queue),
        ]
    }
}

/// The columns of the CSV, in order.
pub const COLUMNS: [&str; 10] = [
    "job",
    "submit_s",
    "run_s",
    "requested_s",
    "processors",
    "gpus",
    "user",
    "group",
    "program",
    "queue",
];

/// How the comment line begins that says when a workload begins.
const BEGINS: &str = "# begins ";

/// Writes a workload as CSV, line by line; nothing is gathered in memory.
///
/// # Errors
/// As the writer's.
pub fn write_csv(workload: &Workload, out: &mut impl Write) -> io::Result<()> {
    if let Some(begins) = workload.begins {
        writeln!(out, "{BEGINS}{begins} s after 1970-01-01 UTC")?;
    }
    writeln!(out, "{}", COLUMNS.join(","))?;
    let mut line = Vec::with_capacity(96);
    for job in &workload.jobs {
        line.clear();
        let Job { id, submit_s, run_s, requested_s, processors, gpus, .. } = *job;
        write!(line, "{id},{submit_s},{run_s},")?;
        if requested_s > 0 {
            write!(line, "{requested_s}")?;
        }
        write!(line, ",{processors},{gpus}")?;
        for name in workload.names(job) {
            line.push(b',');
            field(&mut line, name);
        }
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

/// Adds a field as CSV has it: in quotes only if it must be.
pub(crate) fn field(line: &mut Vec<u8>, text: &str) {
    if !text.contains([',', '"', '\n', '\r']) {
        return line.extend_from_slice(text.as_bytes());
    }
    line.push(b'"');
    line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}

/// Reads the CSV that [`write_csv`] writes. Columns are found by their names in the header; those
/// not known here are passed over, `requested_s`, `gpus` and the names may be missing.
///
/// # Errors
/// The header lacks a column, or, if `strictness` says so, the first line with a problem.
pub fn read_csv(text: &str, file: &str, strictness: Strictness) -> Result<Loaded, Problem> {
    let mut loaded = Loaded::default();
    let mut header: Option<Header> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index as u64 + 1;
        let line = line.trim_end_matches('\r');
        if line.is_empty() || line.starts_with('#') {
            let begins = line.strip_prefix(BEGINS).and_then(|rest| rest.split(' ').next());
            loaded.workload.begins =
                begins.and_then(|text| text.parse().ok()).or(loaded.workload.begins);
            continue;
        }
        let Some(header) = &header else {
            header = Some(Header::read(line, file, number)?);
            continue;
        };
        match header.job(line, &mut loaded.workload) {
            Ok(job) => loaded.workload.jobs.push(job),
            Err((field, value, expected)) => {
                let (field, value) = (field.to_owned(), shown(&value));
                let expected = expected.to_owned();
                let problem =
                    Problem { file: file.to_owned(), line: number, field, value, expected };
                loaded.skipped.note(problem, strictness)?;
            }
        }
    }
    if header.is_none() {
        return Err(Problem {
            file: file.to_owned(),
            line: 0,
            field: "header".to_owned(),
            value: String::new(),
            expected: format!("a first line with the columns {}", COLUMNS.join(",")),
        });
    }
    loaded.workload.jobs.sort_by_key(|job| (job.submit_s, job.id));
    Ok(loaded)
}

/// Field, value, what would be right.
type Wrong = (&'static str, String, &'static str);

/// Where each of [`COLUMNS`] stands.
struct Header {
    places: [Option<usize>; COLUMNS.len()],
    width: usize,
}

impl Header {
    fn read(line: &str, file: &str, number: u64) -> Result<Header, Problem> {
        let names: Vec<&str> = line.split(',').map(str::trim).collect();
        let places = COLUMNS.map(|column| names.iter().position(|name| *name == column));
        for needed in ["job", "submit_s", "run_s", "processors"] {
            if !names.contains(&needed) {
                return Err(Problem {
                    file: file.to_owned(),
                    line: number,
                    field: "header".to_owned(),
                    value: shown(line),
                    expected: format!("a column `{needed}` among {}", COLUMNS.join(",")),
                });
            }
        }
        Ok(Header { places, width: names.len() })
    }

    fn job(&self, line: &str, workload: &mut Workload) -> Result<Job, Wrong> {
        let fields = split(line).ok_or(("line", line.to_owned(), "closed quotes"))?;
        if fields.len() != self.width {
            let expected = "as many fields as the header has columns";
            return Err(("line", line.to_owned(), expected));
        }
        let field = |column: usize| self.places[column].map_or("", |place| fields[place].as_ref());
        let number = |column: usize| whole(COLUMNS[column], field(column));
        let or_zero = |column: usize| match field(column) {
            "" => Ok(0),
            text => whole(COLUMNS[column], text),
        };
        let small = |column: usize, value: u64| {
            let wrong = || (COLUMNS[column], field(column).to_owned(), "at most 4294967295");
            u32::try_from(value).map_err(|_| wrong())
        };
        let processors = small(4, number(4)?)?;
        if processors == 0 {
            return Err((COLUMNS[4], "0".to_owned(), "at least 1"));
        }
        Ok(Job {
            id: number(0)?,
            submit_s: number(1)?,
            run_s: number(2)?,
            requested_s: or_zero(3)?,
            processors,
            gpus: small(5, or_zero(5)?)?,
            user: workload.users.number(field(6)),
            group: workload.groups.number(field(7)),
            program: workload.programs.number(field(8)),
            queue: workload.queues.number(field(9)),
        })
    }
}

fn whole(field: &'static str, text: &str) -> Result<u64, Wrong> {
    const LARGEST: u64 = 1 << 40;
    let wrong = || (field, text.to_owned(), "a whole number from 0 to 1099511627776");
    text.trim().parse().ok().filter(|value| *value <= LARGEST).ok_or_else(wrong)
}

/// The fields of a CSV line; `None` if a quote is not closed. Quoted line ends are not read.
pub(crate) fn split(line: &str) -> Option<Vec<std::borrow::Cow<'_, str>>> {
    let mut fields = Vec::with_capacity(COLUMNS.len());
    let mut rest = line;
    loop {
        if let Some(inside) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut inside = inside;
            loop {
                let end = inside.find('"')?;
                text.push_str(&inside[..end]);
                inside = &inside[end + 1..];
                match inside.strip_prefix('"') {
                    Some(after) => {
                        text.push('"');
                        inside = after;
                    }
                    None => break,
                }
            }
            fields.push(text.into());
            match inside.strip_prefix(',') {
                Some(after) => rest = after,
                None if inside.is_empty() => return Some(fields),
                None => return None,
            }
            continue;
        }
        match rest.split_once(',') {
            Some((field, after)) => {
                fields.push(field.into());
                rest = after;
            }
            None => {
                fields.push(rest.into());
                return Some(fields);
            }
        }
    }
}
