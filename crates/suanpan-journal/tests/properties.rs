//! What holds for any journal: it gives back what it was given, and never silently something else.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;
use suanpan_journal::{
    Append, Blob, DATABASE_FILE, Error, Journal, Reader, StoredRecord, restore, stat, verify,
};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory")
}

fn batch(after: u64, bodies: &[Vec<u8>]) -> Vec<Append> {
    (after + 1..)
        .zip(bodies)
        .map(|(seq, body)| Append { seq, at_us: -7 + seq as i64 * 1000, body: body.clone() })
        .collect()
}

fn read_all(reader: &Reader, after: u64) -> Result<Vec<StoredRecord>, Error> {
    let mut records = Vec::new();
    reader.read_from(after, |record| {
        records.push(record);
        ControlFlow::Continue(())
    })?;
    Ok(records)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..Default::default() }
}

/// A body of 0 bytes to a few pages; every third compresses well.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(any::<u8>(), 3000..9000),
        (any::<u8>(), 0..20_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn what_was_appended_is_read_back_across_reopening(
        batches in vec((vec(any_body(), 0..8), vec(any_body(), 0..6), any::<bool>()), 1..8),
        from in any::<prop::sample::Index>(),
    ) {
        let dir = directory();
        let mut journal = Journal::open(dir.path()).expect("a new journal");
        let mut expected = Vec::new();
        let mut expected_blobs = Vec::new();
        for (bodies, blobs, reopen) in &batches {
            let records = batch(journal.last_seq(), bodies);
            let blobs: Vec<Blob> = blobs.iter().cloned().map(Blob::new).collect();
            journal.append(&records, &blobs).expect("there is room");
            // The same blobs once more cost nothing and change nothing.
            journal.append(&[], &blobs).expect("there is room");
            expected.extend(records);
            expected_blobs.extend(blobs);
            if *reopen {
                drop(journal);
                journal = Journal::open(dir.path()).expect("the same journal");
            }
        }
        prop_assert_eq!(journal.last_seq(), expected.len() as u64);
        let reader = journal.reader().expect("a reader beside the writer");
        let after = from.index(expected.len() + 1) as u64;
        let records = read_all(&reader, after).expect("a clean journal");
        let last_hash = records.last().map(|record| record.hash);
        prop_assert!(last_hash.is_none_or(|hash| hash == journal.last_hash()));
        let read: Vec<Append> = records
            .into_iter()
            .map(|StoredRecord { seq, at_us, body, .. }| Append { seq, at_us, body })
            .collect();
        prop_assert_eq!(&read, &expected[after as usize..]);
        for blob in &expected_blobs {
            let stored = reader.blob(&blob.hash).expect("a clean blob");
            prop_assert_eq!(stored.as_ref(), Some(&blob.body));
        }
        let verified = verify(dir.path(), |_, _| {}).expect("it opens");
        prop_assert!(verified.is_clean(), "{:?}", verified.problems);
        prop_assert_eq!(verified.records, expected.len() as u64);
        let mut hashes: Vec<_> = expected_blobs.iter().map(|blob| blob.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        prop_assert_eq!(verified.blobs, hashes.len() as u64);
    }
}

const RECORDS: u64 = 300;

/// A closed journal with records, blobs and a checkpoint, all in one file beside the checkpoint.
static ORIGINAL: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let dir = directory();
    let mut journal = Journal::open(dir.path()).expect("a new journal");
    for start in (0..RECORDS).step_by(20) {
        let bodies: Vec<Vec<u8>> = (start..start + 20).map(content).collect();
        let blobs: Vec<Blob> =
            (start..start + 20).map(|seq| Blob::new(content(seq + 7777))).collect();
        journal.append(&batch(start, &bodies), &blobs).expect("there is room");
    }
    journal.put_checkpoint(RECORDS, 1, &content(99)).expect("there is room");
    drop(journal);
    dir
});

fn content(seed: u64) -> Vec<u8> {
    let length = seed * 7919 % 700;
    (0..length)
        .map(|at| (seed.wrapping_mul(0x9E37_79B9).wrapping_add(at * at * 31) >> 3) as u8)
        .collect()
}

fn copy_of_the_original() -> tempfile::TempDir {
    let dir = directory();
    fs::copy(ORIGINAL.path().join(DATABASE_FILE), dir.path().join(DATABASE_FILE)).expect("a copy");
    dir
}

/// Everything there is, or `None` where reading finds damage.
fn everything(dir: &Path) -> Option<(Vec<StoredRecord>, Vec<Vec<u8>>)> {
    let reader = Reader::open(dir).ok()?;
    let records = read_all(&reader, 0).ok()?;
    let blob = |seq: u64| reader.blob(&Blob::new(content(seq + 7777)).hash).ok()?;
    let blobs = (0..RECORDS).map(blob).collect::<Option<Vec<_>>>()?;
    Some((records, blobs))
}

/// Some bytes of a database file mean nothing: free space, and numbers that only speed things up.
/// Any other change must be noticed.
fn is_noticed_or_harmless(dir: &Path) -> Result<bool, TestCaseError> {
    let clean = verify(dir, |_, _| {}).is_ok_and(|verified| verified.is_clean());
    if clean {
        prop_assert_eq!(everything(dir), everything(ORIGINAL.path()), "damage went unnoticed");
    }
    Ok(!clean)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn flipped_bits_are_noticed(
        flips in vec((any::<prop::sample::Index>(), 0..8_u32), 1..4),
    ) {
        let dir = copy_of_the_original();
        let path = dir.path().join(DATABASE_FILE);
        let mut bytes = fs::read(&path).expect("a file");
        for (at, bit) in &flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        fs::write(&path, bytes).expect("a file");
        is_noticed_or_harmless(dir.path())?;
    }

    #[test]
    fn a_shortened_file_is_noticed(length in any::<prop::sample::Index>()) {
        let dir = copy_of_the_original();
        let path = dir.path().join(DATABASE_FILE);
        let bytes = fs::read(&path).expect("a file");
        fs::write(&path, &bytes[..length.index(bytes.len())]).expect("a file");
        prop_assert!(is_noticed_or_harmless(dir.path())?, "a shortened file was called clean");
    }

    #[test]
    fn a_changed_record_is_named(seq in 1..=RECORDS, column in 0..6_usize) {
        let dir = copy_of_the_original();
        // Content 0, of record 1, is empty: there is nothing to change in it.
        let column = if seq == 1 && column == 0 { 1 } else { column };
        let sql = [
            "UPDATE record SET body = CAST(substr(body, 2) AS BLOB) WHERE seq = ?1",
            "UPDATE record SET checksum = checksum + 1 WHERE seq = ?1",
            "UPDATE record SET at_us = at_us + 1 WHERE seq = ?1",
            "UPDATE record SET hash = zeroblob(32) WHERE seq = ?1",
            "DELETE FROM record WHERE seq = ?1",
            "DELETE FROM record WHERE seq >= ?1",
        ][column];
        let content_is_empty = content(seq - 1).is_empty();
        prop_assume!(!(column == 0 && content_is_empty));
        let database = Connection::open(dir.path().join(DATABASE_FILE)).expect("a database");
        database.execute(sql, [seq as i64]).expect("the change is made");
        drop(database);
        let verified = verify(dir.path(), |_, _| {}).expect("it opens");
        prop_assert_eq!(verified.first_bad_seq(), Some(seq), "{:?}", verified.problems);
        let reader = Reader::open(dir.path()).expect("it opens");
        let error = read_all(&reader, 0).expect_err("reading notices too");
        prop_assert!(matches!(error, Error::Damaged { seq: Some(at), .. } if at == seq), "{error}");
        let refused = restore(dir.path(), &dir.path().join("new"));
        prop_assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    }
}

#[test]
fn the_original_is_clean_and_counted() {
    let verified = verify(ORIGINAL.path(), |_, _| {}).expect("it opens");
    assert!(verified.is_clean(), "{:?}", verified.problems);
    assert_eq!(verified.checkpoints, 1);
    let stat = stat(ORIGINAL.path()).expect("it opens");
    assert_eq!((stat.records, stat.blobs), (RECORDS, verified.blobs));
    assert_eq!(stat.first.map(|moment| moment.seq), Some(1));
    assert_eq!(stat.last.map(|moment| moment.at_us), Some(RECORDS as i64 * 1000 - 7));
    assert_eq!(stat.checkpoints, [RECORDS]);
    assert!(stat.blob_stored_bytes > 0 && stat.database_bytes > stat.blob_stored_bytes);
}
