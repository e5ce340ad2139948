//! Programs small enough to solve by hand.

use super::*;
use proptest::prelude::*;

fn claim(gpus: f64, rates: &[f64]) -> Claim {
    Claim { gpus, rates: rates.to_vec() }
}

/// What each claim gets, against an equal split.
fn levels(claims: &[Claim], capacity: &[f64], shares: &[Vec<f64>]) -> Vec<f64> {
    let all: f64 = capacity.iter().sum();
    let level = |(claim, share): (&Claim, &Vec<f64>)| {
        let equal: f64 = claim.rates.iter().zip(capacity).map(|(r, c)| r * c / all).sum();
        claim.gpus * claim.rates.iter().zip(share).map(|(r, x)| r * x).sum::<f64>() / equal
    };
    claims.iter().zip(shares).map(level).collect()
}

#[test]
fn each_of_two_gets_the_flavor_that_suits_it() {
    // Each runs three times as fast on a flavor of its own: half of three and half of one is two,
    // so with that flavor alone it gets on one and a half times as well.
    let claims = [claim(1.0, &[1.0, 3.0]), claim(1.0, &[3.0, 1.0])];
    let shares = max_min_shares(&claims, &[1.0, 1.0]);
    let levels = levels(&claims, &[1.0, 1.0], &shares);
    assert!(levels.iter().all(|level| (level - 1.5).abs() < 1e-9), "{levels:?}");
    assert!((shares[0][1] - 1.0).abs() < 1e-9 && shares[0][0].abs() < 1e-9, "{shares:?}");
}

#[test]
fn like_jobs_share_alike_and_a_job_that_fits_nowhere_stops_nobody() {
    let claims = [claim(1.0, &[2.0]), claim(4.0, &[0.0]), claim(1.0, &[2.0]), claim(1.0, &[2.0])];
    let shares = max_min_shares(&claims, &[2.0]);
    for index in [0, 2, 3] {
        assert!((shares[index][0] - 2.0 / 3.0).abs() < 1e-9, "{shares:?}");
    }
    assert!(max_min_shares(&[], &[1.0]).is_empty());
}

proptest! {
    /// Nothing is given out twice, and nobody gets less than by an equal split in turns: that is
    /// always possible, so the best of the worst is not below it.
    #[test]
    fn the_worst_off_is_not_worse_off_than_by_turns(
        jobs in prop::collection::vec((1_u32..5, prop::collection::vec(1_u32..100, 3)), 1..14),
        capacity in prop::collection::vec(4_u32..20, 3),
    ) {
        let capacity: Vec<f64> = capacity.into_iter().map(f64::from).collect();
        let claims: Vec<Claim> = jobs
            .iter()
            .map(|(gpus, rates)| Claim {
                gpus: f64::from(*gpus),
                rates: rates.iter().map(|rate| f64::from(*rate)).collect(),
            })
            .collect();
        let shares = max_min_shares(&claims, &capacity);
        for (flavor, gpus) in capacity.iter().enumerate() {
            let used: f64 = claims.iter().zip(&shares).map(|(c, x)| c.gpus * x[flavor]).sum();
            prop_assert!(used <= gpus + 1e-6);
        }
        for share in &shares {
            prop_assert!(share.iter().sum::<f64>() <= 1.0 + 1e-6);
        }
        let all: f64 = capacity.iter().sum();
        let asked: f64 = claims.iter().map(|claim| claim.gpus).sum();
        let widest = claims.iter().map(|claim| claim.gpus).fold(0.0, f64::max);
        // Every job takes its turns for the same part of the time.
        let turn = (all / asked).min(1.0);
        let least = levels(&claims, &capacity, &shares).into_iter().fold(f64::MAX, f64::min);
        let narrowest = claims.iter().map(|claim| claim.gpus).fold(widest, f64::min);
        prop_assert!(least >= turn * narrowest - 1e-6, "{least} of {turn}");
    }
}
