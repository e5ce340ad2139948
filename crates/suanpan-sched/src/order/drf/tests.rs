use super::{Tenant, WhenFull, dominant_resource, dominant_share, fill, next};
use crate::order::ratio::Ratio;
use proptest::prelude::*;

const MANY: u64 = 1_000_000;

fn tenant(demand: &[u64], weight: u32) -> Tenant {
    Tenant {
        used: vec![0; demand.len()],
        demand: demand.to_vec(),
        weights: vec![weight; demand.len()],
        tasks: MANY,
    }
}

fn tasks(tenant: &Tenant) -> u64 {
    MANY - tenant.tasks
}

/// Section 4.1 of the paper: 9 CPUs and 18 GB; A's tasks need 1 CPU and 4 GB, B's 3 CPUs and 1 GB.
/// Table 1 has the order of service: B A B A A, or A first where shares are equal.
#[test]
fn the_papers_example_comes_out() {
    let capacity = [9, 18];
    let mut tenants = [tenant(&[1, 4], 1), tenant(&[3, 1], 1)];
    assert_eq!(next(&tenants, &capacity, &capacity), Some(0), "the first of equals");
    let served = fill(&mut tenants, &capacity, WhenFull::Stop);
    assert_eq!(served, [0, 1, 0, 1, 0]);
    assert_eq!([tasks(&tenants[0]), tasks(&tenants[1])], [3, 2]);
    let share = |tenant: &Tenant| dominant_share(&tenant.used, &tenant.weights, &capacity);
    assert_eq!([share(&tenants[0]), share(&tenants[1])], [Ratio::new(2, 3); 2]);
    assert_eq!(dominant_resource(&tenants[0].used, &[1, 1], &capacity), Some(1), "A: memory");
    assert_eq!(dominant_resource(&tenants[1].used, &[1, 1], &capacity), Some(0), "B: CPU");
}

#[test]
fn weights_scale_shares() {
    let mut tenants = [tenant(&[1], 3), tenant(&[1], 1)];
    fill(&mut tenants, &[100], WhenFull::Next);
    assert_eq!([tasks(&tenants[0]), tasks(&tenants[1])], [75, 25]);
}

#[test]
fn without_weight_one_is_served_last() {
    let mut tenants = [tenant(&[10], 0), tenant(&[30], 1)];
    tenants[1].tasks = 2;
    let served = fill(&mut tenants, &[100], WhenFull::Next);
    // Nobody has anything at first, so the first of equals has one.
    assert_eq!(served, [0, 1, 1, 0, 0, 0]);
}

#[test]
fn full_for_one_is_not_full_for_all() {
    let capacity = [10, 10];
    let stop = |when| {
        let mut tenants = [tenant(&[4, 0], 1), tenant(&[0, 3], 1)];
        fill(&mut tenants, &capacity, when);
        [tasks(&tenants[0]), tasks(&tenants[1])]
    };
    assert_eq!(stop(WhenFull::Stop), [2, 3]);
    assert_eq!(stop(WhenFull::Next), [2, 3]);
    let mut tenants = [tenant(&[6, 0], 1), tenant(&[0, 2], 1)];
    fill(&mut tenants, &capacity, WhenFull::Stop);
    assert_eq!([tasks(&tenants[0]), tasks(&tenants[1])], [1, 3], "A is next at 6/10 and is stuck");
}

fn demands(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<u64>>> {
    prop::collection::vec(prop::collection::vec(1u64..20, 3), count)
}

/// Largest part of a resource that one task of each takes, all added up.
fn steps(demands: &[Vec<u64>], capacity: &[u64]) -> f64 {
    let share = |demand: &Vec<u64>| {
        let parts = demand.iter().zip(capacity).map(|(d, c)| *d as f64 / *c as f64);
        parts.fold(0.0, f64::max)
    };
    demands.iter().map(share).sum()
}

const CAPACITY: [u64; 3] = [4_000, 3_000, 5_000];

fn filled(demands: &[Vec<u64>]) -> Vec<Tenant> {
    let mut tenants: Vec<Tenant> = demands.iter().map(|demand| tenant(demand, 1)).collect();
    fill(&mut tenants, &CAPACITY, WhenFull::Next);
    tenants
}

proptest! {
    #[test]
    fn nothing_is_over_allocated_and_nothing_more_fits(demands in demands(1..6)) {
        let tenants = filled(&demands);
        let mut free = CAPACITY;
        for (r, left) in free.iter_mut().enumerate() {
            let used: u64 = tenants.iter().map(|tenant| tenant.used[r]).sum();
            prop_assert!(used <= *left);
            *left -= used;
        }
        // Pareto: nobody can have one more task without another losing something.
        prop_assert_eq!(next(&tenants, &CAPACITY, &free), None);
    }

    /// Nobody is worse off than with an equal part of everything, up to the size of a task.
    #[test]
    fn sharing_is_no_loss(demands in demands(1..6)) {
        let slack = steps(&demands, &CAPACITY);
        for tenant in filled(&demands) {
            let share = dominant_share(&tenant.used, &tenant.weights, &CAPACITY).to_f64();
            prop_assert!(share + slack >= 1.0 / demands.len() as f64, "{share} of {slack}");
        }
    }

    /// Who asks for something else than it needs can run no more of its tasks, up to their size.
    #[test]
    fn lying_does_not_pay(demands in demands(2..6), lie in prop::collection::vec(1u64..40, 3)) {
        let honest = tasks(&filled(&demands)[0]);
        let mut told = demands.clone();
        told[0] = lie.clone();
        let got = &filled(&told)[0].used;
        let useful = got.iter().zip(&demands[0]).map(|(got, need)| got / need).min();
        let most = steps(&demands, &CAPACITY) + steps(&told, &CAPACITY);
        let slack = most / steps(&demands[..1], &CAPACITY) + 1.0;
        prop_assert!(useful.unwrap_or(0) as f64 <= honest as f64 + slack);
    }

    /// Nobody would rather have what another has, up to a task.
    #[test]
    fn nobody_envies(demands in demands(2..6)) {
        let tenants = filled(&demands);
        for one in &tenants {
            for other in &tenants {
                let with = other.used.iter().zip(&one.demand).map(|(has, need)| has / need).min();
                let own = steps(std::slice::from_ref(&one.demand), &CAPACITY);
                let slack = steps(&demands, &CAPACITY) / own + 1.0;
                prop_assert!(with.unwrap_or(0) as f64 <= tasks(one) as f64 + slack);
            }
        }
    }
}
