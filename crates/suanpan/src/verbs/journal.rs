//! `journal`: verify, dump, stat, backup, restore.

use super::Context;
use crate::cli::{Journal, JournalAction};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Form, Output, format};
use crate::progress::Progress;
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use suanpan_journal::{BackupReport, Reader, Verification};
use suanpan_wire::v1::Time;

/// Does it.
pub fn run(context: &Context<'_>, args: Journal) -> Outcome {
    let output = context.output;
    match args.action {
        JournalAction::Verify(dir) => verify(output, &dir.data_dir),
        JournalAction::Dump { dir, after, limit } => dump(&dir.data_dir, after, limit),
        JournalAction::Stat(dir) => stat(output, &dir.data_dir),
        JournalAction::Backup { dir, to } => backup(output, &dir.data_dir, &to),
        JournalAction::Restore { from, dir } => restore(output, &from, &dir.data_dir),
    }
}

/// What was read, as a document.
#[derive(Serialize)]
struct Verified {
    clean: bool,
    records: u64,
    first_seq: u64,
    last_seq: u64,
    last_hash: String,
    blobs: u64,
    checkpoints: u64,
    problems: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    what: String,
}

impl From<&Verification> for Verified {
    fn from(found: &Verification) -> Verified {
        let problem = |problem: &suanpan_journal::Problem| Found {
            seq: problem.seq,
            what: problem.what.clone(),
        };
        Verified {
            clean: found.is_clean(),
            records: found.records,
            first_seq: found.first_seq,
            last_seq: found.last_seq,
            last_hash: found.last_hash.to_string(),
            blobs: found.blobs,
            checkpoints: found.checkpoints,
            problems: found.problems.iter().map(problem).collect(),
        }
    }
}

fn verify(output: &Output, dir: &Path) -> Outcome {
    let mut progress = Progress::counted("verifying", "rows");
    let found = suanpan_journal::verify(dir, |done, of| progress.at(done, of))?;
    progress.clear();
    if output.form == Form::Json {
        output.json("journal_verification", None, &Verified::from(&found))?;
    } else {
        say_verified(output, &found)?;
    }
    Ok(if found.is_clean() { exit::OK } else { exit::OTHER })
}

fn say_verified(output: &Output, found: &Verification) -> Result<(), Failure> {
    let counts = format!(
        "{}, {}, {}",
        format::counted(found.records, "record"),
        format::counted(found.blobs, "blob"),
        format::counted(found.checkpoints, "checkpoint")
    );
    if found.is_clean() {
        output.line(format!("{}: {counts}", output.green("clean")))?;
        return output.line(format!("record {} has hash {}", found.last_seq, found.last_hash));
    }
    output.line(format!("{}: {counts}", output.red("damaged")))?;
    for problem in &found.problems {
        let place = problem.seq.map_or_else(String::new, |seq| format!("record {seq}: "));
        output.line(format!("  {place}{}", problem.what))?;
    }
    Ok(())
}

/// A record as one line.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    at: Time,
    hash: String,
    record: &'a RawValue,
}

fn dump(dir: &Path, after: u64, limit: Option<u64>) -> Outcome {
    let reader = Reader::open(dir)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut left = limit.unwrap_or(u64::MAX);
    let mut result: Result<(), Failure> = Ok(());
    reader.read_from(after, |record| {
        if left == 0 {
            return ControlFlow::Break(());
        }
        left -= 1;
        let text = std::str::from_utf8(&record.body).unwrap_or("null");
        let raw: Result<&RawValue, _> = serde_json::from_str(text);
        let written = match raw {
            Ok(raw) => {
                let at = Time::from_micros(record.at_us);
                let hash = record.hash.to_string();
                let line = Line { seq: record.seq, at, hash, record: raw };
                let text = serde_json::to_string(&line).expect("a line is plain data");
                writeln!(out, "{text}").map_err(Failure::from)
            }
            Err(error) => Err(Failure::other(format!("record {}: {error}", record.seq))),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                result = Err(failure);
                ControlFlow::Break(())
            }
        }
    })?;
    result?;
    out.flush()?;
    Ok(exit::OK)
}

/// How much there is, as a document.
#[derive(Serialize)]
struct Counted {
    schema_version: i32,
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<Time>,
    last_seq: u64,
    database_bytes: u64,
    wal_bytes: u64,
    blobs: u64,
    blob_bytes: u64,
    blob_stored_bytes: u64,
    checkpoints: Vec<u64>,
    checkpoint_bytes: u64,
}

fn stat(output: &Output, dir: &Path) -> Outcome {
    let stat = suanpan_journal::stat(dir)?;
    let at = |moment: suanpan_journal::Moment| Time::from_micros(moment.at_us);
    let counted = Counted {
        schema_version: stat.schema_version,
        records: stat.records,
        first_at: stat.first.map(at),
        last_at: stat.last.map(at),
        last_seq: stat.last.map_or(0, |moment| moment.seq),
        database_bytes: stat.database_bytes,
        wal_bytes: stat.wal_bytes,
        blobs: stat.blobs,
        blob_bytes: stat.blob_bytes,
        blob_stored_bytes: stat.blob_stored_bytes,
        checkpoints: stat.checkpoints,
        checkpoint_bytes: stat.checkpoint_bytes,
    };
    if output.form == Form::Json {
        output.json("journal_stat", None, &counted)?;
        return Ok(exit::OK);
    }
    let full = |at: Option<Time>| at.map_or_else(|| format::NOTHING.to_owned(), format::time_full);
    let checkpoints: Vec<String> = counted.checkpoints.iter().map(u64::to_string).collect();
    let lines = [
        ("records", format!("{}, the last is {}", counted.records, counted.last_seq)),
        ("first", full(counted.first_at)),
        ("last", full(counted.last_at)),
        ("database", format::bytes(counted.database_bytes)),
        ("write-ahead log", format::bytes(counted.wal_bytes)),
        (
            "blobs",
            format!(
                "{}, {} as given, {} as stored",
                counted.blobs,
                format::bytes(counted.blob_bytes),
                format::bytes(counted.blob_stored_bytes)
            ),
        ),
        (
            "checkpoints",
            match checkpoints.as_slice() {
                [] => "none".to_owned(),
                at => format!("at {}, {}", at.join(", "), format::bytes(counted.checkpoint_bytes)),
            },
        ),
        ("schema", format!("version {}", counted.schema_version)),
    ];
    for (name, value) in lines {
        output.line(format!("{}  {value}", output.faint(&format!("{name:15}"))))?;
    }
    Ok(exit::OK)
}

fn backup(output: &Output, dir: &Path, to: &Path) -> Outcome {
    let mut progress = Progress::counted("copying", "pages");
    let report = suanpan_journal::backup(dir, to, |done, of| progress.at(done, of))?;
    progress.clear();
    say_copied(output, "journal_backup", &report, to)
}

fn restore(output: &Output, from: &Path, dir: &Path) -> Outcome {
    let report = suanpan_journal::restore(from, dir)?;
    say_copied(output, "journal_restore", &report, dir)
}

fn say_copied(output: &Output, kind: &str, report: &BackupReport, to: &Path) -> Outcome {
    if output.form == Form::Json {
        output.json(kind, None, &Verified::from(&report.verification))?;
    } else {
        let size = format::bytes(report.database_bytes);
        output.line(format!("{} copied to {}", size, to.display()))?;
        say_verified(output, &report.verification)?;
    }
    Ok(if report.verification.is_clean() { exit::OK } else { exit::OTHER })
}
