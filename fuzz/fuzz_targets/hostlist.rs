//! Node lists: no text panics, and what is read stands for the same names when it is printed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_model::hostlist::Hostlist;

fuzz_target!(|text: &str| {
    let Ok(list) = text.parse::<Hostlist>() else { return };
    let names = list.expand();
    assert_eq!(names.len() as u64, list.count());
    assert_eq!(list.to_string().parse().as_ref(), Ok(&list));
    assert_eq!(Hostlist::compress(&names).expand(), names);
});
