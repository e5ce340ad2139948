use crate::fixtures::{NOW, at, tres};
use crate::timeline::{Need, NodeLine, earliest_gang};
use proptest::prelude::{Just, Strategy, prop, prop_assert_eq};
use proptest::proptest;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

fn cpus(number: u32) -> Tres {
    tres(number, 0, 0)
}

/// 2 CPUs free now, 4 from 100 s, 8 from 200 s.
fn line() -> NodeLine {
    NodeLine::new(NOW, cpus(2), cpus(0), [(at(100), cpus(2)), (at(200), cpus(4))].into_iter())
}

#[test]
fn the_earliest_start_is_found_between_promises() {
    let mut line = line();
    assert_eq!(line.earliest(&cpus(2), Seconds(10)), Some(NOW));
    assert_eq!(line.earliest(&cpus(4), Seconds(10)), Some(at(100)));
    assert_eq!(line.earliest(&cpus(9), Seconds(10)), None);
    line.take(at(200), &cpus(8), Seconds(50));
    assert_eq!(line.earliest(&cpus(4), Seconds(100)), Some(at(100)));
    assert_eq!(line.earliest(&cpus(4), Seconds(101)), Some(at(250)));
    assert_eq!(line.earliest(&cpus(2), Seconds(200)), Some(NOW));
    assert_eq!(line.earliest(&cpus(2), Seconds(201)), Some(at(250)));
    assert_eq!(line.free_for(&cpus(2)), Some(Seconds(200)));
    assert_eq!(line.free_throughout(Seconds(200)), cpus(2));
    assert_eq!(line.free_throughout(Seconds(201)), cpus(0));
    assert_eq!(line.free_at(at(250)), cpus(8));
}

#[test]
fn ends_at_the_same_time_make_one_step() {
    let ends = [(at(5), cpus(1)), (at(5), cpus(2))];
    let line = NodeLine::new(NOW, cpus(0), cpus(0), ends.into_iter());
    assert_eq!(line.len(), 2);
    assert_eq!(line.earliest(&cpus(3), Seconds(1)), Some(at(5)));
}

#[test]
fn a_gang_needs_its_nodes_together() {
    let mut lines = vec![line(), line(), line()];
    lines[0].take(at(200), &cpus(8), Seconds(100));
    let gang = |count, required: &[u32], hold| {
        let need = Need { count, hold: Seconds(hold), required };
        earliest_gang(&lines, (0..3).map(|node| (NOW, node)), &need, |_| cpus(4))
    };
    assert_eq!(gang(3, &[], 100), Some(at(100)));
    assert_eq!(gang(3, &[], 101), Some(at(300)));
    assert_eq!(gang(2, &[], 101), Some(at(100)));
    assert_eq!(gang(2, &[0], 101), Some(at(300)));
    assert_eq!(gang(1, &[0], 101), Some(at(300)));
    assert_eq!(gang(4, &[], 1), None);
}

/// What is free on a node in each second, the slow and plain way.
fn seconds_of(line: &NodeLine) -> Vec<u32> {
    (0..400).map(|second| line.free_at(at(second)).cpus).collect()
}

fn any_line() -> impl Strategy<Value = NodeLine> {
    let ends = prop::collection::vec((1u64..100, 1u32..3), 0..5);
    let promises = prop::collection::vec((0u64..150, 1u32..4, 1u64..60), 0..4);
    (0u32..4, ends, promises, Just(())).prop_map(|(free, mut ends, promises, ())| {
        ends.sort_unstable();
        let ends = ends.into_iter().map(|(second, amount)| (at(second), cpus(amount)));
        let mut line = NodeLine::new(NOW, cpus(free), cpus(0), ends);
        for (from, amount, hold) in promises {
            if line.fits_at(at(from), &cpus(amount), Seconds(hold)) {
                line.take(at(from), &cpus(amount), Seconds(hold));
            }
        }
        line
    })
}

proptest! {
    #[test]
    fn gangs_start_as_a_search_second_by_second_finds(
        lines in prop::collection::vec(any_line(), 1..5),
        count in 1usize..4, amount in 1u32..5, hold in 1u64..80, require_first in prop::bool::ANY,
    ) {
        let free: Vec<Vec<u32>> = lines.iter().map(seconds_of).collect();
        let fits = |node: &Vec<u32>, second: usize| {
            node[second..second + hold as usize].iter().all(|&cpus| cpus >= amount)
        };
        let plain: Option<Timestamp> = (0..300usize)
            .find(|&second| {
                let fitting = free.iter().filter(|node| fits(node, second)).count();
                fitting >= count && (!require_first || fits(&free[0], second))
            })
            .map(|second| at(second as u64));
        let required: &[u32] = if require_first { &[0] } else { &[] };
        let need = Need { count, hold: Seconds(hold), required };
        let nodes = (0..lines.len() as u32).map(|node| (NOW, node));
        let found = earliest_gang(&lines, nodes, &need, |_| cpus(amount));
        prop_assert_eq!(found, plain);
    }
}
