//! Small sites, each on one screen, and random ones against a model that is slow and obvious.

use super::*;
use suanpan_sched::order::list_order::ListOrder;
use suanpan_sched::predict::tsafrir::LastTwo;

mod naive;
mod properties;

const NOBODY: BatchJob = BatchJob {
    id: 0,
    user: 0,
    group: 0,
    name: 0,
    queue: 0,
    processors: 1,
    requested: Seconds(1),
    run: None,
};

fn at(second: u64) -> Timestamp {
    Timestamp(second as i64 * 1_000_000)
}

/// A job by submit time, processors, requested and true run time.
type Spec = (u64, u32, u64, u64);

fn job(id: usize, (_, processors, requested, run): Spec) -> BatchJob {
    BatchJob {
        id: id as u64,
        processors,
        requested: Seconds(requested),
        run: Some(Seconds(run)),
        ..NOBODY
    }
}

fn settings(processors: u32, policy: BatchPolicy) -> BatchSettings {
    BatchSettings { processors, policy, convention: Convention::Instant }
}

/// Start seconds of jobs, in the order of the list.
fn starts(settings: BatchSettings, run_times: RunTimes, jobs: &[Spec]) -> Vec<u64> {
    let mut site = BatchSite::new(at(0), settings, run_times);
    for (id, spec) in jobs.iter().enumerate() {
        site.submit(at(spec.0), job(id, *spec)).expect("it fits");
    }
    site.run_to_end();
    let mut starts = vec![u64::MAX; jobs.len()];
    for happened in site.take_happened() {
        if let What::Started { .. } = happened.what {
            starts[happened.id as usize] = happened.at.0.unsigned_abs() / 1_000_000;
        }
    }
    starts
}

fn requested(policy: BatchPolicy, jobs: &[Spec]) -> Vec<u64> {
    starts(settings(10, policy), RunTimes::Requested, jobs)
}

/// A wide job waits behind a narrow one; two more could go ahead of it.
const QUEUE: [Spec; 4] = [(0, 6, 100, 100), (1, 8, 50, 50), (2, 4, 200, 200), (3, 4, 90, 90)];

#[test]
fn fcfs_lets_nobody_pass() {
    assert_eq!(requested(BatchPolicy::FCFS, &QUEUE), [0, 100, 150, 150]);
}

#[test]
fn easy_lets_pass_who_ends_before_the_shadow_start() {
    assert_eq!(requested(BatchPolicy::EASY, &QUEUE), [0, 100, 150, 3]);
}

#[test]
fn easy_lets_pass_who_uses_spare_processors() {
    let jobs = [(0, 6, 100, 100), (1, 8, 50, 50), (2, 2, 500, 500), (3, 2, 500, 500)];
    assert_eq!(requested(BatchPolicy::EASY, &jobs), [0, 100, 2, 150]);
}

#[test]
fn sjbf_tries_the_shortest_first() {
    let jobs = [(0, 6, 100, 100), (1, 10, 50, 50), (2, 3, 80, 80), (2, 3, 40, 40)];
    assert_eq!(requested(BatchPolicy::EASY, &jobs), [0, 100, 2, 150]);
    assert_eq!(requested(BatchPolicy::EASY_SJBF, &jobs), [0, 100, 150, 2]);
}

#[test]
fn conservative_delays_no_promise_and_easy_may() {
    // The third job is promised 150; under EASY the last one, which is longer, gets ahead of it.
    let jobs = [(0, 6, 100, 100), (1, 8, 50, 50), (2, 4, 20, 20), (3, 2, 400, 400)];
    assert_eq!(requested(BatchPolicy::CONSERVATIVE, &jobs), [0, 100, 2, 22]);
    let wide = [(0, 6, 100, 100), (1, 8, 50, 50), (2, 10, 20, 20), (3, 2, 400, 400)];
    assert_eq!(requested(BatchPolicy::CONSERVATIVE, &wide), [0, 100, 150, 170]);
    assert_eq!(requested(BatchPolicy::EASY, &wide), [0, 100, 403, 3]);
}

#[test]
fn the_depth_of_hybrid_backfill_lies_between_easy_and_conservative() {
    let hybrid = |reservation_depth| BatchPolicy::HybridBackfill {
        order: ListOrder::Fcfs,
        reservation_depth,
    };
    let jobs = [(0, 6, 100, 100), (1, 8, 50, 50), (2, 10, 20, 20), (3, 2, 400, 400)];
    assert_eq!(requested(hybrid(1), &jobs), requested(BatchPolicy::EASY, &jobs));
    assert_eq!(requested(hybrid(2), &jobs), requested(BatchPolicy::CONSERVATIVE, &jobs));
}

#[test]
fn an_early_end_moves_promises_forward() {
    let jobs = [(0, 6, 100, 30), (1, 8, 50, 50), (2, 10, 20, 20)];
    assert_eq!(requested(BatchPolicy::CONSERVATIVE, &jobs), [0, 30, 80]);
}

#[test]
fn a_job_is_killed_when_its_requested_time_is_over() {
    assert_eq!(requested(BatchPolicy::FCFS, &[(0, 10, 50, 500), (1, 10, 5, 5)]), [0, 50]);
}

#[test]
fn jobs_that_run_for_no_time_end_where_they_start() {
    let jobs = [(0, 10, 50, 0), (0, 10, 50, 0), (0, 10, 50, 7), (0, 10, 50, 0)];
    for policy in [BatchPolicy::FCFS, BatchPolicy::EASY, BatchPolicy::CONSERVATIVE] {
        assert_eq!(requested(policy, &jobs), [0, 0, 0, 7], "{policy:?}");
    }
}

#[test]
fn a_prediction_that_is_exceeded_is_corrected_and_kills_nothing() {
    // Two short jobs teach that the user's jobs are short; the third is not.
    let jobs = [(0, 1, 900, 10), (0, 1, 900, 10), (20, 8, 900, 200), (21, 10, 900, 10)];
    let run_times = RunTimes::Predicted(Box::new(LastTwo::default()));
    let easy = settings(10, BatchPolicy::EASY_SJBF);
    assert_eq!(starts(easy, run_times, &jobs), [0, 0, 20, 220]);
}

#[test]
fn a_job_that_never_fits_is_refused() {
    let mut site = BatchSite::new(at(0), settings(10, BatchPolicy::EASY), RunTimes::Requested);
    let wide = BatchJob { processors: 11, ..NOBODY };
    assert_eq!(site.submit(at(0), wide), Err(NeverFits { needs: 11, processors: 10 }));
    assert!(site.submit(at(0), BatchJob { processors: 0, ..NOBODY }).is_err());
}

#[test]
fn a_cancelled_job_makes_room() {
    for policy in [BatchPolicy::FCFS, BatchPolicy::EASY, BatchPolicy::CONSERVATIVE] {
        let mut site = BatchSite::new(at(0), settings(10, policy), RunTimes::Requested);
        let submit = |site: &mut BatchSite, id, spec: Spec| {
            site.submit(at(spec.0), job(id, spec)).expect("it fits")
        };
        submit(&mut site, 0, (0, 6, 100, 100));
        let wide = submit(&mut site, 1, (1, 10, 50, 50));
        submit(&mut site, 2, (2, 4, 200, 200));
        site.run_until(at(5));
        assert_eq!((site.running(), site.waiting(), site.busy()), (1, 2, 6));
        assert!(site.cancel(at(6), wide));
        assert!(!site.cancel(at(6), wide), "it is gone");
        site.run_until(at(6));
        assert_eq!((site.running(), site.waiting(), site.busy()), (2, 0, 10), "{policy:?}");
    }
}

#[test]
fn accasim_holds_the_first_job_until_its_shadow_start() {
    let convention = Convention::AccaSim;
    let site = BatchSettings { processors: 10, policy: BatchPolicy::EASY, convention };
    // The running job ends early; the first job still waits for the old shadow start, and a long
    // one passes it.
    let jobs = [(0, 6, 100, 30), (1, 8, 50, 50), (31, 4, 500, 500), (100, 1, 1, 1)];
    assert_eq!(starts(site, RunTimes::Requested, &jobs), [0, 531, 31, 100]);
}

fn live(processors: u32, requested: u64) -> BatchJob {
    BatchJob { processors, requested: Seconds(requested), ..NOBODY }
}

#[test]
fn a_live_site_says_when_a_job_would_start() {
    let submitted = at(0);
    let running = [RunningJob { job: live(6, 100), submitted, started: at(20) }];
    let waiting = [(live(8, 50), at(30))];
    for policy in [BatchPolicy::FCFS, BatchPolicy::EASY, BatchPolicy::CONSERVATIVE] {
        let site = || {
            let site = settings(10, policy);
            BatchSite::load(at(60), site, RunTimes::Requested, &running, &waiting).expect("it fits")
        };
        assert_eq!((site().busy(), site().waiting()), (6, 1));
        assert_eq!(site().when(&live(10, 10)), Ok(at(170)), "{policy:?}");
        let expected = if policy == BatchPolicy::FCFS { at(170) } else { at(60) };
        assert_eq!(site().when(&live(4, 60)), Ok(expected), "{policy:?}");
        assert!(site().when(&live(11, 1)).is_err());
    }
}

#[test]
fn what_is_visible_of_a_site_is_what_a_model_of_it_needs() {
    for policy in [BatchPolicy::FCFS, BatchPolicy::EASY, BatchPolicy::CONSERVATIVE] {
        let mut site = BatchSite::new(at(0), settings(10, policy), RunTimes::Requested);
        let jobs = [(0, 6, 100, 100), (10, 8, 50, 50), (20, 4, 200, 200), (30, 3, 20, 20)];
        for (id, spec) in jobs.iter().enumerate() {
            site.submit(at(spec.0), job(id, *spec)).expect("it fits");
        }
        let seen = site.visible(at(40));
        assert_eq!(seen.running.len() + seen.waiting.len(), 4);
        assert!(seen.running.iter().all(|running| running.job.run.is_none()));
        let asked = live(10, 10);
        let said = StartPredictor::new(settings(10, policy)).predict(&seen, &asked);
        let said = said.expect("it fits");
        // Every job runs for its requested time, and nobody comes: the model is right.
        let ticket = site.submit(at(40), BatchJob { run: Some(Seconds(10)), ..asked });
        let ticket = ticket.expect("it fits");
        site.run_until(said.by_limits);
        assert_eq!(site.start_of(ticket), Some(said.by_limits), "{policy:?}");
        assert_eq!((said.by_history, said.expected), (said.by_limits, said.by_limits));
        assert_eq!((said.earliest, said.latest), (at(40), said.by_limits));
    }
}

#[test]
fn estimates_follow_what_became_of_the_last_ones() {
    let site = settings(10, BatchPolicy::FCFS);
    let mut predictor = StartPredictor::new(site);
    let running = RunningJob { job: live(10, 1_000), submitted: at(0), started: at(0) };
    let visible = Visible { now: at(0), running: vec![running], waiting: Vec::new() };
    // Jobs of this kind run for a tenth of what they ask for.
    for _ in 0..100 {
        predictor.ended(&live(10, 1_000), Seconds(100));
    }
    let said = predictor.predict(&visible, &live(1, 10)).expect("it fits");
    assert_eq!(said.by_limits, at(1_000));
    let guess = said.by_history.since(at(0)).0;
    assert!((100..200).contains(&guess), "{guess}");
    assert_eq!((said.earliest, said.expected, said.latest), (at(0), said.by_history, at(1_000)));
    // And jobs wait twice as long as guessed, a fifth of them three times.
    for place in 0..50 {
        let waited = if place % 5 == 0 { 3 * guess + 120 } else { 2 * guess + 60 };
        predictor.started(&said, at(0), at(waited));
    }
    let said = predictor.predict(&visible, &live(1, 10)).expect("it fits");
    assert_eq!((said.earliest, said.expected), (at(2 * guess + 60), at(2 * guess + 60)));
    assert_eq!(said.latest, at(3 * guess + 120));
}

/// Worked out by hand from the rules of [`Convention::Alea`].
#[test]
fn alea_holds_a_second_more_and_backfills_strictly_before() {
    let convention = Convention::Alea;
    let easy = BatchSettings { processors: 10, policy: BatchPolicy::EASY, convention };
    let fcfs = BatchSettings { policy: BatchPolicy::FCFS, ..easy };
    // The first job's end is foreseen at 101; nothing else ends near it. The second starts then.
    assert_eq!(starts(fcfs, RunTimes::Requested, &[(0, 10, 100, 100), (1, 10, 5, 5)]), [0, 101]);
    // Two jobs are over at 50 and 49: the end of the second, at 50, takes the first along.
    let jobs = [(0, 5, 99, 50), (0, 5, 99, 49), (1, 10, 9, 9)];
    assert_eq!(starts(fcfs, RunTimes::Requested, &jobs), [0, 0, 50]);
    // And the end that was foreseen for the first, at 51, is still looked at: the third, which has
    // run for its 50 seconds by then, ends with it.
    let jobs = [(0, 4, 99, 50), (0, 3, 99, 49), (1, 3, 99, 50), (2, 10, 9, 9)];
    assert_eq!(starts(fcfs, RunTimes::Requested, &jobs), [0, 0, 1, 51]);
    // A job that would end at the shadow start, 100, stays behind; one that ends a second before
    // it goes ahead.
    let jobs = [(0, 6, 100, 100), (1, 8, 50, 50), (2, 4, 98, 10), (3, 4, 96, 10)];
    assert_eq!(starts(easy, RunTimes::Requested, &jobs), [0, 101, 152, 3]);
    let usual = BatchSettings { convention: Convention::Instant, ..easy };
    assert_eq!(starts(usual, RunTimes::Requested, &jobs), [0, 100, 2, 150]);
    // A submission at the moment of an end is asked about first: the narrow job goes ahead of
    // the wide one although that could have started.
    let jobs = [(0, 6, 100, 20), (1, 10, 50, 50), (21, 4, 50, 50)];
    assert_eq!(starts(easy, RunTimes::Requested, &jobs), [0, 72, 21]);
    assert_eq!(starts(usual, RunTimes::Requested, &jobs), [0, 20, 70]);
}

#[test]
fn a_job_past_its_limit_is_expected_to_end_soon() {
    let running = [RunningJob { job: live(6, 100), submitted: at(0), started: at(0) }];
    let site = settings(10, BatchPolicy::EASY);
    let site = BatchSite::load(at(500), site, RunTimes::Requested, &running, &[]).expect("it fits");
    assert_eq!(site.when(&live(10, 10)), Ok(at(560)));
    let both = [running[0], RunningJob { job: live(5, 9), ..running[0] }];
    let site = settings(10, BatchPolicy::EASY);
    let overfull = BatchSite::load(at(500), site, RunTimes::Requested, &both, &[]);
    assert_eq!(overfull.err(), Some(NeverFits { needs: 11, processors: 10 }));
}
