//! Reads what `strace` saw: which records were in the journal's write-ahead log, whole, before
//! which sync began, and which syncs had ended before an answer left.
//!
//! A transaction is in the log once the frame that ends it is written: SQLite writes each frame's
//! header of 24 bytes (page number, then the size of the database in the last frame of a
//! transaction and 0 in the others) and then the page. Records are JSON with the job's name in it.

use super::server::Submitted;
use std::collections::{BTreeMap, BTreeSet};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Syncs of the log.
    pub syncs: usize,
    /// Answers that came after a sync of their record.
    pub covered: usize,
    /// Answers that came too early.
    pub early: Vec<String>,
}

/// Where records are on their way to the disk. Those on it are in `durable`.
#[derive(Default)]
struct Records<'a> {
    /// In a frame of a transaction that is not whole yet.
    begun: BTreeSet<&'a str>,
    /// In a whole transaction that no sync covers.
    whole: BTreeSet<&'a str>,
    /// What the sync that a thread is in will cover.
    syncing: BTreeMap<&'a str, BTreeSet<&'a str>>,
    durable: BTreeSet<&'a str>,
    /// Whether the page that comes next ends a transaction.
    ends: bool,
}

/// Follows the calls of a trace in their order.
pub fn read(text: &str, jobs: &[Submitted]) -> Found {
    let names: BTreeMap<&str, &Submitted> =
        jobs.iter().map(|job| (job.name.as_str(), job)).collect();
    let by_id: BTreeMap<u64, &str> = jobs.iter().map(|job| (job.id, job.name.as_str())).collect();
    let mut found = Found::default();
    let mut records = Records::default();
    let mut unfinished: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if call.starts_with("<...") {
            let begun = unfinished.remove(thread).unwrap_or_default();
            records.end(thread, begun, call, &names, &mut found);
            continue;
        }
        records.begin(thread, call, &by_id, &mut found);
        if call.ends_with("<unfinished ...>") {
            unfinished.insert(thread, call);
        } else {
            records.end(thread, call, call, &names, &mut found);
        }
    }
    found
}

impl<'a> Records<'a> {
    fn begin(
        &mut self,
        thread: &'a str,
        call: &str,
        by_id: &BTreeMap<u64, &'a str>,
        found: &mut Found,
    ) {
        if is_sync_of_log(call) {
            self.syncing.insert(thread, self.whole.clone());
        }
        let sends = ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|s| call.starts_with(s));
        if !sends || !call.contains("HTTP/1.1 201") {
            return;
        }
        let id = call.split("/v1/jobs/").nth(1).map(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse::<u64>().unwrap_or(0)
        });
        let name = id.and_then(|id| by_id.get(&id));
        match name {
            Some(name) if self.durable.contains(name) => found.covered += 1,
            Some(name) => found.early.push((*name).to_owned()),
            None => found.early.push(format!("an answer about nothing known: {id:?}")),
        }
    }

    /// A call ended: `begun` has its arguments, `ended` its result.
    fn end(
        &mut self,
        thread: &'a str,
        begun: &str,
        ended: &str,
        names: &BTreeMap<&'a str, &Submitted>,
        found: &mut Found,
    ) {
        if is_sync_of_log(begun) {
            let covered = self.syncing.remove(thread).unwrap_or_default();
            if ended.trim_end().ends_with("= 0") {
                found.syncs += 1;
                self.whole.retain(|name| !covered.contains(name));
                self.durable.extend(covered);
            }
        }
        if !begun.starts_with("pwrite64(") || !is_log(begun) {
            return;
        }
        let bytes = quoted(begun);
        if bytes.len() == 24 {
            self.ends = bytes[4..8] != [0; 4];
            return;
        }
        self.begun.extend(names_in(&bytes, names));
        if self.ends {
            self.ends = false;
            let whole = std::mem::take(&mut self.begun);
            self.whole.extend(whole);
        }
    }
}

fn is_log(call: &str) -> bool {
    // The views have a log of their own, which nobody waits for.
    call.split('>').next().is_some_and(|file| file.ends_with("journal.sqlite3-wal"))
}

fn is_sync_of_log(call: &str) -> bool {
    (call.starts_with("fsync(") || call.starts_with("fdatasync(")) && is_log(call)
}

/// The names of jobs in a page, as they are quoted in its records.
fn names_in<'a>(page: &[u8], names: &BTreeMap<&'a str, &Submitted>) -> Vec<&'a str> {
    let text = String::from_utf8_lossy(page);
    let starts = text.match_indices("durable-").map(|(at, _)| at);
    let words = starts.map(|at| {
        let rest = &text[at..];
        let end = rest.find('"').unwrap_or(rest.len());
        &rest[..end]
    });
    words.filter_map(|word| names.get_key_value(word).map(|(name, _)| *name)).collect()
}

/// The bytes of the first quoted string of a call, as C escapes them.
fn quoted(call: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some((_, rest)) = call.split_once('"') else { return bytes };
    let mut rest = rest.bytes().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => break,
            b'\\' => bytes.push(match rest.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(b'v') => 11,
                Some(b'f') => 12,
                Some(digit @ b'0'..=b'7') => {
                    let mut value = u32::from(digit - b'0');
                    for _ in 0..2 {
                        let next = rest.next_if(|next| (b'0'..=b'7').contains(next));
                        let Some(next) = next else { break };
                        value = value * 8 + u32::from(next - b'0');
                    }
                    value as u8
                }
                Some(other) => other,
                None => break,
            }),
            other => bytes.push(other),
        }
    }
    bytes
}

#[test]
fn escapes_are_those_of_strace() {
    assert_eq!(quoted(r#"pwrite64(5</x>, "\0\0\0\0021\r\"\\é\377", 8, 0)"#), {
        let mut bytes = b"\0\0\0\x021\r\"\\".to_vec();
        bytes.extend("é".as_bytes());
        bytes.push(0xFF);
        bytes
    });
}

#[test]
fn an_answer_before_its_sync_is_seen() {
    let job = |id: u64, name: &str| Submitted { id, name: name.into(), seq: id };
    let jobs = [job(1, "durable-0-0-"), job(2, "durable-0-1-")];
    let log = "5</d/journal.sqlite3-wal>";
    let end = r#""\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, 32) = 24"#;
    let page = |n: u32| format!(r#"7 pwrite64({log}, "{{\"name\":\"durable-0-{n}-\"}}", 4096, 56) = 9"#);
    let answer = |n: u64| format!(r#"9 sendto(8<socket:[1]>, "HTTP/1.1 201 Created\r\nlocation: /v1/jobs/{n}\r\n", 9) = 9"#);
    let trace = [
        format!("7 pwrite64({log}, {end}"),
        page(0),
        format!("7 fdatasync({log} <unfinished ...>"),
        format!("6 pwrite64({log}, {end}"),
        page(1).replacen('7', "6", 1),
        "7 <... fdatasync resumed>)    = 0".to_owned(),
        answer(1),
        answer(2),
    ];
    let found = read(&trace.join("\n"), &jobs);
    assert_eq!((found.syncs, found.covered), (1, 1));
    assert_eq!(found.early, ["durable-0-1-"]);
}
