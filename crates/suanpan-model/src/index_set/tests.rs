use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn consecutive_indices_are_one_interval() {
    let mut set = IndexSet::new();
    for index in 0..100_000 {
        assert!(set.insert(index));
    }
    assert_eq!((set.count(), set.intervals.len()), (100_000, 1));
    assert!(!set.insert(5));
    assert!(set.remove(5) && !set.remove(5));
    assert_eq!(set.to_string(), "0-4,6-99999");
    assert_eq!(set.pop_first(), Some(0));
    assert_eq!((set.first(), set.last()), (Some(1), Some(99_999)));
}

#[test]
fn borders_of_the_number_range() {
    let mut set: IndexSet = "0,4294967295".parse().expect("two indices");
    set.insert_range(0..=u32::MAX);
    assert_eq!((set.count(), set.to_string().as_str()), (1 << 32, "0-4294967295"));
    assert!(set.remove(0) && set.remove(u32::MAX));
    assert_eq!(set.to_string(), "1-4294967294");
    let array: ArraySpec = "1-5,7-11:2".parse().expect("an array");
    assert_eq!(IndexSet::from(&array).to_string(), "1-5,7,9,11");
    assert!("5-1".parse::<IndexSet>().is_err());
}

proptest! {
    #[test]
    fn agrees_with_a_plain_set(
        steps in prop::collection::vec((0u8..4, 0u32..40, 0u32..8), 0..60),
        other in prop::collection::btree_set(0u32..40, 0..20),
    ) {
        let (mut set, mut model) = (IndexSet::new(), BTreeSet::new());
        for (kind, index, length) in steps {
            match kind {
                0 => prop_assert_eq!(set.insert(index), model.insert(index)),
                1 => prop_assert_eq!(set.remove(index), model.remove(&index)),
                2 => {
                    set.insert_range(index..=index + length);
                    model.extend(index..=index + length);
                }
                _ => prop_assert_eq!(set.pop_first(), model.pop_first()),
            }
            prop_assert_eq!(set.count(), model.len() as u64);
            prop_assert_eq!(set.first(), model.first().copied());
            prop_assert!(set.iter().eq(model.iter().copied()));
            let ends: Vec<_> = set.intervals().collect();
            prop_assert!(ends.windows(2).all(|w| *w[0].end() + 1 < *w[1].start()));
        }
        prop_assert_eq!(set.to_string().parse::<IndexSet>(), Ok(set.clone()));
        let second: IndexSet = other.iter().copied().collect();
        prop_assert!(set.union(&second).iter().eq(model.union(&other).copied()));
    }

    #[test]
    fn never_panics(text in "[-0-9,]{0,30}|.*") {
        let _ = text.parse::<IndexSet>();
    }
}
