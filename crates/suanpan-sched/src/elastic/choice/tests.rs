use super::*;
use proptest::prelude::*;

/// All choices, one after the other.
fn brute_force(jobs: &[Costs], configurations: &[Configuration], capacity: &[u32]) -> f64 {
    let Some((first, rest)) = jobs.split_first() else { return 0.0 };
    let mut least = first.none + brute_force(rest, configurations, capacity);
    for (cost, c) in first.of.iter().zip(configurations) {
        if c.gpus <= capacity[c.flavor] && cost.is_finite() {
            let mut left = capacity.to_vec();
            left[c.flavor] -= c.gpus;
            least = least.min(cost + brute_force(rest, configurations, &left));
        }
    }
    least
}

fn feasible(choice: &[Option<usize>], configurations: &[Configuration], capacity: &[u32]) -> bool {
    left(choice, configurations, capacity).iter().all(|&gpus| gpus >= 0)
}

fn configurations() -> Vec<Configuration> {
    let flavors = [(0, 1), (0, 2), (0, 4), (1, 1), (1, 2)];
    flavors.into_iter().map(|(flavor, gpus)| Configuration { flavor, gpus }).collect()
}

/// Costs as Sia's: falling in goodput, some configurations not allowed.
fn jobs(most: usize) -> impl Strategy<Value = Vec<Costs>> {
    let cost = prop_oneof![9 => 0.05f64..1.1, 1 => Just(f64::INFINITY)];
    let one = prop::collection::vec(cost, 5).prop_map(|of| Costs { of, none: 1.1 });
    prop::collection::vec(one, 0..most)
}

proptest! {
    #[test]
    fn the_exact_choice_is_the_cheapest_of_all(jobs in jobs(6), a in 0u32..7, b in 0u32..5) {
        let (configurations, capacity) = (configurations(), [a, b]);
        let choice = choose_exactly(&jobs, &configurations, &capacity);
        prop_assert!(feasible(&choice, &configurations, &capacity));
        let least = brute_force(&jobs, &configurations, &capacity);
        prop_assert!((cost(&jobs, &choice) - least).abs() < 1e-9);
    }

    /// Never over the capacity, and over the cheapest by at most what one job costs for each
    /// flavor and a fiftieth: a basic solution of the linear relaxation divides so many jobs at
    /// most, and the prices that are searched for are near its own.
    #[test]
    fn the_choice_by_prices_is_close(
        jobs in prop_oneof![9 => jobs(40), 1 => jobs(400)],
        a in 1u32..80,
        b in 1u32..40,
    ) {
        let (configurations, capacity) = (configurations(), [a, b]);
        let exact = cost(&jobs, &choose_exactly(&jobs, &configurations, &capacity));
        let choice = choose_by_prices(&jobs, &configurations, &capacity);
        prop_assert!(feasible(&choice, &configurations, &capacity));
        let close = cost(&jobs, &choice);
        prop_assert!(close >= exact - 1e-9);
        let one_job_each = 1.1 * capacity.len() as f64;
        prop_assert!(close <= 1.02 * exact + one_job_each, "{close} against {exact}");
    }
}

#[test]
fn a_pinned_job_keeps_its_configuration() {
    let mut pinned = Costs { of: vec![f64::INFINITY; 5], none: f64::INFINITY };
    pinned.of[2] = 0.0;
    let eager = Costs { of: vec![0.5, 0.3, 0.1, 0.5, 0.3], none: 1.1 };
    for choose in [choose_exactly, choose_by_prices] {
        let choice = choose(&[eager.clone(), pinned.clone()], &configurations(), &[4, 2]);
        assert_eq!(choice, [Some(4), Some(2)]);
    }
}
