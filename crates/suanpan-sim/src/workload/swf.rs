//! The Standard Workload Format of the Parallel Workloads Archive.
//!
//! Chapin et al., "Benchmarks and Standards for the Evaluation of Parallel Job Schedulers", JSSPP
//! 1999; version 2.2, <https://www.cs.huji.ac.il/labs/parallel/workload/swf.html>. One job on a
//! line, 18 numbers, -1 for unknown; lines that begin with `;` are comments, of which some are
//! `Key: value` headers.
//!
//! Logs in the wild do more than that, and this reads it: more columns than 18 (in Alea's
//! extension the 19th is a list of processors in braces, the 20th the queue's name, which is kept,
//! and the 21st what the nodes must have; others are left alone), fractions where whole seconds
//! are due (cut off), jobs that are not in the order of submission (sorted, stably), job numbers
//! that come twice (kept: a job is told by its place), carriage returns, text that is not UTF-8 in
//! comments. A line that cannot be read is a [`Problem`]; what the numbers mean for a simulation
//! is a [`Filter`]'s matter.

mod clean;

pub use clean::{Cleaned, Filter, MachineSizeUnknown};

use super::job::Names;
use crate::problem::{Imported, Problem, Skipped, Strictness, shown};

#[cfg(test)]
mod tests;

/// A job of a log. `None` is the format's -1; times are in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwfJob {
    /// Field 1: job number.
    pub number: i64,
    /// Field 2: submit time, from the start of the log.
    pub submit: i64,
    /// Field 3: wait time in the log.
    pub wait: Option<u64>,
    /// Field 4: run time.
    pub run: Option<u64>,
    /// Field 5: allocated processors.
    pub allocated: Option<u32>,
    /// Field 8: requested processors.
    pub requested_processors: Option<u32>,
    /// Field 9: requested time.
    pub requested_time: Option<u64>,
    /// Field 10: requested memory, KiB for each processor.
    pub requested_memory: Option<u64>,
    /// Field 11: 1 completed, 0 failed, 5 cancelled, 2 to 4 parts of a checkpointed job.
    pub status: Option<u32>,
    /// Field 12: user.
    pub user: Option<u32>,
    /// Field 13: group.
    pub group: Option<u32>,
    /// Field 14: executable.
    pub executable: Option<u32>,
    /// Field 15: queue.
    pub queue: Option<u32>,
    /// Field 16: partition.
    pub partition: Option<u32>,
    /// Field 17: number of the job it waited for.
    pub preceding: Option<u64>,
    /// Field 18: time from the end of that job to this submission.
    pub think: Option<u64>,
    /// Field 20 in Alea's extension, the queue's name: its number in [`Log::queues`], or 0.
    pub queue_name: u32,
}

impl SwfJob {
    /// Processors that a scheduler has to find for it: those requested, else those allocated.
    #[must_use]
    pub fn processors(&self) -> Option<u32> {
        self.requested_processors.or(self.allocated)
    }
}

/// What the comments at the top say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// All `Key: value` lines.
    pub fields: Vec<(String, String)>,
    /// `MaxProcs`, else `MaxNodes`: processors of the machine.
    pub processors: Option<u32>,
    /// `UnixStartTime`: what submit time 0 is, in seconds since 1970.
    pub unix_start_time: Option<i64>,
}

/// How a log is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What is made of jobs that a simulation cannot use.
    pub filter: Filter,
    /// Processors of the machine, if the header says nothing or is wrong.
    pub processors: Option<u32>,
}

/// A log that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What its comments say.
    pub header: Header,
    /// Processors of the machine: those of the options, else those of the header.
    pub processors: Option<u32>,
    /// Its jobs, by submit time and then by line.
    pub jobs: Imported<SwfJob>,
    /// Lines whose submit time was before that of a line above.
    pub unsorted: u64,
    /// What the filter did.
    pub cleaned: Cleaned,
    /// Names of queues, if it is of Alea's extension.
    pub queues: Names,
}

/// Reads a log that is called `name` in problems.
///
/// # Errors
/// The first malformed line, if `strictness` is [`Strictness::Strict`]; a filter that needs the
/// size of a machine of which nothing is known.
pub fn parse(
    name: &str,
    bytes: &[u8],
    options: &Options,
    strictness: Strictness,
) -> Result<Log, Problem> {
    let mut header = Header::default();
    let (mut items, mut skipped) = (Vec::new(), Skipped::default());
    let mut queues = Names::default();
    let (mut rest, mut number) = (bytes, 0);
    while !rest.is_empty() {
        number += 1;
        let plain = plain_line(rest).map(|(fields, after)| (SwfJob::of(&fields), after));
        if let Some((Ok(job), after)) = plain {
            if items.is_empty() {
                // Lines are about as long as the first: the list need not move as it grows.
                items.reserve(rest.len() / (rest.len() - after.len()) + 1);
            }
            items.push(job);
            rest = after;
            continue;
        }
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = rest[..end].trim_ascii();
        rest = rest.get(end + 1..).unwrap_or_default();
        match line.first() {
            None => {}
            Some(b';') => header.comment(&line[1..]),
            Some(_) => match job(line) {
                Ok(job) => {
                    let queue_name = queue_name(line).map_or(0, |name| queues.number(name));
                    items.push(SwfJob { queue_name, ..job });
                }
                Err(wrong) => skipped.note(wrong.at(name, number), strictness)?,
            },
        }
    }
    let unsorted = items.windows(2).filter(|pair| pair[1].submit < pair[0].submit).count() as u64;
    items.sort_by_key(|job| job.submit);
    let processors = options.processors.or(header.processors);
    let cleaned = options.filter.apply(&mut items, processors).map_err(|MachineSizeUnknown| {
        let (field, value) = ("MaxProcs".to_owned(), "missing".to_owned());
        let expected = "a header or an option with the number of processors".to_owned();
        Problem { file: name.to_owned(), line: 0, field, value, expected }
    })?;
    let jobs = Imported { items, skipped };
    Ok(Log { header, processors, jobs, unsorted, cleaned, queues })
}

/// What is wrong in a line, without where the line is.
struct Wrong {
    field: String,
    value: String,
    expected: String,
}

impl Wrong {
    fn at(self, file: &str, line: u64) -> Problem {
        let Wrong { field, value, expected } = self;
        Problem { file: file.to_owned(), line, field, value, expected }
    }
}

/// Names of the 18 fields, for problems.
const FIELDS: [&str; 18] = [
    "job number",
    "submit time",
    "wait time",
    "run time",
    "allocated processors",
    "average CPU time",
    "used memory",
    "requested processors",
    "requested time",
    "requested memory",
    "status",
    "user",
    "group",
    "executable",
    "queue",
    "partition",
    "preceding job",
    "think time",
];

fn job(line: &[u8]) -> Result<SwfJob, Wrong> {
    let mut fields = [0_i64; FIELDS.len()];
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (index, field) in fields.iter_mut().enumerate() {
        let Some(word) = words.next() else {
            return Err(Wrong {
                field: "line".to_owned(),
                value: format!("{index} fields"),
                expected: "18 fields".to_owned(),
            });
        };
        *field = whole(word).ok_or_else(|| wrong(index, word, "a number, or -1"))?;
    }
    SwfJob::of(&fields)
}

impl SwfJob {
    /// The job of a line, by its 18 fields.
    fn of(fields: &[i64; FIELDS.len()]) -> Result<SwfJob, Wrong> {
        let count = |index: usize| -> Result<Option<u32>, Wrong> {
            let value = fields[index];
            match value {
                ..0 => Ok(None),
                _ => u32::try_from(value).map(Some).map_err(|_| {
                    wrong(index, value.to_string().as_bytes(), "a number below 4294967296")
                }),
            }
        };
        let length = |index: usize| u64::try_from(fields[index]).ok();
        Ok(SwfJob {
            number: fields[0],
            submit: fields[1],
            wait: length(2),
            run: length(3),
            allocated: count(4)?.filter(|count| *count > 0),
            requested_processors: count(7)?.filter(|count| *count > 0),
            requested_time: length(8).filter(|length| *length > 0),
            requested_memory: length(9),
            status: count(10)?,
            user: count(11)?,
            group: count(12)?,
            executable: count(13)?,
            queue: count(14)?,
            partition: count(15)?,
            preceding: length(16),
            think: length(17),
            queue_name: 0,
        })
    }
}

/// The name of the queue in Alea's extension, which is told by the braces before it.
fn queue_name(line: &[u8]) -> Option<&str> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(FIELDS.len()).filter(|word| word.starts_with(b"{"))?;
    words.next().and_then(|word| std::str::from_utf8(word).ok())
}

/// The fields of the first line, and what comes after it, if the line has 18 whole numbers of at
/// most 15 digits with spaces between and nothing else, as nearly every line does. Anything else
/// is [`job`]'s to judge, also a line so near the end that no eight bytes are left to look at.
fn plain_line(bytes: &[u8]) -> Option<([i64; FIELDS.len()], &[u8])> {
    let mut fields = [0_i64; FIELDS.len()];
    let mut at = 0;
    for field in &mut fields {
        at = after_spaces(bytes, at)?;
        let is_negative = bytes.get(at) == Some(&b'-');
        at += usize::from(is_negative);
        let (mut value, digits) = eight_digits(bytes.get(at..at + 8)?)?;
        at += digits;
        if digits == 8 && bytes.get(at).is_some_and(u8::is_ascii_digit) {
            let (more, digits) = eight_digits(bytes.get(at..at + 8)?)?;
            at += digits;
            value = value * 10_i64.pow(digits as u32) + more;
            if digits == 8 {
                return None;
            }
        }
        *field = if is_negative { -value } else { value };
        if !matches!(bytes.get(at), Some(b' ' | b'\n')) {
            return None;
        }
    }
    at = after_spaces(bytes, at)?;
    (bytes.get(at) == Some(&b'\n')).then(|| (fields, &bytes[at + 1..]))
}

/// The place of the first byte that is no space, eight bytes at a time.
fn after_spaces(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let word = u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
        let others = word ^ u64::from_le_bytes([b' '; 8]);
        let spaces = (others.trailing_zeros() / 8) as usize;
        at += spaces;
        if spaces < 8 {
            return Some(at);
        }
    }
}

/// The number that eight bytes begin with, and how many digits it has; `None` if none. Digits are
/// added up in pairs, fours and eights within one word, so that it takes no branch for each
/// (Lemire, "Quickly parsing eight digits", 2018).
fn eight_digits(bytes: &[u8]) -> Option<(i64, usize)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes.try_into().ok()?);
    // A digit has 3 in its upper half, and still has when six is added. Carries go to later bytes,
    // so the first byte that is none is told right.
    let upper = |word: u64| (word & (0xf0 * ONES)) ^ (0x30 * ONES);
    let others = upper(word) | upper(word.wrapping_add(0x06 * ONES));
    let digits = (others.trailing_zeros() / 8) as usize;
    if digits == 0 {
        return None;
    }
    // The digits move to the end of the word, with zeros before them.
    let word = word.wrapping_sub(0x30 * ONES) << (64 - 8 * digits);
    let pairs = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2_561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    let eights = (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32;
    Some((eights as i64, digits))
}

fn wrong(index: usize, word: &[u8], expected: &str) -> Wrong {
    Wrong {
        field: format!("field {} ({})", index + 1, FIELDS[index]),
        value: shown(&String::from_utf8_lossy(word)),
        expected: expected.to_owned(),
    }
}

/// A number without its fraction. Numbers that no log has (beyond some 30,000 years of seconds)
/// are not numbers, so that sums of them stay in range.
fn whole(word: &[u8]) -> Option<i64> {
    const LARGEST: i64 = 1_000_000_000_000_000;
    if let Some(value) = digits(word) {
        return Some(value);
    }
    let text = std::str::from_utf8(word).ok()?;
    let value = match text.parse::<i64>() {
        Ok(value) => value,
        Err(_) => {
            let value: f64 = text.parse().ok()?;
            // Comparing is false for what is not a number.
            (value.abs() <= LARGEST as f64).then_some(value.trunc() as i64)?
        }
    };
    (value.unsigned_abs() <= LARGEST.unsigned_abs()).then_some(value)
}

/// Up to 15 digits and a sign, which nearly every field is: several times as fast as asking the
/// library about any text.
fn digits(word: &[u8]) -> Option<i64> {
    let (digits, sign) = match word {
        [b'-', digits @ ..] => (digits, -1),
        digits => (digits, 1),
    };
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
    })?;
    Some(sign * value)
}

impl Header {
    fn comment(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        let Some((key, value)) = text.split_once(':') else { return };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || key.contains(char::is_whitespace) {
            return;
        }
        let number = || value.split_whitespace().next().and_then(|word| word.parse::<i64>().ok());
        match key {
            "MaxProcs" => {
                let processors = number().and_then(|count| u32::try_from(count).ok());
                self.processors = processors.filter(|count| *count > 0).or(self.processors);
            }
            "MaxNodes" if self.processors.is_none() => {
                let nodes = number().and_then(|count| u32::try_from(count).ok());
                self.processors = nodes.filter(|count| *count > 0);
            }
            "UnixStartTime" => self.unix_start_time = number(),
            _ => {}
        }
        self.fields.push((key.to_owned(), value.to_owned()));
    }
}
