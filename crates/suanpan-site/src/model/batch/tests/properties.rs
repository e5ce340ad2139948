//! What holds for every workload.

use super::naive::{self, Knows, Naive};
use super::{Spec, at, job, settings};
use crate::model::batch::*;
use proptest::prelude::*;
use suanpan_sched::order::list_order::ListOrder;
use suanpan_sched::predict::tsafrir::LastTwo;

const PROCESSORS: u32 = 10;

/// Workloads in which much happens at once: few distinct times, jobs as wide as the machine.
fn workload() -> impl Strategy<Value = Vec<Spec>> {
    let job = (0..6_u64, 1..=PROCESSORS, 1..12_u64, 1..=12_u64, any::<bool>());
    proptest::collection::vec(job, 1..70).prop_map(|jobs| {
        let mut now = 0;
        jobs.into_iter()
            .map(|(gap, processors, requested, run, long)| {
                now += gap / 2;
                // Long jobs meet the raises of a corrected prediction.
                let scale = if long { 97 } else { 1 };
                (now, processors, requested * scale, (run * scale).min(requested * scale))
            })
            .collect()
    })
}

fn run_times(knows: Knows) -> RunTimes {
    match knows {
        Knows::Requested => RunTimes::Requested,
        Knows::Clairvoyant => RunTimes::Clairvoyant,
        Knows::LastTwo => RunTimes::Predicted(Box::new(LastTwo::default())),
    }
}

fn policies() -> Vec<BatchPolicy> {
    let mut policies = vec![BatchPolicy::FCFS, BatchPolicy::EASY, BatchPolicy::EASY_SJBF];
    policies.push(BatchPolicy::CONSERVATIVE);
    policies.push(BatchPolicy::LearntBackfill);
    let order = ListOrder::SmallestAreaFirst;
    policies.push(BatchPolicy::List { order });
    policies.push(BatchPolicy::EasyBackfill { order, scan: Some(ListOrder::LongestFirst) });
    policies.push(BatchPolicy::ConservativeBackfill { order });
    for reservation_depth in 0..4 {
        policies.push(BatchPolicy::HybridBackfill { order: ListOrder::Fcfs, reservation_depth });
    }
    policies
}

/// Runs a workload and gives all that happened.
fn history(settings: BatchSettings, knows: Knows, jobs: &[Spec]) -> Vec<Happened> {
    let mut site = BatchSite::new(at(0), settings, run_times(knows));
    for (id, spec) in jobs.iter().enumerate() {
        site.submit(at(spec.0), job(id, *spec)).expect("it fits");
    }
    site.run_to_end();
    site.take_happened().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pyss_is_followed_event_by_event(jobs in workload()) {
        let easy = |sjbf, asks_always| Naive::Easy { sjbf, asks_always };
        let cases = [
            (BatchPolicy::FCFS, Naive::Fcfs, Knows::Requested),
            (BatchPolicy::CONSERVATIVE, Naive::Conservative, Knows::Requested),
            (BatchPolicy::EASY, easy(false, false), Knows::Requested),
            (BatchPolicy::EASY, easy(false, false), Knows::Clairvoyant),
            (BatchPolicy::EASY, easy(false, false), Knows::LastTwo),
            (BatchPolicy::EASY_SJBF, easy(true, false), Knows::Requested),
            (BatchPolicy::EASY_SJBF, easy(true, true), Knows::Clairvoyant),
            (BatchPolicy::EASY_SJBF, easy(true, true), Knows::LastTwo),
        ];
        for (policy, naive, knows) in cases {
            let settings =
                BatchSettings { processors: PROCESSORS, policy, convention: Convention::Pyss };
            let got = super::starts(settings, run_times(knows), &jobs);
            let expected = naive::starts(PROCESSORS, naive, knows, &jobs);
            prop_assert_eq!(got, expected, "{:?} {:?}", naive, knows);
        }
    }

    #[test]
    fn no_processor_is_given_twice_and_no_job_starts_before_it_is_there(jobs in workload()) {
        for convention in [Convention::Instant, Convention::Pyss, Convention::AccaSim] {
            for policy in policies() {
                for knows in [Knows::Requested, Knows::Clairvoyant, Knows::LastTwo] {
                    let settings = BatchSettings { processors: PROCESSORS, policy, convention };
                    let happened = history(settings, knows, &jobs);
                    check(&jobs, &happened)?;
                    prop_assert_eq!(&happened, &history(settings, knows, &jobs));
                }
            }
        }
    }

    #[test]
    fn the_first_job_starts_as_soon_as_it_fits(jobs in workload()) {
        for policy in [BatchPolicy::FCFS, BatchPolicy::EASY, BatchPolicy::EASY_SJBF] {
            let site = settings(PROCESSORS, policy);
            let happened = history(site, Knows::Requested, &jobs);
            let starts = super::starts(site, RunTimes::Requested, &jobs);
            let mut instants: Vec<u64> =
                happened.iter().map(|happened| happened.at.0 as u64 / 1_000_000).collect();
            instants.extend(jobs.iter().map(|job| job.0));
            for now in instants {
                let busy: u32 = (0..jobs.len())
                    .filter(|i| starts[*i] <= now && now < starts[*i] + jobs[*i].3)
                    .map(|i| jobs[i].1)
                    .sum();
                let first = (0..jobs.len()).find(|i| jobs[*i].0 <= now && starts[*i] > now);
                if let Some(first) = first {
                    prop_assert!(jobs[first].1 > PROCESSORS - busy, "{policy:?} idles at {now}");
                }
            }
        }
    }

    #[test]
    fn what_is_learnt_is_from_the_past(jobs in workload(), half in 0.0_f64..1.0) {
        // Until a moment, it makes no difference who comes later, and how long those run that have
        // not ended.
        let site = settings(PROCESSORS, BatchPolicy::LearntBackfill);
        let starts = super::starts(site, RunTimes::Requested, &jobs);
        let moment = jobs[(jobs.len() as f64 * half) as usize].0;
        let mut others = jobs.clone();
        for (job, start) in others.iter_mut().zip(starts) {
            if job.0 >= moment {
                (job.1, job.3) = (PROCESSORS + 1 - job.1, job.2);
            } else if start + job.3 >= moment {
                job.3 = job.2;
            }
        }
        let until = |jobs: &[Spec]| -> Vec<Happened> {
            let happened = history(site, Knows::Requested, jobs);
            happened.into_iter().filter(|happened| happened.at < at(moment)).collect()
        };
        prop_assert_eq!(until(&jobs), until(&others));
    }

    #[test]
    fn conservative_never_delays_a_promise(jobs in workload()) {
        // What is promised at submission is what happens if nobody comes later and all run for
        // their requested times.
        let site = settings(PROCESSORS, BatchPolicy::CONSERVATIVE);
        let real = super::starts(site, RunTimes::Requested, &jobs);
        for (last, (submit, ..)) in jobs.iter().enumerate() {
            let mut before = jobs[..=last].to_vec();
            for (place, job) in before.iter_mut().enumerate() {
                // What has ended before the submission is known to have ended early.
                if real[place] + job.3 > *submit {
                    job.3 = job.2;
                }
            }
            let promised = super::starts(site, RunTimes::Requested, &before);
            prop_assert!(real[last] <= promised[last], "job {last} of {jobs:?}");
        }
    }
}

/// Jobs start after they are submitted, run as long as they run, once each, and never hold more
/// than there is.
fn check(jobs: &[Spec], happened: &[Happened]) -> Result<(), TestCaseError> {
    let mut started = vec![None; jobs.len()];
    let mut changes: Vec<(Timestamp, i64)> = Vec::new();
    for event in happened {
        let (place, spec) = (event.id as usize, jobs[event.id as usize]);
        match event.what {
            What::Started { .. } => {
                prop_assert!(event.at >= at(spec.0) && started[place].is_none());
                started[place] = Some(event.at);
                changes.push((event.at, i64::from(spec.1)));
            }
            What::Ended => {
                let start: Timestamp = started[place].expect("it started before it ended");
                prop_assert_eq!(event.at, start.plus(Seconds(spec.3)));
                changes.push((event.at, -i64::from(spec.1)));
            }
        }
    }
    prop_assert!(started.iter().all(Option::is_some));
    changes.sort_unstable();
    let mut busy = 0;
    for (_, change) in changes {
        busy += change;
        prop_assert!(busy <= i64::from(PROCESSORS));
    }
    Ok(())
}
