//! The upgrade guard: a journal written by an earlier version must fold for ever.
//!
//! `fixtures/journal-1.jsonl` has one record a line in the stored form. It is never rewritten;
//! a new kind of event gets a new fixture beside it (`NEW_FIXTURE=name` writes one from the
//! scenarios, with `SCENARIO=part` from those whose name has that part).

use crate::world;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use suanpan_engine::sequencer::Record;
use suanpan_engine::state::State;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// What a fixture folds to, in words.
fn summary(lines: &str) -> String {
    let mut state = State::default();
    let mut count = 0;
    for (number, line) in lines.lines().enumerate() {
        let record = Record::decode(number as u64 + 1, line.as_bytes()).expect("still readable");
        record.events.iter().for_each(|event| state.apply(record.at, event));
        count += 1;
    }
    state.check();
    let (jobs, allocations) = state.live();
    let mut text = format!("{count} records, {jobs} live jobs, {allocations} live allocations\n");
    for (account, sums) in state.ledger().accounts() {
        writeln!(text, "{account:?} {}", sums.balance()).expect("strings grow");
    }
    writeln!(text, "{}", blake3::hash(&state.encode_checkpoint())).expect("strings grow");
    text
}

#[test]
fn every_committed_journal_still_folds() {
    if let Some(name) = std::env::var_os("NEW_FIXTURE") {
        let name = name.into_string().expect("a file name");
        let part = std::env::var("SCENARIO").unwrap_or_default();
        let lines = world::journal_of_scenarios(&part);
        std::fs::write(folder().join(format!("{name}.txt")), summary(&lines)).expect("written");
        std::fs::write(folder().join(format!("{name}.jsonl")), lines).expect("written");
    }
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).expect("the fixtures folder can be read") {
        let path = entry.expect("its entries can be read").path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let lines = std::fs::read_to_string(&path).expect("fixtures are UTF-8");
            let expected = std::fs::read_to_string(path.with_extension("txt")).expect("a summary");
            let first_lines = |text: &str| -> Vec<String> {
                text.lines().filter(|line| line.contains(' ')).map(str::to_owned).collect()
            };
            assert_eq!(first_lines(&summary(&lines)), first_lines(&expected), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0, "there is at least one fixture");
}
