//! Array indices: no text panics, what is read prints and reads back, and its questions agree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_model::array::{ArraySpec, IndexSet};

fuzz_target!(|text: &str| {
    if let Ok(set) = text.parse::<IndexSet>() {
        assert_eq!(set.to_string().parse(), Ok(set));
    }
    let Ok(array) = text.parse::<ArraySpec>() else { return };
    assert_eq!(array.to_string().parse().as_ref(), Ok(&array));
    let count = array.count();
    assert_eq!(array.nth(0), Some(array.min()));
    assert_eq!(array.nth(count - 1), Some(array.max()));
    assert_eq!(array.nth(count), None);
    for (position, index) in array.iter().enumerate().take(1_000) {
        assert_eq!(array.nth(position as u64), Some(index));
        assert_eq!(array.position(index), Some(position as u64));
    }
});
