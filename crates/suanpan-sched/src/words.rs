//! Amounts and lists in words people read.

use std::fmt::Display;
use suanpan_model::memory::Mebibytes;
use suanpan_model::site::Inventory;
use suanpan_model::time::Seconds;
use suanpan_model::walltime::Walltime;

/// `a, b, c`, and after six `and 4 more`.
pub(crate) fn listed<T: Display>(names: &[T]) -> String {
    const SHOWN: usize = 6;
    let mut text = joined(&names[..names.len().min(SHOWN)], ", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// `flavor a`, `flavor a or b`; `any flavor` if nothing is named.
pub(crate) fn either<T: Display>(what: &str, names: &[T]) -> String {
    match names.is_empty() {
        true => format!("any {what}"),
        false => format!("{what} {}", joined(names, " or ")),
    }
}

/// `a and b`.
pub(crate) fn all_of<T: Display>(names: &[T]) -> String {
    joined(names, " and ")
}

fn joined<T: Display>(names: &[T], between: &str) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// `1 node`, `2 nodes`.
pub(crate) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// `64 CPUs on a node`.
pub(crate) fn cpus(number: u32) -> String {
    format!("{} on a node", count(number as usize, "CPU"))
}

/// `16G of memory on a node`.
pub(crate) fn memory(amount: Mebibytes) -> String {
    format!("{amount} of memory on a node")
}

/// `4 GPUs on a node`.
pub(crate) fn gpus(number: u32) -> String {
    format!("{} on a node", count(number as usize, "GPU"))
}

/// `at most 2`, or `none`.
pub(crate) fn at_most(number: u32) -> String {
    match number {
        0 => "none".to_owned(),
        _ => format!("at most {number}"),
    }
}

/// `guiyang`, or `guiyang (cluster gz1)` where the names differ.
pub(crate) fn site(inventory: &Inventory) -> String {
    match inventory.site == inventory.cluster {
        true => inventory.site.clone(),
        false => format!("{} (cluster {})", inventory.site, inventory.cluster),
    }
}

/// A length as time limits are written: `1-02:00:00`.
pub(crate) fn length(length: Seconds) -> String {
    let seconds = u32::try_from(length.0).unwrap_or(u32::MAX);
    Walltime::from_seconds(seconds).map_or_else(|| "00:00:00".to_owned(), |time| time.to_string())
}
