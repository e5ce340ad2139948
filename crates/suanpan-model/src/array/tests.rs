use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn spec(text: &str) -> ArraySpec {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn reads_and_prints() {
    for (text, shown, count) in [
        ("0-15%4", "0-15%4", 16),
        ("1-7:2", "1-7:2", 4),
        ("1-8:2", "1-7:2", 4),
        ("1,3,5", "1-5:2", 3),
        ("5,3,1", "1-5:2", 3),
        ("1,2", "1-2", 2),
        ("1,3", "1,3", 2),
        ("1-4,3-8,20", "1-8,20", 9),
        ("0-8:2,1-9:2", "0-9", 10),
        ("7,7,7", "7", 1),
        ("1-7:2,9", "1-9:2", 5),
        ("[1-3]%0", "1-3", 3),
        ("4294967294", "4294967294", 1),
        ("1-1000000", "1-1000000", 1_000_000),
        ("0-4294967294:1000000", "0-4294000000:1000000", 4_295),
    ] {
        let array = spec(text);
        assert_eq!((array.to_string().as_str(), array.count()), (shown, count), "{text}");
    }
    assert_eq!(spec("1-10000000").runs.len(), 1);
    assert_eq!((spec("1-7:2").step(), spec("1-7:2,100").step()), (2, 1));
}

#[test]
fn refuses_by_name() {
    for (text, why) in [
        ("", "indices such as"),
        ("a", "indices such as"),
        ("1-", "indices such as"),
        ("-1", "indices such as"),
        ("1,,2", "indices such as"),
        ("7-1", "smaller to the larger"),
        ("1-7:0", "step of at least 1"),
        ("3:2", "a range before the step"),
        ("1%x", "after %"),
        ("1%", "after %"),
        ("1%2%3", "after %"),
        ("4294967295", "up to 4294967294"),
        ("0-10000000", "at most 10000000 tasks"),
        ("1-5000000,2-6000000", "at most 10000000 tasks"),
        ("0-4000000:3,1-4000000:7", "overlapping ranges"),
    ] {
        let error = text.parse::<ArraySpec>().expect_err(text);
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// How many indices had to be listed to find the runs.
fn listed_for(text: &str) -> u64 {
    let mut ranges: Vec<Run> =
        text.split(',').map(|part| read_range(part).expect("a range")).collect();
    ranges.sort_by_key(|range| (range.start, range.last()));
    union(&ranges).expect("not too many").1
}

#[test]
fn overlapping_ranges_are_not_listed_where_they_make_long_runs() {
    let thousandths: Vec<String> = (0..1_000).map(|k| format!("{k}-9999999:1000")).collect();
    let nested: Vec<String> =
        (0..500).map(|k| format!("{k}-{}:{}", 900_000 - k, 2 + k % 7)).collect();
    let twins = ["3-3000000:3"; 3].join(",");
    for (text, shown, work) in [
        ("1-333303,2-12:2", "1-333303", 20),
        ("1-5000000,2-5000000:7", "1-5000000", 20),
        ("1-1000000,2-1000000:999983", "1-1000000", 20),
        ("1-2000000:2,2-2000000:2", "1-2000000", 40),
        ("0-3999999:4,2-3999999:4", "0-3999998:2", 40),
        ("0-2999999:3,1-2999999:3,2-2999999:3", "0-2999999", 60),
        ("0-2999999:2,1-2999999:4,3-2999999:4,5-2999999:99991", "0-2999999", 100),
        ("0-4000000:4,2-4000000:400000", "", 400),
        (&twins, "3-3000000:3", 60),
        (&thousandths.join(","), "0-9999999", 5_000),
        (&format!("0-999999,{}", nested[..9].join(",")), "0-999999", 2_000),
    ] {
        let listed = listed_for(text);
        assert!(listed <= work, "{}: {listed} indices listed", &text[..text.len().min(40)]);
        if !shown.is_empty() {
            assert_eq!(spec(text).to_string(), shown);
        }
    }
}

fn lists() -> impl Strategy<Value = String> {
    let range = (0u32..60, 0u32..20, 1u32..5).prop_map(|(start, length, step)| match length {
        0 => format!("{start}"),
        _ if step == 1 => format!("{start}-{}", start + length),
        _ => format!("{start}-{}:{step}", start + length),
    });
    prop::collection::vec(range, 1..6).prop_map(|ranges| ranges.join(","))
}

fn listed(text: &str) -> BTreeSet<u32> {
    let mut set = BTreeSet::new();
    for part in text.split(',') {
        let run = read_range(part).expect("made by the strategy");
        set.extend((0..run.count).map(|k| run.start + run.step * k));
    }
    set
}

/// Ranges long enough to be extended rather than listed, with steps that fit together or not.
fn long_lists() -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec![1u32, 2, 2, 3, 3, 4, 4, 6, 6, 8, 12, 50, 97]);
    let range = (0u32..30, 0u32..2_000, step);
    let range =
        range.prop_map(|(start, length, step)| format!("{start}-{}:{step}", start + length));
    prop::collection::vec(range, 2..9).prop_map(|ranges| ranges.join(","))
}

proptest! {
    #[test]
    fn long_ranges_agree_with_a_plain_set(text in long_lists()) {
        let (array, model) = (spec(&text), listed(&text));
        prop_assert!(array.iter().eq(model.iter().copied()), "{} is {}", text, array);
        // The runs do not depend on how they were found.
        let typed: Vec<String> = model.iter().map(u32::to_string).collect();
        prop_assert_eq!(&spec(&typed.join(",")), &array);
    }

    #[test]
    fn agrees_with_a_plain_set(text in lists()) {
        let (array, model) = (spec(&text), listed(&text));
        let indices: Vec<u32> = model.iter().copied().collect();
        prop_assert_eq!(array.iter().collect::<Vec<_>>(), indices.clone());
        prop_assert_eq!(array.count(), indices.len() as u64);
        prop_assert_eq!((array.min(), array.max()), (indices[0], indices[indices.len() - 1]));
        for (position, index) in indices.iter().enumerate() {
            prop_assert_eq!(array.nth(position as u64), Some(*index));
            prop_assert_eq!(array.position(*index), Some(position as u64));
        }
        prop_assert_eq!(array.nth(array.count()), None);
        for index in 0..100 {
            prop_assert_eq!(array.contains(index), model.contains(&index));
        }
        // However it was typed, the same set has the same form.
        let typed: Vec<String> = indices.iter().rev().map(u32::to_string).collect();
        prop_assert_eq!(&spec(&typed.join(",")), &array);
        prop_assert_eq!(&spec(&array.to_string()), &array);
        let json = serde_json::to_string(&array).expect("serializes");
        prop_assert_eq!(&serde_json::from_str::<ArraySpec>(&json).expect("reads back"), &array);
    }

    #[test]
    fn never_panics(text in "[-0-9:,%\\[\\]]{0,30}|.*") {
        if let Ok(array) = text.parse::<ArraySpec>() {
            prop_assert_eq!(array.to_string().parse::<ArraySpec>(), Ok(array));
        }
    }
}
