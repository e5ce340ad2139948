//! Slurm's accounting, as `sacct --parsable2` (`-P`) prints it: a header, then one job or step a
//! line, fields separated by `|`. `--parsable` (`-p`), with a `|` at the end, is read too.
//!
//! | field | use |
//! | --- | --- |
//! | `JobID`, `State`, `Submit`, `Start` | needed |
//! | `ElapsedRaw`, `Elapsed` or `End` | run time; the first that is there |
//! | `AllocCPUS`, `NCPUS`, `AllocTRES`, `ReqCPUS` or `ReqTRES` | processors; the first that says |
//! | `AllocTRES` or `ReqTRES` | GPUs (`gres/gpu`) |
//! | `TimelimitRaw` (minutes) or `Timelimit` | requested time; `UNLIMITED` is none |
//! | `Eligible` | if later than `Submit`, the time of submission: it was held before |
//! | `JobIDRaw`, `User`, `Account`, `Partition`, `JobName` | number, user, group, queue, program |
//!
//! Steps (`36.batch`, `36.0`) are left out, and so is what had not ended, ended before it ran, or
//! was put back in the queue; all are counted. Times are local times of a zone that is named to the
//! reader, or seconds since 1970 (`SLURM_TIME_FORMAT=%s`).

use super::job::{Job, Loaded};
use crate::problem::{Problem, Strictness, shown};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

#[cfg(test)]
mod tests;

/// Reads a dump. O(n log n), for the order of submission.
///
/// # Errors
/// The header lacks a field, or, if `strictness` says so, the first line with a problem.
pub fn read(
    text: &str,
    file: &str,
    zone: &TimeZone,
    strictness: Strictness,
) -> Result<Loaded, Problem> {
    let mut loaded = Loaded::default();
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let problem = |line: usize, (field, value, expected): Wrong| Problem {
        file: file.to_owned(),
        line: line as u64 + 1,
        field: field.to_owned(),
        value: shown(&value),
        expected: expected.to_owned(),
    };
    let (at, first) = lines.next().unwrap_or((0, ""));
    let header = Header::read(first).map_err(|wrong| problem(at, wrong))?;
    for (at, line) in lines {
        let fields: Vec<&str> = line.trim_end_matches('\r').split('|').collect();
        let row = Row { header: &header, fields: &fields, zone };
        match row.read(&mut loaded) {
            Ok(Read::Job(job)) => loaded.workload.jobs.push(job),
            Ok(Read::Left(reason)) => loaded.leave_out(reason),
            Err(wrong) => loaded.skipped.note(problem(at, wrong), strictness)?,
        }
    }
    loaded.workload.begins = Some(0);
    loaded.workload.settle();
    Ok(loaded)
}

/// Field, value, what would be right.
type Wrong = (&'static str, String, &'static str);

enum Read {
    Job(Job),
    Left(&'static str),
}

/// Where each known field stands.
struct Header {
    names: Vec<String>,
}

impl Header {
    fn read(line: &str) -> Result<Header, Wrong> {
        let line = line.trim_start_matches('\u{feff}').trim_end();
        let names: Vec<String> = line.split('|').map(|name| name.trim().to_lowercase()).collect();
        let header = Header { names };
        let has = |wanted: &[&str]| wanted.iter().any(|name| header.place(name).is_some());
        let needs: [(&[&str], &str); 6] = [
            (&["JobID"], "the field JobID, with fields separated by `|`"),
            (&["State"], "the field State"),
            (&["Submit"], "the field Submit"),
            (&["Start"], "the field Start"),
            (&["ElapsedRaw", "Elapsed", "End"], "one of the fields ElapsedRaw, Elapsed, End"),
            (
                &["AllocCPUS", "NCPUS", "AllocTRES", "ReqCPUS", "ReqTRES"],
                "one of the fields AllocCPUS, NCPUS, AllocTRES, ReqCPUS, ReqTRES",
            ),
        ];
        match needs.into_iter().find(|(wanted, _)| !has(wanted)) {
            Some((_, expected)) => Err(("header", line.to_owned(), expected)),
            None => Ok(header),
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known.eq_ignore_ascii_case(name))
    }
}

struct Row<'a> {
    header: &'a Header,
    fields: &'a [&'a str],
    zone: &'a TimeZone,
}

impl Row<'_> {
    /// The text of a field; empty if it is not in the log.
    fn field(&self, name: &str) -> &str {
        let place = self.header.place(name);
        place.and_then(|place| self.fields.get(place)).map_or("", |text| text.trim())
    }

    fn read(&self, loaded: &mut Loaded) -> Result<Read, Wrong> {
        let columns = self.header.names.iter().filter(|name| !name.is_empty()).count();
        if self.fields.len() < columns {
            let value = self.fields.join("|");
            return Err(("line", value, "as many fields as the header has"));
        }
        let id = self.field("JobID");
        if id.contains('.') {
            return Ok(Read::Left("a step"));
        }
        let id = self.id(id)?;
        match self.ending()? {
            Ending::Over => {}
            Ending::Open => return Ok(Read::Left("had not ended")),
            Ending::Requeued => return Ok(Read::Left("was put back in the queue")),
        }
        let submit = self.time("Submit")?.ok_or_else(|| self.wrong("Submit", A_TIME))?;
        let Some(start) = self.time("Start")? else {
            return Ok(Read::Left("ended before it ran"));
        };
        let eligible = self.time("Eligible")?.unwrap_or(submit);
        let submit = submit.max(eligible.min(start));
        if start < submit {
            return Err(self.wrong("Start", "a time that is not before Submit"));
        }
        let run_s = self.run_s(start)?;
        let processors = self.processors()?;
        let requested_s = self.requested_s()?;
        let gpus = self.gpus()?;
        let workload = &mut loaded.workload;
        Ok(Read::Job(Job {
            requested_s,
            gpus,
            user: workload.users.number(self.field("User")),
            group: workload.groups.number(self.field("Account")),
            program: workload.programs.number(self.field("JobName")),
            queue: workload.queues.number(self.field("Partition")),
            ..Job::bare(id, submit, run_s, processors)
        }))
    }

    fn wrong(&self, field: &'static str, expected: &'static str) -> Wrong {
        (field, self.field(field).to_owned(), expected)
    }

    /// `36`, `36_4` (a task), `36_[5-9%2]` (tasks that wait), `36+1` (part of a gang).
    fn id(&self, text: &str) -> Result<u64, Wrong> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|id| *id < 1 << 40);
        let base = text.split(['_', '+']).next().unwrap_or_default();
        let raw = self.field("JobIDRaw").split('+').next().and_then(number);
        let expected = "a job such as 36, a task such as 36_4, or a step such as 36.batch";
        number(base).map(|base| raw.unwrap_or(base)).ok_or_else(|| self.wrong("JobID", expected))
    }

    fn ending(&self) -> Result<Ending, Wrong> {
        let text = self.field("State");
        // `CANCELLED by 1000`; a `+` stands for what was cut off.
        let word = text.split([' ', '+']).next().unwrap_or_default();
        match word {
            "COMPLETED" | "CD" | "FAILED" | "F" | "TIMEOUT" | "TO" | "CANCELLED" | "CA"
            | "NODE_FAIL" | "NF" | "PREEMPTED" | "PR" | "OUT_OF_MEMORY" | "OUT_OF_ME" | "OOM"
            | "BOOT_FAIL" | "BF" | "DEADLINE" | "DL" | "REVOKED" | "RV" | "LAUNCH_FAILED"
            | "SPECIAL_EXIT" | "SE" => Ok(Ending::Over),
            "PENDING" | "PD" | "RUNNING" | "R" | "SUSPENDED" | "S" | "RESIZING" | "RS"
            | "COMPLETING" | "CG" | "CONFIGURING" | "CF" | "SIGNALING" | "STAGE_OUT"
            | "STOPPED" | "RESV_DEL_HOLD" | "REQUEUE_HOLD" | "REQUEUE_FED" => Ok(Ending::Open),
            "REQUEUED" | "RQ" => Ok(Ending::Requeued),
            _ => Err(self.wrong("State", "a state of Slurm's, such as COMPLETED or TIMEOUT")),
        }
    }

    /// Seconds since 1970; `None` if it never came.
    fn time(&self, field: &'static str) -> Result<Option<u64>, Wrong> {
        let text = self.field(field);
        if matches!(text, "" | "Unknown" | "None" | "N/A") {
            return Ok(None);
        }
        if let Ok(seconds) = text.parse::<u64>() {
            let in_range = seconds < 1 << 40;
            return in_range.then_some(Some(seconds)).ok_or_else(|| self.wrong(field, A_TIME));
        }
        let seconds = text
            .parse::<DateTime>()
            .ok()
            .and_then(|time| time.to_zoned(self.zone.clone()).ok())
            .and_then(|time| u64::try_from(time.timestamp().as_second()).ok());
        seconds.map(Some).ok_or_else(|| self.wrong(field, A_TIME))
    }

    fn run_s(&self, start: u64) -> Result<u64, Wrong> {
        match (self.field("ElapsedRaw"), self.field("Elapsed")) {
            ("", "") => {
                let end = self.time("End")?.ok_or_else(|| self.wrong("End", A_TIME))?;
                let expected = "a time that is not before Start";
                end.checked_sub(start).ok_or_else(|| self.wrong("End", expected))
            }
            ("", text) => length(text)
                .ok_or_else(|| self.wrong("Elapsed", "a length such as 00:10:00 or 1-02:03:04")),
            (text, _) => {
                let seconds = text.parse().ok().filter(|seconds| *seconds < 1 << 40);
                seconds.ok_or_else(|| self.wrong("ElapsedRaw", "a whole number of seconds"))
            }
        }
    }

    fn requested_s(&self) -> Result<u64, Wrong> {
        const NONE: [&str; 5] = ["", "UNLIMITED", "Partition_Limit", "INVALID", "Unknown"];
        let minutes = self.field("TimelimitRaw");
        if !NONE.contains(&minutes) {
            let seconds = minutes.parse::<u64>().ok().filter(|minutes| *minutes < 1 << 32);
            let expected = "whole minutes, UNLIMITED or Partition_Limit";
            return seconds
                .map(|minutes| minutes * 60)
                .ok_or_else(|| self.wrong("TimelimitRaw", expected));
        }
        match self.field("Timelimit") {
            text if NONE.contains(&text) => Ok(0),
            text => length(text).ok_or_else(|| {
                self.wrong("Timelimit", "a length such as 1-00:00:00, UNLIMITED or Partition_Limit")
            }),
        }
    }

    fn processors(&self) -> Result<u32, Wrong> {
        let sources = [
            ("AllocCPUS", ""),
            ("NCPUS", ""),
            ("AllocTRES", "cpu"),
            ("ReqCPUS", ""),
            ("ReqTRES", "cpu"),
        ];
        for (field, resource) in sources {
            let text = self.field(field);
            let text = if resource.is_empty() { Some(text) } else { amount(text, resource) };
            let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
            let count = text.parse::<u32>().map_err(|_| self.wrong(field, A_COUNT))?;
            if count > 0 {
                return Ok(count);
            }
        }
        Err(("AllocCPUS", self.field("AllocCPUS").to_owned(), "at least one processor"))
    }

    fn gpus(&self) -> Result<u32, Wrong> {
        for field in ["AllocTRES", "ReqTRES"] {
            if let Some(text) = amount(self.field(field), "gres/gpu") {
                return text.parse().map_err(|_| self.wrong(field, A_COUNT));
            }
        }
        Ok(0)
    }
}

const A_TIME: &str = "a time such as 2026-03-01T09:30:00, or Unknown";
const A_COUNT: &str = "a whole number";

enum Ending {
    Over,
    Open,
    Requeued,
}

/// The amount of one resource: `billing=8,cpu=8,gres/gpu=1,mem=4G,node=1`.
fn amount<'a>(tres: &'a str, resource: &str) -> Option<&'a str> {
    tres.split(',').find_map(|part| part.strip_prefix(resource)?.strip_prefix('='))
}

/// `[[days-]hours:]minutes:seconds`, a fraction of a second cut off.
fn length(text: &str) -> Option<u64> {
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number < 1 << 32);
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (number(days)?, clock),
        None => (0, text),
    };
    let clock = clock.split_once('.').map_or(clock, |(clock, _)| clock);
    let mut parts = clock.rsplit(':');
    let seconds = number(parts.next()?)?;
    let minutes = number(parts.next()?)?;
    let hours = parts.next().map_or(Some(0), number)?;
    let over = parts.next().is_some();
    (!over).then_some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}
