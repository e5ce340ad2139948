//! From numbers of GPUs to nodes.
//!
//! Whole nodes first, then parts of nodes from the largest: with sizes that are powers of two on
//! nodes whose size is one, this always succeeds (Sia, SOSP'23, section 3.2). A job of the same
//! size stays where it is if the rest can still be seated.

use super::{Allocation, Configuration, FlavorNodes};

/// Nodes for each job that was given a configuration. A job that fits no node, for nodes of an odd
/// size, is spread over several; the GPUs of a flavor must suffice in total.
///
/// Cost: jobs × nodes.
///
/// # Panics
/// If the configurations ask for more GPUs of a flavor than it has.
#[must_use]
pub fn pack(
    wanted: &[Option<Configuration>],
    held: &[Option<&Allocation>],
    flavors: &[FlavorNodes],
) -> Vec<Option<Allocation>> {
    let mut packed = vec![None; wanted.len()];
    for (flavor, about) in flavors.iter().enumerate() {
        let mut jobs: Vec<(usize, u32)> = Vec::new();
        for (job, configuration) in wanted.iter().enumerate() {
            if let Some(c) = configuration.filter(|c| c.flavor == flavor) {
                jobs.push((job, c.gpus));
            }
        }
        jobs.sort_by_key(|&(_, gpus)| std::cmp::Reverse(gpus));
        let stays = |job: usize, gpus: u32| {
            held[job].filter(|kept| kept.flavor == flavor && kept.gpus() == gpus)
        };
        let seated = seat(flavor, *about, &jobs, stays, Spread::Never)
            .or_else(|| seat(flavor, *about, &jobs, |_, _| None, Spread::Never))
            .or_else(|| seat(flavor, *about, &jobs, |_, _| None, Spread::IfNeeded));
        let seated = seated.expect("a flavor's configurations fit its GPUs");
        for ((job, _), allocation) in jobs.into_iter().zip(seated) {
            packed[job] = Some(allocation);
        }
    }
    packed
}

/// Whether a job may lie on more nodes than it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    Never,
    IfNeeded,
}

/// Seats jobs, which come with the widest first; `None` if one finds no place.
fn seat<'a>(
    flavor: usize,
    about: FlavorNodes,
    jobs: &[(usize, u32)],
    stays: impl Fn(usize, u32) -> Option<&'a Allocation>,
    spread: Spread,
) -> Option<Vec<Allocation>> {
    let mut free = vec![about.gpus_per_node; about.nodes as usize];
    let mut seats: Vec<Option<Allocation>> = vec![None; jobs.len()];
    for (seat, &(job, gpus)) in seats.iter_mut().zip(jobs) {
        if let Some(kept) = stays(job, gpus) {
            if kept.parts.iter().any(|&(node, part)| free.get(node as usize) < Some(&part)) {
                return None;
            }
            kept.parts.iter().for_each(|&(node, part)| free[node as usize] -= part);
            *seat = Some(kept.clone());
        }
    }
    for (seat, &(_, gpus)) in seats.iter_mut().zip(jobs) {
        if seat.is_none() {
            let parts = parts(&mut free, about.gpus_per_node, gpus, spread)?;
            *seat = Some(Allocation { flavor, parts });
        }
    }
    seats.into_iter().collect()
}

/// GPUs for one job: whole nodes, then the fullest node that still holds the rest.
fn parts(free: &mut [u32], per_node: u32, gpus: u32, spread: Spread) -> Option<Vec<(u32, u32)>> {
    let mut parts = Vec::new();
    let mut left = gpus;
    for (node, free) in (0u32..).zip(free.iter_mut()) {
        if left >= per_node && *free == per_node {
            parts.push((node, per_node));
            *free = 0;
            left -= per_node;
        }
    }
    if left >= per_node && spread == Spread::Never {
        return None;
    }
    while left > 0 {
        let fitting = (0u32..).zip(free.iter_mut()).filter(|(_, free)| **free >= left);
        if let Some((node, free)) = fitting.min_by_key(|(node, free)| (**free, *node)) {
            *free -= left;
            parts.push((node, left));
            left = 0;
        } else {
            if spread == Spread::Never {
                return None;
            }
            let (node, free) = (0u32..)
                .zip(free.iter_mut())
                .max_by_key(|(node, free)| (**free, std::cmp::Reverse(*node)))
                .filter(|(_, free)| **free > 0)?;
            left -= *free;
            parts.push((node, *free));
            *free = 0;
        }
    }
    parts.sort_unstable();
    Some(parts)
}

#[cfg(test)]
mod tests;
