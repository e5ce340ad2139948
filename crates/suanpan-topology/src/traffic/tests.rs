use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::testing::shared;

#[test]
fn a_matrix_reads_and_turns_both_ways() {
    let traffic = parse_csv("# bytes\na,b,c\n5,1,0\n2,0,1.5e3\n0,0,0\n").expect("it is right");
    assert_eq!(traffic.ranks(), 3);
    assert_eq!((traffic.between(0, 1), traffic.between(1, 0), traffic.total()), (1, 2, 1503));
    let both = traffic.both_ways();
    assert_eq!((both.between(0, 1), both.between(1, 0), both.between(2, 1)), (3, 3, 1500));
    assert_eq!((both.total(), both.entries(), both.flow()), (1503, 4, Flow::BothWays));
}

#[test]
fn a_bad_matrix_is_told_by_line_and_column() {
    for (text, line, field) in [
        ("1,2\n3\n", 2, "row"),
        ("1,2\n3,x\n", 2, "column 2"),
        ("1,-2\n3,4\n", 1, "column 2"),
        ("1,2\n", 0, "matrix"),
        ("1,nan\n3,4\n", 1, "column 2"),
    ] {
        let problem = parse_csv(text).expect_err(text);
        assert_eq!((problem.line, problem.field.as_str()), (line, field), "{problem}");
    }
}

/// The 70B-like job: rings of 8 over TP and over DP, neighbors along PP.
#[test]
fn the_language_model_of_the_shared_data_has_its_structure() {
    let (Some(graph), Some(order)) = (
        shared("fabric/comm/llm_tp8dp8pp8_512.graph"),
        shared("fabric/comm/llm_tp8dp8pp8_512.rankorder"),
    ) else {
        return;
    };
    let order: Vec<u32> = order.split_whitespace().map(|w| w.parse().expect("a rank")).collect();
    let traffic = Traffic::parse_metis(&graph)
        .and_then(|traffic| traffic.renumbered(&order))
        .expect("the file is right");
    assert_eq!((traffic.ranks(), traffic.entries()), (512, 2 * 1472));
    let mut pairs: BTreeMap<(u64, u32), usize> = BTreeMap::new();
    for rank in 0..512 {
        for (peer, bytes) in traffic.peers(rank) {
            if peer > rank as u32 {
                *pairs.entry((bytes, peer - rank as u32)).or_default() += 1;
            }
        }
    }
    let expected = [((9, 64), 448), ((127, 8), 448), ((127, 56), 64)];
    let expected = expected.into_iter().chain([((2000, 1), 448), ((2000, 7), 64)]);
    assert!(pairs.into_iter().eq(expected));
}

proptest! {
    #[test]
    fn entries_are_kept_and_renumbering_goes_back(
        entries in proptest::collection::vec((0_u32..9, 0_u32..9, 0_u64..100), 0..40),
        order in Just((0_u32..9).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        for flow in [Flow::Directed, Flow::BothWays] {
            let traffic = Traffic::from_entries(9, flow, entries.clone()).expect("ranks exist");
            let sent: u128 =
                entries.iter().filter(|e| e.0 != e.1).map(|e| u128::from(e.2)).sum();
            prop_assert_eq!(traffic.total(), sent);
            prop_assert_eq!(traffic.both_ways().total(), sent);
            let mut back = vec![0; 9];
            for (old, &new) in order.iter().enumerate() {
                back[new as usize] = old as u32;
            }
            let renumbered = traffic.renumbered(&order).expect("a permutation");
            prop_assert_eq!(renumbered.renumbered(&back).expect("a permutation"), traffic);
        }
    }

    #[test]
    fn no_matrix_makes_it_panic(text in "([0-9,. \\n]|\\PC){0,60}") {
        let _ = parse_csv(&text);
    }
}
