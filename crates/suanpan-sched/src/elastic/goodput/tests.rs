use super::*;
use crate::elastic::configurations;
use crate::elastic::fixtures::{FLAVORS, model};
use proptest::prelude::*;

#[test]
fn candidates_rise_and_keep_within_what_was_measured() {
    let model = model();
    for c in configurations(&FLAVORS) {
        let list = candidates(&model, c.flavor, &shape(c, &FLAVORS));
        assert!(list.len() > 5, "{c:?}");
        assert!(list.windows(2).all(|pair| pair[0].batch < pair[1].batch));
        for candidate in &list {
            assert!((4..=64).contains(&candidate.split.local_batch), "{candidate:?}");
            assert!((16..=256).contains(&candidate.batch), "{candidate:?}");
            assert_eq!(candidate.batch, candidate.split.batch(c.gpus));
            // One GPU with more than the initial batch goes through it in at least two passes.
            assert!(c.gpus > 1 || candidate.batch == 16 || candidate.split.accumulated > 0);
        }
    }
    assert_eq!(candidates(&model, 7, &Shape::new([1])), [], "there is no such flavor");
}

proptest! {
    /// The noisier the gradient, the larger the best batch.
    #[test]
    fn noise_asks_for_larger_batches(squared in 0.1f64..10.0, variance in 0.1f64..10.0) {
        let model = model();
        let list = candidates(&model, 0, &Shape::new([4, 4]));
        let at = |variance| {
            let gradient = Gradient { squared, variance };
            best(&list, gradient, 16, |candidate| candidate.step_s).expect("there are candidates")
        };
        let ((quiet, _), (noisy, _)) = (at(variance), at(variance * 4.0));
        prop_assert!(quiet.batch <= noisy.batch);
    }
}
