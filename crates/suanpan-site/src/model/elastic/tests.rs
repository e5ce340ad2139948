use super::*;
use proptest::prelude::*;
use suanpan_sched::elastic::gavel::{Gavel, Objective};
use suanpan_sched::elastic::horizon::Horizon;
use suanpan_sched::elastic::sia::Sia;
use suanpan_sched::elastic::step_times::{Measured, StepTimes, Times};
use suanpan_sched::elastic::training::{Epoch, Training};

/// Step times of a program that computes for `each` seconds per sample and exchanges gradients
/// the longer the more GPUs.
fn step_times(each: f64, per_node: u32, most: u32) -> StepTimes {
    let times = |gpus: u32, local_batch: u32| {
        let across = if gpus > per_node { 0.02 } else { 0.0 };
        let sync_s = if gpus == 1 { 0.0 } else { 0.005 + across + 0.001 * f64::from(gpus) };
        Times { step_s: 0.02 + each * f64::from(local_batch) + sync_s, sync_s }
    };
    let mut shapes = Vec::new();
    for gpus in 1..=most {
        for local_batch in [4, 8, 16, 32, 64] {
            let measured = Measured { local_batch, times: times(gpus, local_batch) };
            shapes.push((Shape::filled(gpus, per_node), measured));
        }
    }
    StepTimes::new(shapes, []).expect("there are measurements")
}

fn model(name: &str, each: f64, epochs: usize) -> Model {
    let run = |batch: u32| {
        let epoch = |k: usize| Epoch {
            progress: 400.0 * (k + 1) as f64,
            gradient_squared: 1.0,
            gradient_variance: 2.0 + k as f64 + f64::from(batch) / 64.0,
        };
        (batch, (0..epochs).map(epoch).collect())
    };
    Model {
        name: name.to_owned(),
        training: Training::new([16, 64, 256].map(run)).expect("there are runs"),
        step_times: vec![Some(step_times(each, 4, 8)), Some(step_times(each / 3.0, 4, 4))],
        restart_s: 30,
        slowdown: 1.2,
    }
}

const FLAVORS: [FlavorNodes; 2] =
    [FlavorNodes { nodes: 2, gpus_per_node: 4 }, FlavorNodes { nodes: 1, gpus_per_node: 4 }];

fn policy(kind: u8) -> (Batches, Box<dyn RoundPolicy>) {
    match kind {
        0 => (Batches::Fixed, Box::new(Gavel::new(60.0, Objective::TotalThroughput))),
        1 => (Batches::Tuned(Knowledge::Measured), Box::new(Sia::default())),
        2 => (Batches::Tuned(Knowledge::OwnRun), Box::new(Sia::default())),
        _ => (Batches::Tuned(Knowledge::AllRuns), Box::new(Horizon::default())),
    }
}

fn site(kind: u8) -> ElasticSite {
    let models = [model("small", 0.002, 3), model("large", 0.01, 6)];
    let (batches, policy) = policy(kind);
    ElasticSite::new(models.into(), FLAVORS.to_vec(), 60, batches, policy)
}

fn job(number: usize, large: bool, gpus: u32, submitted_s: f64) -> TrainingJob {
    TrainingJob {
        name: format!("job-{number}"),
        submitted_s,
        model: if large { "large" } else { "small" }.to_owned(),
        gpus,
        batch: 64,
    }
}

/// Runs jobs that come one per round to their end, checking as it goes.
fn run(kind: u8, asked: &[(bool, u32)]) -> Vec<Outcome> {
    let mut site = site(kind);
    let mut waiting = asked.iter().enumerate();
    let mut before = vec![0.0; asked.len()];
    for _ in 0..20_000 {
        site.run_round();
        for (number, done) in before.iter_mut().enumerate().take(site.jobs.len()) {
            let now = site.progress(number).expect("it was submitted");
            assert!(now >= *done && now <= 1.0, "progress only grows, to 1");
            *done = now;
        }
        let next = waiting.next();
        if let Some((number, &(large, gpus))) = next {
            let submitted_s = site.now_s() as f64 - 20.0;
            assert_eq!(site.submit(job(number, large, gpus, submitted_s)), Ok(number));
        }
        site.allocate();
        let held: Vec<_> = (0..site.jobs.len()).map(|n| site.held(n).cloned()).collect();
        assert!(fits(&held, &FLAVORS));
        if next.is_none() && site.active() == 0 {
            return site.outcomes().map(|(_, outcome)| outcome.clone()).collect();
        }
    }
    panic!("the jobs do not end");
}

#[test]
fn an_unknown_model_is_refused() {
    let asked = TrainingJob { model: "other".to_owned(), ..job(0, false, 1, 0.0) };
    assert_eq!(site(0).submit(asked), Err(Refusal::UnknownModel("other".to_owned())));
}

#[test]
fn a_job_alone_restarts_never_and_takes_its_time() {
    let [outcome] = &run(0, &[(false, 1)])[..] else { panic!("one job") };
    assert_eq!((outcome.started_s, outcome.restarts), (Some(60), 0));
    assert_eq!(outcome.restart_gpu_s, 30);
    // On the flavor that is three times as fast: two passes of 32 samples per step.
    let pass_s = 0.02 + 0.002 / 3.0 * 32.0;
    let gain = |variance: f64| (variance + 1.0) / (variance / 4.0 + 1.0);
    let epochs_s: f64 =
        (0..3).map(|k| (400.0 / gain(3.0 + f64::from(k)) * 2.0 * pass_s * 1.2).round()).sum();
    assert_eq!(outcome.ended_s, Some(60 + 30 + epochs_s as u64));
    assert_eq!(outcome.gpu_s, [0, 30 + epochs_s as u64]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_job_ends_and_the_same_again_is_the_same(
        kind in 0u8..4,
        asked in prop::collection::vec((any::<bool>(), 1u32..5), 1..12),
    ) {
        let outcomes = run(kind, &asked);
        for outcome in &outcomes {
            prop_assert!(outcome.started_s < outcome.ended_s);
            prop_assert!(outcome.gpu_s.iter().sum::<u64>() > outcome.restart_gpu_s);
        }
        prop_assert_eq!(outcomes, run(kind, &asked));
    }
}
