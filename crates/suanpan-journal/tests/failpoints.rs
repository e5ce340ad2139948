//! What the journal does when writing fails. Failpoints belong to the whole process, so every test
//! in this file holds a scenario, of which there is only one at a time.

use fail::FailScenario;
use suanpan_journal::{Append, Blob, Error, Journal, verify};

fn record(seq: u64) -> Append {
    Append { seq, at_us: 0, body: b"body".to_vec() }
}

#[test]
fn after_a_full_disk_the_same_batch_is_taken_once_there_is_room() {
    let scenario = FailScenario::setup();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut journal = Journal::open(dir.path()).expect("a new journal");
    journal.append(&[record(1)], &[]).expect("there is room");
    fail::cfg("journal-disk-full", "1*return").expect("a good action");
    let (batch, blobs) = ([record(2)], [Blob::new(b"script".to_vec())]);
    let error = journal.append(&batch, &blobs).expect_err("the disk is full");
    assert!(error.is_disk_full() && error.to_string().contains("full"), "{error}");
    assert_eq!(journal.last_seq(), 1);
    assert_eq!(journal.blob(&blobs[0].hash).expect("readable"), None, "nothing of it was kept");
    journal.append(&batch, &blobs).expect("there is room again");
    assert_eq!(journal.last_seq(), 2);
    drop(journal);
    assert!(verify(dir.path(), |_, _| {}).expect("it opens").is_clean());
    scenario.teardown();
}

#[test]
fn after_any_other_error_the_journal_takes_nothing_more() {
    let scenario = FailScenario::setup();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut journal = Journal::open(dir.path()).expect("a new journal");
    fail::cfg("journal-write-error", "1*return").expect("a good action");
    let error = journal.append(&[record(1)], &[]).expect_err("the write fails");
    assert!(matches!(error, Error::Io { .. }), "{error}");
    let error = journal.append(&[record(1)], &[]).expect_err("it has stopped");
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    drop(journal);
    let mut journal = Journal::open(dir.path()).expect("what is there is whole");
    journal.append(&[record(1)], &[]).expect("a new beginning");
    scenario.teardown();
}
