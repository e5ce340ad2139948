use crate::fixtures::{NOW, at, tres};
use crate::plan::floor::{Floor, Scale};
use crate::timeline::NodeLine;

#[test]
fn thresholds_are_the_largest_not_above() {
    let halves: Vec<u64> = (0..9).map(|index| Scale::Halves.amount(index)).collect();
    assert_eq!(halves, [1, 2, 3, 4, 6, 8, 12, 16, 24]);
    let doubles: Vec<u64> = (0..5).map(|index| Scale::Doubles.amount(index)).collect();
    assert_eq!(doubles, [1, 2, 4, 8, 16]);
    for scale in [Scale::Halves, Scale::Doubles] {
        for amount in 1..10_000 {
            let index = scale.threshold(amount);
            assert!(scale.amount(index) <= amount && amount < scale.amount(index + 1));
        }
    }
}

#[test]
fn a_gang_waits_for_its_slowest_resource() {
    let line = |free, ends: Vec<_>| NodeLine::new(NOW, free, tres(0, 0, 0), ends.into_iter());
    let lines = vec![
        line(tres(2, 8, 0), vec![(at(50), tres(6, 0, 1))]),
        line(tres(8, 2, 1), vec![(at(70), tres(0, 14, 0))]),
    ];
    let floor = Floor::new(NOW, &lines, &[0, 1]);
    let start = |amount, count| floor.start(NOW, &amount, count);
    assert_eq!(start(tres(2, 1, 0), 2), Some(NOW));
    assert_eq!(start(tres(5, 1, 0), 2), Some(at(50)));
    assert_eq!(start(tres(5, 4, 0), 2), Some(at(70)));
    assert_eq!(start(tres(1, 1, 1), 1), Some(NOW));
    assert_eq!(start(tres(1, 16, 0), 2), None);
    assert_eq!(start(tres(0, 0, 0), 2), Some(NOW));
    assert_eq!(start(tres(1, 1, 0), 3), None);
    let nodes: Vec<u32> = floor.nodes(NOW, &tres(4, 1, 0), 2).map(|(_, node)| node).collect();
    assert_eq!(nodes, [1, 0]);
}
