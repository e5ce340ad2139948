use crate::fit::gang::{Rule, Seat, choose};
use crate::fixtures::{NOW, at, tres};
use crate::timeline::{Need, NodeLine};
use suanpan_model::time::Seconds;
use suanpan_model::tres::Tres;

fn lines(free: &[u32]) -> Vec<NodeLine> {
    free.iter()
        .map(|&cpus| NodeLine::new(NOW, tres(cpus, 8, 0), Tres::default(), [].into_iter()))
        .collect()
}

fn chosen(
    free: &[u32],
    capacity: &[u32],
    count: usize,
    required: &[u32],
    rule: Rule,
) -> Option<Vec<u32>> {
    let need = Need { count, hold: Seconds(60), required };
    let seat = |node: u32| -> Seat {
        let capacity: Tres = tres(capacity[node as usize], 8, 0);
        Seat { amount: tres(2, 1, 0), capacity }
    };
    choose(&lines(free), 0..free.len() as u32, &need, at(0), rule, seat)
}

#[test]
fn best_fit_leaves_least_and_settled_takes_small_nodes() {
    let (free, capacity) = ([8, 3, 1, 2, 3], [8, 4, 2, 16, 4]);
    assert_eq!(chosen(&free, &capacity, 2, &[], Rule::BestFit), Some(vec![1, 3]));
    assert_eq!(chosen(&free, &capacity, 2, &[], Rule::Settled), Some(vec![1, 4]));
    assert_eq!(chosen(&free, &capacity, 2, &[0], Rule::BestFit), Some(vec![0, 3]));
    assert_eq!(chosen(&free, &capacity, 4, &[], Rule::Settled), Some(vec![0, 1, 3, 4]));
}

#[test]
fn all_or_nothing() {
    assert_eq!(chosen(&[8, 1], &[8, 8], 2, &[], Rule::BestFit), None);
    assert_eq!(chosen(&[8, 1, 8], &[8, 8, 8], 2, &[1], Rule::Settled), None);
}
