use super::*;
use crate::elastic::{Restart, fits};
use proptest::prelude::*;

fn view(job: usize, gpus: u32, steps_per_s: &[f64]) -> JobView<'_> {
    JobView {
        job,
        gpus,
        steps_per_s,
        goodputs: &[],
        remaining: 1.0,
        age_s: 0.0,
        restarts: 0,
        restart_s: 30.0,
        state: Restart::None,
        held: None,
    }
}

#[test]
fn jobs_too_many_for_the_gpus_take_turns() {
    let flavors = [FlavorNodes { nodes: 1, gpus_per_node: 4 }];
    let rates = [1.0];
    let jobs: Vec<JobView<'_>> = (0..3).map(|job| view(job, 4, &rates)).collect();
    let mut policy = Gavel::new(360.0, Objective::TotalThroughput);
    let mut turns = [0; 3];
    for _ in 0..30 {
        let given = policy.allocate(&jobs, &flavors);
        given.iter().zip(&mut turns).for_each(|(one, count)| *count += i32::from(one.is_some()));
    }
    assert_eq!(turns, [10, 10, 10]);
}

#[test]
fn a_job_that_stays_keeps_its_gpus() {
    let flavors = [FlavorNodes { nodes: 2, gpus_per_node: 4 }];
    let rates = [1.0];
    let mut policy = Gavel::new(360.0, Objective::TotalThroughput);
    let pair = [view(0, 2, &rates), view(1, 4, &rates)];
    let before = policy.allocate(&pair, &flavors);
    let after = policy.allocate(&[pair[0].clone()], &flavors);
    assert_eq!(before[0], after[0]);
}

/// For some rounds, which jobs there are and how many GPUs they ask for.
fn rounds() -> impl Strategy<Value = Vec<BTreeMap<usize, u32>>> {
    let round = prop::collection::btree_map(0usize..40, 1u32..17, 1..25);
    prop::collection::vec(round, 1..6)
}

proptest! {
    #[test]
    fn no_gpu_is_given_twice_and_none_idles_that_a_job_fits(
        rounds in rounds(),
        nodes in prop::collection::vec((1u32..5, 1u32..9), 1..4),
    ) {
        let flavors: Vec<FlavorNodes> = nodes
            .into_iter()
            .map(|(nodes, gpus_per_node)| FlavorNodes { nodes, gpus_per_node })
            .collect();
        let rates: Vec<f64> = (0..flavors.len()).map(|flavor| 1.0 + flavor as f64).collect();
        let mut policy = Gavel::new(360.0, Objective::TotalThroughput);
        for round in rounds {
            let jobs: Vec<JobView<'_>> =
                round.iter().map(|(&job, &gpus)| view(job, gpus, &rates)).collect();
            let given = policy.allocate(&jobs, &flavors);
            prop_assert!(fits(&given, &flavors));
            let mut left: Vec<u32> = flavors.iter().map(|about| about.gpus()).collect();
            for (job, one) in jobs.iter().zip(&given) {
                if let Some(one) = one {
                    prop_assert_eq!(one.gpus(), job.gpus);
                    left[one.flavor] -= one.gpus();
                }
            }
            for (job, _) in jobs.iter().zip(&given).filter(|(_, one)| one.is_none()) {
                prop_assert!(left.iter().all(|&free| free < job.gpus), "work is conserved");
            }
        }
    }
}
