//! What became of the jobs of a batch run, and its file: one line a job.

use crate::workload::job::{Job, Workload};
use std::io::{self, Write};
use suanpan_model::time::Timestamp;
use suanpan_site::model::batch::StartEstimate;

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The job.
    pub job: Job,
    /// When it started, seconds after the workload begins.
    pub start_s: u64,
    /// When it ended.
    pub end_s: u64,
}

impl Outcome {
    /// How long it waited, seconds.
    #[must_use]
    pub fn wait_s(&self) -> u64 {
        self.start_s - self.job.submit_s
    }

    /// How long it ran, seconds.
    #[must_use]
    pub fn ran_s(&self) -> u64 {
        self.end_s - self.start_s
    }
}

/// The columns of the file.
pub const HEADER: &str = "job,user,queue,submit_s,start_s,end_s,processors,requested_s";

/// The columns besides, where starts were graded: four estimates of the start, empty for a job of
/// which nothing was asked.
pub const GRADED: &str = ",by_limits_s,earliest_s,expected_s,latest_s";

/// Writes outcomes, line by line; nothing is gathered in memory. `said` is empty, or has an entry
/// for each outcome.
///
/// # Errors
/// As the writer's.
pub fn write_csv(
    outcomes: &[Outcome],
    said: &[Option<StartEstimate>],
    workload: &Workload,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    writeln!(out, "{HEADER}{}", if said.is_empty() { "" } else { GRADED })?;
    let mut line = Vec::with_capacity(128);
    for (place, Outcome { job, start_s, end_s }) in outcomes.iter().enumerate() {
        line.clear();
        number(&mut line, job.id);
        line.push(b',');
        crate::workload::job::field(&mut line, workload.users.name(job.user));
        line.push(b',');
        crate::workload::job::field(&mut line, workload.queues.name(job.queue));
        for value in [job.submit_s, *start_s, *end_s, job.processors.into(), job.requested_s] {
            line.push(b',');
            number(&mut line, value);
        }
        match said.get(place) {
            Some(Some(said)) => {
                for at in [said.by_limits, said.earliest, said.expected, said.latest] {
                    line.push(b',');
                    number(&mut line, second(at));
                }
            }
            Some(None) => line.extend_from_slice(b",,,,"),
            None => {}
        }
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

/// A moment of a replay, in seconds after the workload begins.
#[must_use]
pub fn second(at: Timestamp) -> u64 {
    at.0.max(0).unsigned_abs() / 1_000_000
}

/// Adds a number in decimal; several times faster than the formatting machinery, which counts
/// for ten million lines.
pub fn number(line: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}
