//! The audit is worth what it finds: each way to be wrong is shown to it.

use super::*;
use crate::soak::faults::Fault;
use suanpan_model::id::JobId;

const TASK: usize = 7;

fn attempt(placed_us: i64, end: End, payload: PayloadReach, then: Then) -> Attempt {
    Attempt {
        task: TaskRef { job: JobId(1), index: None },
        cluster: "site1".into(),
        placed_us,
        ended: Some(Ended { at_us: placed_us + 10, end: Some(end), payload, then }),
    }
}

fn completed(placed_us: i64) -> Attempt {
    let over = Then::Over(JobState::Completed);
    attempt(placed_us, End::Exited { code: 0 }, PayloadReach::Started, over)
}

/// What the audit says of one task with these lines, attempts and faults.
fn judge(text: &str, attempts: Vec<Attempt>, faults: &[Recorded]) -> Result<usize, String> {
    let out = tempfile::tempdir().expect("a directory");
    std::fs::write(out.path().join(TASK.to_string()), text).expect("the file is written");
    let run = Run {
        out: out.path().to_owned(),
        data: PathBuf::new(),
        tasks: 1,
        submissions: &[],
        ids: BTreeMap::new(),
        faults,
        clusters: vec!["site0".into(), "site1".into()],
    };
    let ids: Vec<AllocationId> = (1..=attempts.len() as u64).map(AllocationId).collect();
    let attempts = ids.iter().copied().zip(attempts).collect();
    check_task(&run, &attempts, &ids, TASK).map_err(|error| error.to_string())
}

#[test]
fn one_line_by_the_attempt_that_completed_is_right() {
    assert_eq!(judge("7 1 0\n", vec![completed(100)], &[]), Ok(0));
}

#[test]
fn another_number_of_lines_or_another_attempts_line_is_found() {
    for (text, wrong) in [("", "0 lines"), ("7 1 0\n7 1 0\n", "2 lines"), ("7 2 0\n", "journal")] {
        let said = judge(text, vec![completed(100)], &[]).expect_err(text);
        assert!(said.contains(wrong), "{text:?}: {said}");
    }
}

#[test]
fn an_attempt_that_ran_and_was_repeated_is_found() {
    let ran = attempt(100, End::Lost, PayloadReach::Started, Then::Requeued);
    let said = judge("7 2 1\n", vec![ran, completed(200)], &[]).expect_err("it ran twice");
    assert!(said.contains("was repeated"), "{said}");
}

#[test]
fn a_lost_attempt_needs_a_fault_at_its_own_site_and_time() {
    let lost = || attempt(100, End::Lost, PayloadReach::NeverStarted, Then::Requeued);
    let fault = |site, from_us| Recorded { from_us, to_us: from_us + 5, fault: Fault::Agent(site) };
    let with = |faults: &[Recorded]| judge("7 2 1\n", vec![lost(), completed(200)], faults);
    assert_eq!(with(&[fault(1, 103)]), Ok(1));
    for faults in [vec![], vec![fault(0, 103)], vec![fault(1, 300)]] {
        assert!(with(&faults).expect_err("nothing explains it").contains("without a fault"));
    }
}
