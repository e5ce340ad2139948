//! Each case is one that was seen on a real cluster.

use super::*;
use suanpan_model::id::Generation;
use suanpan_model::job::Usage;
use suanpan_model::time::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

fn sight() -> Sight<'static> {
    Sight {
        stop: Stop::No,
        fence: false,
        exit: None,
        requeue: Requeue::Never,
        live: None,
        over: None,
        queue: View::Fresh,
        accounts: View::Fresh,
        attempts: 1,
        silent: Duration::ZERO,
    }
}

fn row(state: SlurmState, reason: &str) -> QueueRow {
    QueueRow { id: 7, state, reason: reason.into(), nodes: String::new(), mark: None }
}

fn exit(end: End, word: Word) -> JobExit {
    let (payload, usage) = (PayloadReach::Started, Usage::default());
    let outcome = Outcome { end, payload, usage, message: String::new() };
    let exit = crate::local::files::Exit {
        generation: Generation(1),
        started_at: None,
        at: Timestamp(0),
        outcome,
    };
    JobExit { exit, word }
}

fn judged(sight: &Sight<'_>, lasted: Duration) -> (Stage, Verdict) {
    let stage = stage(sight);
    (stage, verdict(stage, sight, lasted))
}

fn over(end: SlurmEnd, code: Option<(u8, u8)>) -> Option<Over> {
    Some(Over { end, code, elapsed_s: 3 })
}

#[test]
fn an_acknowledged_submission_that_the_controller_lost_is_made_again() {
    let lost = sight();
    assert_eq!(judged(&lost, SECOND).1, Verdict::Wait(Progress::Staging));
    assert_eq!(judged(&lost, MISSING_KNOWN), (Stage::Missing, Verdict::Submit));
    // Not before the queue was seen after the submission.
    let early = Sight { queue: View::Stale, ..sight() };
    assert_eq!(judged(&early, MISSING_UNKNOWN).1, Verdict::Wait(Progress::Staging));
    // Without accounting it takes longer.
    let dark = Sight { accounts: View::Stale, ..sight() };
    assert_eq!(judged(&dark, MISSING_KNOWN).1, Verdict::Wait(Progress::Staging));
    assert_eq!(judged(&dark, MISSING_UNKNOWN).1, Verdict::Submit);
    let often = Sight { attempts: ATTEMPTS_MAX, ..sight() };
    assert!(matches!(judged(&often, MISSING_KNOWN).1, Verdict::Refuse(_)));
}

#[test]
fn a_job_that_began_is_never_submitted_again() {
    let began = Sight { fence: true, ..sight() };
    for lasted in [Duration::ZERO, MISSING_UNKNOWN, MISSING_UNKNOWN * 100] {
        assert_eq!(judged(&began, lasted).1, Verdict::Wait(Progress::Started));
    }
    let silent = Sight { silent: SILENT_MAX + SECOND, ..began };
    assert!(matches!(judged(&silent, SECOND).1, Verdict::End(End::Lost, PayloadReach::Started, _)));
}

#[test]
fn a_start_that_slurm_lost_counts_by_its_files() {
    // "launch failed requeued held": Slurm says pending, and the script ran.
    let held = row(SlurmState::Pending, "launch failed requeued held");
    let runs = Sight { fence: true, live: Some(&held), ..sight() };
    assert_eq!(judged(&runs, BLOCKED_MAX), (Stage::Astray, Verdict::Wait(Progress::Started)));
    let ended = Sight { exit: Some(exit(End::Exited { code: 0 }, Word::Ours)), ..runs };
    assert_eq!(judged(&ended, Duration::ZERO), (Stage::Exited, Verdict::Exit(None)));
}

#[test]
fn a_start_that_slurm_repeats_says_nothing_about_the_first() {
    // The second one left at the fence, and Slurm has its code as the job's.
    let refused = over(SlurmEnd::Failed, Some((submit::NOTHING_RUN, 0)));
    let again = Sight { fence: true, over: refused, ..sight() };
    let waits = Verdict::Wait(Progress::Started);
    assert_eq!(judged(&again, EXIT_LATE * 100), (Stage::Missing, waits));
    let silent = Sight { silent: SILENT_MAX + SECOND, ..again.clone() };
    assert!(matches!(judged(&silent, SECOND).1, Verdict::End(End::Lost, PayloadReach::Started, _)));
    let ended = Sight { exit: Some(exit(End::Exited { code: 0 }, Word::Ours)), ..again };
    assert_eq!(judged(&ended, SECOND), (Stage::Exited, Verdict::Exit(refused)));
}

#[test]
fn a_job_that_waits_in_vain_is_taken_elsewhere() {
    let turn = row(SlurmState::Pending, "Priority");
    let waits = Sight { live: Some(&turn), ..sight() };
    assert_eq!(judged(&waits, BLOCKED_MAX * 100).1, Verdict::Wait(Progress::Staging));
    for reason in
        ["QOSMaxJobsPerUserLimit", "ReqNodeNotAvail, UnavailableNodes:n[1-3]", "AssocGrpCpuLimit"]
    {
        let limit = row(SlurmState::Pending, reason);
        let waits = Sight { live: Some(&limit), ..sight() };
        assert_eq!(judged(&waits, SECOND).1, Verdict::Wait(Progress::Staging), "{reason}");
        let verdict = judged(&waits, BLOCKED_MAX).1;
        let named = matches!(&verdict, Verdict::Withdraw(text) if text.contains(reason));
        assert!(named, "{verdict:?}");
    }
    let withdrawn = Stop::Withdrawn("Slurm: full".into());
    let gone = Sight { stop: withdrawn, over: over(SlurmEnd::Cancelled, None), ..sight() };
    assert_eq!(judged(&gone, SECOND).1, Verdict::Refuse("Slurm: full".into()));
}

#[test]
fn slurm_says_why_it_ended_a_job() {
    let killed = exit(End::Signalled { signal: 15 }, Word::Slurms);
    let doubtful = Sight { fence: true, exit: Some(killed.clone()), ..sight() };
    assert_eq!(judged(&doubtful, SECOND), (Stage::Doubtful, Verdict::Wait(Progress::Started)));
    let told = Sight { over: over(SlurmEnd::Timeout, None), ..doubtful.clone() };
    assert_eq!(judged(&told, SECOND).1, Verdict::Exit(told.over));
    assert_eq!(merge(&killed, told.over).end, End::TimedOut);
    assert_eq!(merge(&killed, over(SlurmEnd::Cancelled, None)).end, End::Cancelled);
    assert_eq!(merge(&killed, over(SlurmEnd::Failed, None)).end, End::Signalled { signal: 15 });
    // Accounting may be absent: then what the supervisor saw has to do.
    assert_eq!(judged(&doubtful, WORD_MAX + SECOND).1, Verdict::Exit(None));
    let by_itself = exit(End::Exited { code: 4 }, Word::Ours);
    assert_eq!(merge(&by_itself, over(SlurmEnd::Cancelled, None)).end, End::Exited { code: 4 });
}

#[test]
fn a_node_that_died_with_its_job() {
    let died = Sight { fence: true, over: over(SlurmEnd::NodeFail, Some((1, 0))), ..sight() };
    assert_eq!(judged(&died, SECOND).1, Verdict::Wait(Progress::Started));
    let verdict = judged(&died, EXIT_LATE).1;
    assert!(matches!(verdict, Verdict::End(End::Lost, PayloadReach::Started, _)), "{verdict:?}");
    let before = Sight { fence: false, ..died };
    let verdict = judged(&before, EXIT_LATE).1;
    assert!(matches!(verdict, Verdict::End(End::Lost, PayloadReach::NeverStarted, _)));
}

#[test]
fn a_code_that_only_accounting_knows_is_waited_for() {
    let failed = |code| Sight { fence: true, over: over(SlurmEnd::Failed, code), ..sight() };
    assert_eq!(judged(&failed(None), EXIT_LATE).1, Verdict::Wait(Progress::Started));
    let verdict = judged(&failed(None), WORD_MAX).1;
    assert!(matches!(verdict, Verdict::End(End::Lost, PayloadReach::Started, _)), "{verdict:?}");
    let verdict = judged(&failed(Some((3, 0))), EXIT_LATE).1;
    assert!(matches!(verdict, Verdict::End(End::Exited { code: 3 }, ..)), "{verdict:?}");
}

#[test]
fn a_node_that_cannot_see_the_agent_starts_nothing() {
    for code in [2, 126] {
        let blind = Sight { over: over(SlurmEnd::Failed, Some((code, 0))), ..sight() };
        let verdict = judged(&blind, SECOND).1;
        assert!(matches!(&verdict, Verdict::Refuse(why) if why.contains("see")), "{verdict:?}");
    }
}

#[test]
fn a_stop_is_asked_for_until_it_is_done() {
    let running = row(SlurmState::Running, "None");
    let stop = Sight { stop: Stop::Ordered, fence: true, live: Some(&running), ..sight() };
    assert_eq!(judged(&stop, SECOND).1, Verdict::Cancel(Progress::Stopping));
    let gone = Sight { stop: Stop::Ordered, ..sight() };
    let ended = Verdict::End(End::Cancelled, PayloadReach::NeverStarted, String::new());
    assert_eq!(judged(&gone, MISSING_KNOWN).1, ended);
}

#[test]
fn a_requeue_that_was_asked_for_is_slurms() {
    let again = row(SlurmState::Pending, "BeginTime");
    let word = exit(End::Signalled { signal: 15 }, Word::Slurms);
    let requeued = Sight {
        fence: true,
        exit: Some(word),
        requeue: Requeue::OnFailure,
        live: Some(&again),
        ..sight()
    };
    assert_eq!(judged(&requeued, WORD_MAX * 100).1, Verdict::Wait(Progress::Started));
}
