//! Single values.

use crate::text;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use suanpan_model::array::{ArraySpec, IndexSet};
use suanpan_model::dependency::Dependency;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::memory::Mebibytes;
use suanpan_model::walltime::Walltime;

/// What is printed of a value means the same when it is read again.
fn prints_back<T>(text: &str)
where
    T: FromStr<Err: Debug + PartialEq> + Display + Debug + PartialEq,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse(), Ok(value));
    }
}

/// Time limits: no text panics, and what is read prints and reads back.
pub fn walltime(bytes: &[u8]) {
    prints_back::<Walltime>(text(bytes));
}

/// Memory sizes: no text panics, and what is read prints and reads back.
pub fn memory(bytes: &[u8]) {
    prints_back::<Mebibytes>(text(bytes));
}

/// Array indices: no text panics, what is read prints and reads back, and its questions agree.
pub fn array(bytes: &[u8]) {
    let text = text(bytes);
    prints_back::<IndexSet>(text);
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
}

/// Dependencies: no text panics, and what is read prints and reads back.
pub fn dependency(bytes: &[u8]) {
    prints_back::<Dependency>(text(bytes));
}

/// Node lists: no text panics, and what is read stands for the same names when it is printed.
pub fn hostlist(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(list) = text.parse::<Hostlist>() else { return };
    let names = list.expand();
    assert_eq!(names.len() as u64, list.count());
    assert_eq!(list.to_string().parse().as_ref(), Ok(&list));
    assert_eq!(Hostlist::compress(&names).expand(), names);
}
