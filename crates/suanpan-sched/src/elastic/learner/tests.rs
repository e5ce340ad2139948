use super::*;
use crate::elastic::fixtures::{FLAVORS, model};
use crate::elastic::goodput::candidates;
use crate::elastic::{Shape, configurations};

const GRADIENT: Gradient = Gradient { squared: 1.0, variance: 4.0 };

/// (flavor, GPUs) that may be had, with the goodput expected.
fn allowed(learner: &Learner) -> Vec<(usize, u32, f64)> {
    let model = model();
    let configurations = configurations(&FLAVORS);
    let table: Vec<Vec<Candidate>> =
        configurations.iter().map(|c| candidates(&model, c.flavor, &shape(*c, &FLAVORS))).collect();
    let goodputs = learner.goodputs(&configurations, &FLAVORS, &table, GRADIENT, 16);
    let all = configurations.iter().zip(goodputs).filter(|(_, goodput)| *goodput > 0.0);
    all.map(|(c, goodput)| (c.flavor, c.gpus, goodput)).collect()
}

fn observe(learner: &mut Learner, flavor: usize, gpus: u32, local_batch: u32) -> News {
    let shape = Shape::filled(gpus, 4);
    let model = model();
    let times = model.step_times[flavor].as_ref().expect("it was measured");
    let times = times.at(&shape, local_batch).expect("it was measured");
    learner.observe(flavor, Observed { nodes: shape.nodes(), gpus, local_batch, times })
}

#[test]
fn a_program_nothing_is_known_of_gets_one_gpu_of_any_flavor() {
    assert_eq!(allowed(&Learner::new(vec![100.0, 300.0])), [(0, 1, 1.0), (1, 1, 1.0)]);
}

#[test]
fn what_ran_may_double_and_the_other_flavor_is_judged_by_the_profile() {
    let mut learner = Learner::new(vec![100.0, 300.0]);
    assert_eq!(observe(&mut learner, 0, 1, 16), News::Learnt);
    assert_eq!(observe(&mut learner, 0, 1, 16), News::None);
    let had = allowed(&learner);
    let which: Vec<(usize, u32)> = had.iter().map(|one| (one.0, one.1)).collect();
    assert_eq!(which, [(0, 1), (0, 2), (1, 1), (1, 2)]);
    assert!((had[2].2 / had[0].2 - 3.0).abs() < 1e-9, "{had:?}");
}

#[test]
fn what_was_learnt_is_close_to_the_truth() {
    let mut learner = Learner::new(vec![100.0, 300.0]);
    for (gpus, local_batch) in [(1, 16), (1, 32), (2, 16), (2, 64), (4, 16), (4, 32), (8, 16)] {
        observe(&mut learner, 0, gpus, local_batch);
    }
    let model = model();
    for (flavor, gpus, goodput) in allowed(&learner).into_iter().filter(|one| one.0 == 0) {
        let list = candidates(&model, flavor, &Shape::filled(gpus, 4));
        let (_, truth) = best(&list, GRADIENT, 16, |c| c.step_s).expect("there are candidates");
        assert!((goodput / truth).ln().abs() < 0.2, "{gpus} GPUs: {goodput} for {truth}");
    }
}
