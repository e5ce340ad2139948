use super::*;
use proptest::prelude::*;

fn observed(truth: &Performance, shapes: &[(u32, u32)], batches: &[u32]) -> Vec<Observed> {
    let mut all = Vec::new();
    for &(nodes, gpus) in shapes {
        for &local_batch in batches {
            let split = Split { local_batch, accumulated: 0 };
            let step_s = truth.step_s(nodes, gpus, split);
            let compute = truth.0[COMPUTE] + truth.0[COMPUTE + 1] * f64::from(local_batch);
            let times = Times { step_s, sync_s: step_s - compute };
            all.push(Observed { nodes, gpus, local_batch, times });
        }
    }
    all
}

proptest! {
    /// What a program of such a kind does is predicted within a fifth where it was not seen.
    #[test]
    fn a_fit_predicts_what_was_not_seen(
        (fixed, each) in (0.01f64..0.2, 0.0005f64..0.01),
        (across, inside) in (0.02f64..0.3, 0.005f64..0.05),
    ) {
        let truth = Performance([fixed, each, across, 0.001, inside, 0.0005, 1.5]);
        let seen = observed(&truth, &[(1, 1), (1, 2), (1, 4), (2, 8), (3, 12)], &[16, 32, 64]);
        let fitted = Performance::default().fitted(&seen);
        for probe in observed(&truth, &[(1, 3), (2, 6), (4, 16)], &[24, 48]) {
            let split = Split { local_batch: probe.local_batch, accumulated: 0 };
            let predicted = fitted.step_s(probe.nodes, probe.gpus, split);
            let off = (predicted / probe.times.step_s).ln().abs();
            prop_assert!(off < 0.2, "{predicted} for {probe:?}");
        }
    }

    #[test]
    fn any_observations_give_a_sound_model(
        steps in prop::collection::vec(
            (1u32..4, 1u32..9, 1u32..1000, 1e-4f64..1e3, 0.0f64..1.0),
            0..20,
        ),
    ) {
        let seen: Vec<Observed> = steps
            .into_iter()
            .map(|(nodes, per_node, local_batch, step_s, part)| Observed {
                nodes,
                gpus: nodes * per_node,
                local_batch,
                times: Times { step_s, sync_s: part * step_s },
            })
            .collect();
        let fitted = Performance::default().fitted(&seen);
        prop_assert!((1.0..=OVERLAP_MOST).contains(&fitted.0[OVERLAP]));
        for (nodes, gpus) in [(1, 1), (1, 8), (4, 32)] {
            let step_s = fitted.step_s(nodes, gpus, Split { local_batch: 32, accumulated: 1 });
            prop_assert!(step_s.is_finite() && step_s > 0.0, "{fitted:?}");
        }
    }
}

#[test]
fn one_step_on_one_gpu_already_predicts_it() {
    let times = Times { step_s: 0.2, sync_s: 0.0 };
    let one = Observed { nodes: 1, gpus: 1, local_batch: 32, times };
    let fitted = Performance::default().fitted(&[one]);
    let predicted = fitted.step_s(1, 1, Split { local_batch: 32, accumulated: 0 });
    assert!((predicted / 0.2 - 1.0).abs() < 0.02, "{predicted}");
    let doubled = fitted.step_s(1, 1, Split { local_batch: 64, accumulated: 0 });
    assert!(doubled < 0.33, "half of it is taken for constant: {doubled}");
}
