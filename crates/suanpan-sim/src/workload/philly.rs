//! The job list of Microsoft's Philly clusters as CSV: `timestamp, duration, num_gpus, gpu_time,
//! cluster` (Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training
//! Workloads", USENIX ATC 2019; this form is that of the artifacts of Sia, SOSP 2023).
//!
//! `timestamp` is local time without a zone, taken as UTC; `duration` is in seconds and may have a
//! fraction, which is rounded. A job's width is its GPUs; its virtual cluster becomes its queue.
//! There are no users and no requested times.

use super::job::{Job, Loaded, split};
use crate::problem::{Problem, Strictness, shown};
use jiff::civil::DateTime;

#[cfg(test)]
mod tests;

/// The columns, by their names.
const COLUMNS: [&str; 5] = ["timestamp", "duration", "num_gpus", "gpu_time", "cluster"];

/// Most a duration or a number of GPUs may be; far above what any log has.
const LARGEST: f64 = 1e12;

/// Reads the list. O(n log n), for the order of submission.
///
/// # Errors
/// The header lacks a column, or, if `strictness` says so, the first line with a problem.
pub fn read(text: &str, file: &str, strictness: Strictness) -> Result<Loaded, Problem> {
    let mut loaded = Loaded::default();
    let problem = |line: u64, (field, value, expected): Wrong| Problem {
        file: file.to_owned(),
        line,
        field: field.to_owned(),
        value: shown(&value),
        expected: expected.to_owned(),
    };
    let mut lines = text.lines().enumerate();
    let first = lines.next().map_or("", |(_, line)| line);
    let places = places(first).map_err(|wrong| problem(1, wrong))?;
    for (index, line) in lines {
        let number = index as u64 + 1;
        if line.trim().is_empty() {
            continue;
        }
        let row = match row(line, places) {
            Ok(row) => row,
            Err(wrong) => {
                loaded.skipped.note(problem(number, wrong), strictness)?;
                continue;
            }
        };
        if row.gpus == 0 {
            loaded.leave_out("no GPU");
            continue;
        }
        let queue = loaded.workload.queues.number(&row.cluster);
        let job =
            Job { gpus: row.gpus, queue, ..Job::bare(number - 1, row.at, row.run_s, row.gpus) };
        loaded.workload.jobs.push(job);
    }
    loaded.workload.begins = Some(0);
    loaded.workload.settle();
    Ok(loaded)
}

type Wrong = (&'static str, String, &'static str);

fn places(header: &str) -> Result<[usize; COLUMNS.len()], Wrong> {
    let names: Vec<&str> = header.trim_end().split(',').map(str::trim).collect();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let at = names.iter().position(|name| *name == column);
        *place = at.ok_or_else(|| {
            let expected = "the columns timestamp,duration,num_gpus,gpu_time,cluster";
            ("header", header.to_owned(), expected)
        })?;
    }
    Ok(places)
}

struct Row {
    at: u64,
    run_s: u64,
    gpus: u32,
    cluster: String,
}

fn row(line: &str, places: [usize; COLUMNS.len()]) -> Result<Row, Wrong> {
    let fields = split(line).unwrap_or_default();
    let field = |column: usize| match fields.get(places[column]) {
        Some(text) => Ok(text.trim()),
        None => Err(("line", line.to_owned(), "five fields separated by commas")),
    };
    let at = field(0)?;
    let seconds = at
        .parse::<DateTime>()
        .ok()
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .and_then(|time| u64::try_from(time.timestamp().as_second()).ok());
    let at =
        seconds.ok_or_else(|| (COLUMNS[0], at.to_owned(), "a time such as 2017-10-09 07:01:55"))?;
    let decimal = |column: usize, expected: &'static str| {
        let text = field(column)?;
        let value = text.parse::<f64>().ok();
        let value = value.filter(|value| (0.0..=LARGEST).contains(value));
        value.ok_or_else(|| (COLUMNS[column], text.to_owned(), expected))
    };
    let run_s = decimal(1, "seconds, 0 or more")?.round() as u64;
    let gpus = field(2)?;
    let wide: Option<u32> = gpus.parse().ok();
    let gpus = wide.ok_or_else(|| (COLUMNS[2], gpus.to_owned(), "a whole number of GPUs"))?;
    decimal(3, "GPU seconds, 0 or more")?;
    Ok(Row { at, run_s, gpus, cluster: field(4)?.to_owned() })
}
