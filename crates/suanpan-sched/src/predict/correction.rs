//! What becomes of a prediction that a job outlives.

use serde::{Deserialize, Serialize};
use suanpan_model::time::Seconds;

/// How a prediction is corrected each time that it is exceeded; never above the requested time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// By 1 minute, then to 5, 15 and 30 minutes, 1, 2, 5, 10, 20, 50 and 100 hours above the first
    /// prediction, then to the requested time (Tsafrir, Etsion and Feitelson, IEEE TPDS 18(6),
    /// 2007, section 3).
    #[default]
    Gradual,
    /// To the requested time at once.
    Requested,
    /// To twice as much.
    Doubling,
}

/// The raises of [`Correction::Gradual`], over the first prediction, in seconds.
const RAISES: [u64; 11] =
    [60, 300, 900, 1_800, 3_600, 7_200, 18_000, 36_000, 72_000, 180_000, 360_000];

impl Correction {
    /// A prediction after one more correction, the `corrections + 1`st.
    #[must_use]
    pub fn corrected(self, predicted: Seconds, corrections: u32, requested: Seconds) -> Seconds {
        let raised = match self {
            Correction::Gradual => gradually(predicted, corrections),
            Correction::Requested => requested,
            Correction::Doubling => Seconds(predicted.0.saturating_mul(2)),
        };
        raised.min(requested)
    }
}

fn gradually(predicted: Seconds, corrections: u32) -> Seconds {
    let step = corrections as usize;
    let Some(raise) = RAISES.get(step) else { return Seconds(u64::MAX) };
    let before = step.checked_sub(1).map_or(0, |step| RAISES[step]);
    Seconds(predicted.0.saturating_sub(before).saturating_add(*raise))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrected(correction: Correction, requested: u64) -> Vec<u64> {
        let mut predicted = Seconds(100);
        (0..13)
            .map(|corrections| {
                predicted = correction.corrected(predicted, corrections, Seconds(requested));
                predicted.0
            })
            .collect()
    }

    #[test]
    fn gradual_raises_count_from_the_first_prediction() {
        let raised = corrected(Correction::Gradual, 1_000_000);
        assert_eq!(raised[..5], [160, 400, 1_000, 1_900, 3_700]);
        assert_eq!(raised[10..], [360_100, 1_000_000, 1_000_000]);
    }

    #[test]
    fn no_correction_exceeds_the_requested_time() {
        assert_eq!(corrected(Correction::Gradual, 500)[..3], [160, 400, 500]);
        assert_eq!(corrected(Correction::Doubling, 500)[..3], [200, 400, 500]);
        assert_eq!(corrected(Correction::Requested, 500)[..2], [500, 500]);
    }
}
