//! What is learnt changes the order, and nothing that plain EASY promises.

use super::*;
use proptest::prelude::*;

fn features(sequence: u64, user: u32, processors: u32, requested: u64, at: u64) -> JobFeatures {
    JobFeatures {
        sequence,
        user,
        group: 0,
        name: 0,
        queue: 0,
        processors,
        requested: Seconds(requested),
        submitted: second(at),
    }
}

fn waiting(job: &JobFeatures) -> Waiting {
    Waiting {
        rank: job.submitted.0,
        scan_rank: 0,
        sequence: job.sequence,
        processors: job.processors,
        hold: job.requested,
        slot: 0,
    }
}

fn second(at: u64) -> Timestamp {
    Timestamp(at as i64 * 1_000_000)
}

fn pass(queue: &mut LearntBackfill, at: u64, profile: &mut Profile) -> Vec<u64> {
    let mut started = Vec::new();
    queue.pass(second(at), profile, &mut |job| started.push(job.sequence));
    started
}

fn submit(queue: &mut LearntBackfill, job: JobFeatures) {
    queue.submit(waiting(&job), job);
}

#[test]
fn the_user_of_short_jobs_goes_first() {
    let mut queue = LearntBackfill::default();
    for user in [1, 2] {
        let run = Seconds(if user == 1 { 3_000 } else { 5 });
        for _ in 0..5 {
            queue.learn(&features(0, user, 4, 3_600, 0), run);
        }
    }
    let mut profile = Profile::new(second(0), 4);
    submit(&mut queue, features(1, 1, 4, 3_600, 0));
    submit(&mut queue, features(2, 2, 4, 3_600, 0));
    assert_eq!(pass(&mut queue, 0, &mut profile), [2]);
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_waiting_job_is_thought_of_anew() {
    let mut queue = LearntBackfill::default();
    submit(&mut queue, features(1, 1, 4, 3_600, 0));
    submit(&mut queue, features(2, 2, 4, 3_600, 0));
    queue.learn(&features(0, 2, 4, 3_600, 0), Seconds(3));
    assert_eq!(pass(&mut queue, 0, &mut Profile::new(second(0), 4)), [2]);
}

#[test]
fn no_job_starves() {
    let mut queue = LearntBackfill::default();
    for _ in 0..20 {
        queue.learn(&features(0, 1, 1, 100_000, 0), Seconds(100_000));
        queue.learn(&features(0, 2, 1, 600, 0), Seconds(500));
    }
    let mut profile = Profile::new(second(0), 4);
    submit(&mut queue, features(0, 1, 4, 100_000, 0));
    // A short job of full width comes every ten minutes, for as long as it takes.
    for round in 0..10_000 {
        let at = round * 600;
        profile.forget_before(second(at));
        submit(&mut queue, features(round + 1, 2, 4, 600, at));
        if pass(&mut queue, at, &mut profile).contains(&0) {
            assert!(round > 6 && round < 1_500, "{round}");
            return;
        }
    }
    panic!("the long job starves");
}

proptest! {
    /// No pass takes more than is free, and none leaves a job that fits before the shadow start
    /// of the first.
    #[test]
    fn passes_keep_to_the_machine(
        jobs in prop::collection::vec((0_u32..4, 1_u32..9, 1_u64..10_000), 1..60),
    ) {
        let mut queue = LearntBackfill::default();
        let mut profile = Profile::new(second(0), 8);
        let mut at = 0;
        let mut running: Vec<(u64, u32)> = Vec::new();
        for (sequence, (user, processors, requested)) in jobs.iter().enumerate() {
            at += requested / 7;
            profile.forget_before(second(at));
            let job = features(sequence as u64, *user, *processors, *requested, at);
            running.retain(|(end, ..)| *end > at);
            submit(&mut queue, job);
            let started = pass(&mut queue, at, &mut profile);
            for started in &started {
                let (_, processors, requested) = jobs[*started as usize];
                running.push((at + requested, processors));
            }
            let busy: u32 = running.iter().map(|(_, processors)| processors).sum();
            prop_assert!(busy <= 8);
            prop_assert_eq!(profile.free_at(second(at)), 8 - busy);
            prop_assert!(pass(&mut queue, at, &mut profile).is_empty());
            for started in started {
                queue.learn(&job, Seconds(jobs[started as usize].2 / 3));
            }
        }
    }
}
