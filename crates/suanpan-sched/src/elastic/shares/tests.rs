use super::*;
use proptest::prelude::*;

fn total(claims: &[Claim], shares: &[Vec<f64>]) -> f64 {
    let rows = claims.iter().zip(shares);
    rows.flat_map(|(claim, row)| claim.rates.iter().zip(row).map(|(r, x)| r * x)).sum()
}

#[test]
fn like_jobs_get_like_shares() {
    let claim = Claim { gpus: 4.0, rates: vec![2.0, 3.0] };
    let shares = shares(&vec![claim; 3], &[4.0, 4.0]);
    for row in &shares {
        assert_eq!(row, &shares[0]);
        assert!((row[0] - 1.0 / 3.0).abs() < 1e-4 && (row[1] - 1.0 / 3.0).abs() < 1e-4, "{row:?}");
    }
}

#[test]
fn each_job_runs_where_it_gains_most() {
    let claims =
        [Claim { gpus: 1.0, rates: vec![1.0, 10.0] }, Claim { gpus: 1.0, rates: vec![1.0, 2.0] }];
    assert_eq!(shares(&claims, &[1.0, 1.0]), [[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(shares(&[], &[1.0]), Vec::<Vec<f64>>::new());
}

fn claims() -> impl Strategy<Value = (Vec<Claim>, Vec<f64>)> {
    (1usize..4).prop_flat_map(|flavors| {
        let rates = prop::collection::vec(0.01f64..30.0, flavors);
        let claim = (1u32..17, rates).prop_map(|(gpus, rates)| Claim { gpus: gpus.into(), rates });
        let capacity = prop::collection::vec((1u32..33).prop_map(f64::from), flavors);
        (prop::collection::vec(claim, 1..30), capacity)
    })
}

proptest! {
    #[test]
    fn nothing_is_given_twice((claims, capacity) in claims()) {
        let shares = shares(&claims, &capacity);
        for row in &shares {
            prop_assert!(row.iter().sum::<f64>() <= 1.0 + 1e-4);
            prop_assert!(row.iter().all(|x| (0.0..=1.0).contains(x)));
        }
        for (flavor, all) in capacity.iter().enumerate() {
            let used: f64 = claims.iter().zip(&shares).map(|(c, row)| c.gpus * row[flavor]).sum();
            prop_assert!(used <= all + 1e-3 * claims.len() as f64, "{used} of {all}");
        }
    }

    /// As every rate is positive, a GPU is idle only if every job runs all the time.
    #[test]
    fn shares_sum_to_the_capacity_or_to_all_time((claims, capacity) in claims()) {
        let shares = shares(&claims, &capacity);
        let short = shares.iter().any(|row| row.iter().sum::<f64>() < 1.0 - 1e-3);
        for (flavor, all) in capacity.iter().enumerate() {
            let used: f64 = claims.iter().zip(&shares).map(|(c, row)| c.gpus * row[flavor]).sum();
            let slack = 1e-3 * (1.0 + claims.len() as f64);
            prop_assert!(!short || used >= all - slack, "{used} of {all}");
        }
    }

    /// No other feasible shares do more: tried are those that take jobs in a random order, each
    /// where most is left.
    #[test]
    fn nothing_does_more((claims, capacity) in claims(), order in any::<u64>()) {
        let best = total(&claims, &shares(&claims, &capacity));
        let mut left = capacity.clone();
        let mut done = 0.0;
        for k in 0..claims.len() {
            let claim = &claims[(k + order as usize) % claims.len()];
            let mut time = 1.0f64;
            let mut flavors: Vec<usize> = (0..left.len()).collect();
            flavors.sort_by(|&a, &b| claim.rates[b].total_cmp(&claim.rates[a]));
            for flavor in flavors {
                let x = time.min(left[flavor] / claim.gpus);
                left[flavor] -= x * claim.gpus;
                time -= x;
                done += x * claim.rates[flavor];
            }
        }
        prop_assert!(best >= done - 1e-3 * (1.0 + done), "{best} < {done}");
    }
}
