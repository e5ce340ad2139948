//! The journal as its users meet it: refusals, checkpoints, backups, readers beside a writer.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::Connection;
use suanpan_journal::{
    Append, Blob, Checkpoints, DATABASE_FILE, DataLock, Error, Hash, Journal, Reader, backup,
    restore, stat, verify,
};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn record(seq: u64) -> Append {
    Append { seq, at_us: seq as i64, body: format!("record {seq}").into_bytes() }
}

fn append(journal: &mut Journal, count: u64) {
    let first = journal.last_seq() + 1;
    let batch: Vec<Append> = (first..first + count).map(record).collect();
    let blobs: Vec<Blob> =
        batch.iter().map(|record| Blob::new(format!("#!{}", record.seq).into_bytes())).collect();
    journal.append(&batch, &blobs).expect("there is room");
}

fn journal_with(dir: &Path, count: u64) -> Journal {
    let mut journal = Journal::open(dir).expect("a new journal");
    append(&mut journal, count);
    journal
}

#[test]
fn the_chain_is_what_the_format_says() {
    let dir = directory();
    let journal = journal_with(dir.path(), 2);
    let first = [&[0; 32][..], &1_u64.to_le_bytes(), &1_i64.to_le_bytes(), b"record 1"].concat();
    let first = Hash::of(&first);
    let second = [&first.0[..], &2_u64.to_le_bytes(), &2_i64.to_le_bytes(), b"record 2"].concat();
    assert_eq!(journal.last_hash(), Hash::of(&second));
    assert_eq!(Hash::from_hex(&first.to_string()), Some(first));
}

#[test]
#[should_panic(expected = "record 3 is next, not 4")]
fn a_gap_is_a_bug_of_the_caller() {
    let dir = directory();
    let mut journal = journal_with(dir.path(), 2);
    let _ = journal.append(&[record(4)], &[]);
}

#[test]
fn an_empty_journal_is_a_journal() {
    let dir = directory();
    let mut journal = Journal::open(&dir.path().join("a/b")).expect("directories are made");
    assert_eq!((journal.last_seq(), journal.last_hash()), (0, Hash::GENESIS));
    journal.append(&[], &[]).expect("nothing is easily appended");
    assert_eq!(journal.blob(&Hash::of(b"nothing")).expect("it can be read"), None);
    assert_eq!(journal.latest_checkpoint().expect("it can be read"), None);
    let verified = verify(journal.dir(), |_, _| {}).expect("it opens");
    assert!(verified.is_clean(), "{:?}", verified.problems);
    assert_eq!(stat(journal.dir()).expect("it opens").first, None);
    let beyond = journal.read_from(1, |_| ControlFlow::Continue(()));
    assert!(matches!(beyond, Err(Error::UnknownRecord { seq: 1, last: 0 })), "{beyond:?}");
}

#[test]
fn every_handle_may_move_to_another_thread() {
    fn moves<T: Send>() {}
    moves::<Journal>();
    moves::<Reader>();
    moves::<Checkpoints>();
    moves::<DataLock>();
    moves::<Error>();
}

#[test]
fn an_empty_blob_alone_is_stored_and_found() {
    let dir = directory();
    let mut journal = Journal::open(dir.path()).expect("a new journal");
    let empty = Blob::new(Vec::new());
    journal.append(&[record(1)], std::slice::from_ref(&empty)).expect("there is room");
    assert_eq!(journal.blob(&empty.hash).expect("readable"), Some(Vec::new()));
    let verified = verify(dir.path(), |_, _| {}).expect("it opens");
    assert!(verified.is_clean(), "{:?}", verified.problems);
}

#[test]
fn blobs_are_found_in_every_segment_of_the_index() {
    let dir = directory();
    let mut journal = Journal::open(dir.path()).expect("a new journal");
    let blob = |number: u64| Blob::new(number.to_le_bytes().to_vec());
    for start in (0..40_000).step_by(10_000) {
        // Half of each batch was stored before, partly in the segment that is being filled.
        let first = u64::saturating_sub(start, 5_000);
        let blobs: Vec<Blob> = (first..start + 10_000).map(blob).collect();
        journal.append(&[], &blobs).expect("there is room");
        if start == 20_000 {
            drop(journal);
            journal = Journal::open(dir.path()).expect("the same journal");
        }
    }
    for number in (0..40_000).step_by(97) {
        let blob = blob(number);
        assert_eq!(journal.blob(&blob.hash).expect("readable"), Some(blob.body));
    }
    assert_eq!(journal.blob(&blob(40_000).hash).expect("readable"), None);
    let verified = verify(dir.path(), |_, _| {}).expect("it opens");
    assert!(verified.is_clean(), "{:?}", verified.problems);
    let database = Connection::open(dir.path().join(DATABASE_FILE)).expect("a database");
    let segments: i64 = database
        .query_row("SELECT count(DISTINCT segment) FROM blob", [], |row| row.get(0))
        .expect("a count");
    assert!(segments >= 2, "{segments} segments");
}

#[test]
fn a_newer_schema_and_a_strange_file_are_refused_and_left_alone() {
    let dir = directory();
    drop(journal_with(dir.path(), 1));
    let path = dir.path().join(DATABASE_FILE);
    let database = Connection::open(&path).expect("a database");
    database.pragma_update(None, "user_version", 2).expect("written");
    drop(database);
    let error = Journal::open(dir.path()).err().expect("version 2 is newer");
    assert!(matches!(error, Error::NewerSchema { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("schema version 2"), "{error}");
    assert!(matches!(Reader::open(dir.path()), Err(Error::NewerSchema { .. })));

    let other = directory();
    let database = Connection::open(other.path().join(DATABASE_FILE)).expect("a database");
    database.execute_batch("CREATE TABLE theirs (x)").expect("written");
    drop(database);
    assert!(matches!(Journal::open(other.path()), Err(Error::NotAJournal { .. })));

    let text = directory();
    fs::write(text.path().join(DATABASE_FILE), "x".repeat(5000)).expect("written");
    assert!(matches!(Journal::open(text.path()), Err(Error::NotAJournal { .. })));
    assert_eq!(fs::read(text.path().join(DATABASE_FILE)).expect("read"), b"x".repeat(5000));
    assert!(matches!(Reader::open(directory().path()), Err(Error::NoJournal { .. })));
}

#[test]
fn opening_notices_a_damaged_tail() {
    let dir = directory();
    drop(journal_with(dir.path(), 100));
    let database = Connection::open(dir.path().join(DATABASE_FILE)).expect("a database");
    database.execute("UPDATE record SET body = x'00' WHERE seq = 90", []).expect("written");
    drop(database);
    let error = Journal::open(dir.path()).err().expect("record 90 is among the last");
    assert!(matches!(error, Error::Damaged { seq: Some(90), .. }), "{error}");
}

#[test]
fn the_newest_two_checkpoints_stay_and_a_damaged_one_is_passed_over() {
    let dir = directory();
    let mut journal = journal_with(dir.path(), 30);
    for seq in [10, 20, 30] {
        journal.put_checkpoint(seq, 7, format!("state {seq}").as_bytes()).expect("there is room");
    }
    assert_eq!(stat(dir.path()).expect("it opens").checkpoints, [30, 20]);
    let newest = journal.latest_checkpoint().expect("readable").expect("there is one");
    assert_eq!((newest.seq, newest.format, newest.body), (30, 7, b"state 30".to_vec()));
    assert_eq!(newest.record_hash, journal.last_hash());

    let path = dir.path().join("checkpoints/00000000000000000030.checkpoint");
    let whole = fs::read(&path).expect("read");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        fs::write(&path, damaged).expect("written");
        let older = journal.latest_checkpoint().expect("readable").expect("there is one");
        assert_eq!(older.seq, 20, "a flip at byte {at} went unnoticed");
    }
    fs::write(&path, &whole[..whole.len() - 1]).expect("written");
    assert!(!verify(dir.path(), |_, _| {}).expect("it opens").is_clean());

    let left_behind = dir.path().join("checkpoints/00000000000000000025.partial");
    fs::write(&left_behind, "half").expect("written");
    let beyond = journal.put_checkpoint(31, 7, b"");
    assert!(matches!(beyond, Err(Error::UnknownRecord { seq: 31, last: 30 })), "{beyond:?}");
    journal.put_checkpoint(30, 8, b"again").expect("there is room");
    assert_eq!(journal.latest_checkpoint().expect("readable").expect("one").format, 8);
    assert!(!left_behind.exists(), "an earlier half-saved state is tidied away");
}

#[test]
fn a_backup_taken_while_the_writer_works_is_a_clean_journal() {
    let dir = directory();
    let mut journal = journal_with(dir.path(), 5000);
    journal.put_checkpoint(5000, 1, b"state").expect("there is room");
    let to = directory();
    let copy = to.path().join("copy");
    let report = std::thread::scope(|scope| {
        let backup = scope.spawn(|| {
            let mut last = (0, 0);
            let report = backup(dir.path(), &copy, |done, total| last = (done, total));
            assert!(last.0 == last.1 && last.1 > 0, "progress ends at {last:?}");
            report
        });
        while !backup.is_finished() {
            append(&mut journal, 20);
        }
        backup.join().expect("no panic").expect("a backup")
    });
    assert!(report.verification.is_clean(), "{:?}", report.verification.problems);
    assert!(report.verification.last_seq >= 5000);
    assert_eq!(report.checkpoints, 1);
    let names: Vec<_> = fs::read_dir(&copy)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names.len(), 2, "database and checkpoints: {names:?}");

    let again = backup(dir.path(), &copy, |_, _| {});
    assert!(matches!(again, Err(Error::NotEmpty { .. })), "{again:?}");
    let over = restore(&copy, dir.path());
    assert!(matches!(over, Err(Error::NotEmpty { .. })), "{over:?}");

    let back = to.path().join("back");
    let restored = restore(&copy, &back).expect("an empty place");
    assert_eq!(restored.verification, report.verification);
    let mut journal = Journal::open(&back).expect("a data directory again");
    assert_eq!(journal.last_seq(), report.verification.last_seq);
    assert_eq!(journal.latest_checkpoint().expect("readable").expect("one").body, b"state");
    assert_eq!(journal.blob(&Hash::of(b"#!17")).expect("readable"), Some(b"#!17".to_vec()));
    append(&mut journal, 3);
    let _lock = DataLock::acquire(&back).expect("restore let go of the lock");
}

#[test]
fn a_reader_in_another_thread_sees_what_is_durable() {
    let dir = directory();
    let mut journal = journal_with(dir.path(), 10);
    let reader = journal.reader().expect("a reader");
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut seen = 10;
            while seen < 500 {
                let last = reader.last_seq().expect("readable");
                assert!(last >= seen, "the journal does not shrink");
                reader
                    .read_from(seen, |record| {
                        assert_eq!(record.seq, seen + 1);
                        seen = record.seq;
                        ControlFlow::Continue(())
                    })
                    .expect("a clean journal");
                let body = format!("#!{seen}").into_bytes();
                assert_eq!(reader.blob(&Hash::of(&body)).expect("readable"), Some(body));
            }
        });
        for _ in 0..98 {
            append(&mut journal, 5);
        }
        reading.join().expect("no panic");
    });
}
