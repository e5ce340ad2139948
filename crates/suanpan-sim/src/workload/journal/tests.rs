use super::*;
use proptest::prelude::*;

/// The engine's fixture: a journal in which everything happens once.
const FIXTURE: &str = include_str!("../../../../suanpan-engine/tests/fixtures/journal-1.jsonl");

fn fold(lines: &str, strictness: Strictness) -> Result<Loaded, Problem> {
    let mut fold = Fold::new("journal", strictness);
    for (index, line) in lines.lines().enumerate() {
        fold.record(index as u64 + 1, line.as_bytes())?;
    }
    Ok(fold.finish())
}

#[test]
fn what_ran_and_ended_is_a_job() {
    let loaded = fold(FIXTURE, Strictness::Strict).expect("every version reads its fixture");
    let placed = FIXTURE.matches("\"allocation_ended\"").count();
    let jobs = &loaded.workload.jobs;
    assert!(!jobs.is_empty() && jobs.len() <= placed, "{} of {placed}", jobs.len());
    for job in jobs {
        assert!(job.processors > 0 && job.requested_s > 0, "{job:?}");
        assert!(!loaded.workload.users.name(job.user).is_empty());
    }
}

#[test]
fn a_record_that_cannot_be_read_is_told_by_its_number() {
    let lines = format!("{{\"epoch\":1}}\n{FIXTURE}");
    let error = fold(&lines, Strictness::Strict).expect_err("it is no record");
    assert!(error.to_string().starts_with("journal:1: record is `{"), "{error}");
    let loaded = fold(&lines, Strictness::Skip).expect("it is skipped");
    assert_eq!(loaded.skipped.count, 1);
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut fold = Fold::new("journal", Strictness::Skip);
        fold.record(1, &body).expect("it skips");
        prop_assert!(fold.finish().workload.jobs.is_empty());
    }
}
