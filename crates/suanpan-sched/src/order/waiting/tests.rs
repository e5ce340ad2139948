//! The list against a plain sorted vector.

use super::*;
use proptest::prelude::*;

fn job(rank: i64, sequence: u64, processors: u32, hold: u64) -> Waiting {
    Waiting { rank, scan_rank: 0, sequence, processors, hold: Seconds(hold), slot: 0 }
}

#[test]
fn a_gap_admits_what_ends_in_time_or_uses_spare_processors() {
    let gap = Gap { free: 8, window: Seconds(100), spare: 2 };
    assert!(gap.admits(8, Seconds(100)) && !gap.admits(8, Seconds(101)));
    assert!(gap.admits(2, Seconds(1_000)) && !gap.admits(9, Seconds(1)));
    assert_eq!(gap.without(8, Seconds(1)), Gap { free: 0, ..gap });
    assert_eq!(gap.without(2, Seconds(500)), Gap { free: 6, spare: 0, ..gap });
}

proptest! {
    #[test]
    fn behaves_as_a_sorted_vector(
        ops in proptest::collection::vec((0..4_u8, 0..9_i64, 1..20_u32, 1..50_u64), 1..600),
    ) {
        let mut list = WaitingList::default();
        let mut naive: Vec<Waiting> = Vec::new();
        for (sequence, (op, rank, processors, hold)) in ops.into_iter().enumerate() {
            if op > 0 {
                let job = job(rank, sequence as u64, processors, hold);
                list.insert(job);
                naive.push(job);
                naive.sort_by_key(|job| (job.rank, job.sequence));
            } else if !naive.is_empty() {
                let at = processors as usize * hold as usize % naive.len();
                let gone = naive.remove(at);
                prop_assert_eq!(list.remove(&gone), Some(gone));
                prop_assert_eq!(list.remove(&gone), None);
            }
            prop_assert_eq!(list.first(), naive.first());
            prop_assert_eq!(list.len(), naive.len());
            let gap = Gap { free: processors, window: Seconds(hold), spare: processors / 2 };
            let mut place = Place::default();
            let mut found = Vec::new();
            while let Some((at, job)) = list.next_fitting(place, &gap) {
                found.push(job);
                place = at.next();
            }
            let expected: Vec<_> = naive
                .iter()
                .filter(|job| gap.admits(job.processors, job.hold))
                .copied()
                .collect();
            prop_assert_eq!(found, expected);
        }
        prop_assert_eq!(list.iter().copied().collect::<Vec<_>>(), naive);
    }
}
