//! Ranks in their own order, cut where least is sent across, each piece in a domain of a level:
//! racks, blocks or subtrees with some room each. A launcher numbers the ranks of a job so that
//! near numbers talk most; which room each piece gets decides where the cuts can be.

use std::cmp::Reverse;

use crate::traffic::Traffic;

/// Domains that pieces may go to: the largest. Sets of them are counted through.
const DOMAINS: usize = 8;

/// Steps worth taking.
const MOST: usize = 1 << 24;

/// For each rank one of the slots of `rooms`, so that the bytes between ranks in one room are the
/// most that pieces of the ranks' own order can have; none if the largest rooms are too small for
/// all ranks. Cuts are at multiples of a unit of ranks that grows with the job.
/// O(2^rooms · rooms · ranks · largest room / unit²).
pub(crate) fn pack(rooms: &[Vec<u32>], traffic: &Traffic) -> Option<Vec<u32>> {
    let mut rooms: Vec<&[u32]> = rooms.iter().map(Vec::as_slice).collect();
    rooms.sort_by_key(|room| Reverse(room.len()));
    rooms.truncate(DOMAINS);
    let ranks = traffic.ranks();
    let most = rooms.first().map_or(0, |room| room.len()).min(ranks);
    let mut unit = 1;
    while ((ranks / unit) * (most / unit) * rooms.len()) << rooms.len() > MOST {
        unit *= 2;
    }
    let units = ranks.div_ceil(unit);
    let room: Vec<usize> = rooms.iter().map(|room| room.len() / unit).collect();
    let within = within(traffic, unit, units, (most / unit).max(1));
    let pieces = cut(&within, units, &room)?;
    let mut slot_of = Vec::with_capacity(ranks);
    for (domain, length) in pieces {
        let length = (length * unit).min(ranks - slot_of.len());
        slot_of.extend(&rooms[domain][..length]);
    }
    Some(slot_of)
}

/// Bytes within each piece of up to `most` units: `[first unit][length]`. By inclusion and
/// exclusion of the two pieces that are shorter by one, in O(1) each.
fn within(traffic: &Traffic, unit: usize, units: usize, most: usize) -> Vec<Vec<u128>> {
    let mut within = vec![vec![0u128; most + 1]; units + 1];
    // First what each two units exchange, at the first and the length that spans both.
    for rank in 0..traffic.ranks() {
        for (peer, bytes) in traffic.peers(rank) {
            let [a, b] = [rank / unit, peer as usize / unit];
            let (first, length) = (a.min(b), a.abs_diff(b) + 1);
            if length <= most {
                within[first][length] += u128::from(bytes);
            }
        }
    }
    for length in 2..=most {
        for first in 0..units {
            let both = within[first][length - 1] + within[first + 1][length - 1];
            let shared = if length > 2 { within[first + 1][length - 2] } else { 0 };
            within[first][length] += both - shared;
        }
    }
    within
}

/// The domains and lengths of the pieces in the order of the ranks: over sets of domains used and
/// units placed, the most bytes within.
fn cut(within: &[Vec<u128>], units: usize, room: &[usize]) -> Option<Vec<(usize, usize)>> {
    let width = units + 1;
    let mut best: Vec<Option<(u128, u32, u32)>> = vec![None; width << room.len()];
    best[0] = Some((0, 0, 0));
    for used in 0..1usize << room.len() {
        for placed in 0..units {
            let Some((bytes, _, _)) = best[used * width + placed] else { continue };
            for (domain, &room) in room.iter().enumerate().filter(|(d, _)| used >> d & 1 == 0) {
                for length in 1..=room.min(units - placed) {
                    let entry = &mut best[(used | 1 << domain) * width + placed + length];
                    let sum = bytes + within[placed][length];
                    if entry.is_none_or(|(most, _, _)| sum > most) {
                        *entry = Some((sum, domain as u32, length as u32));
                    }
                }
            }
        }
    }
    let full = |used: &usize| best[used * width + units].map(|(bytes, _, _)| bytes);
    let used = (0..1usize << room.len()).filter(|used| full(used).is_some());
    // Of equal ones the fewest domains.
    let mut used = used.max_by_key(|used| (full(used), Reverse(used.count_ones())))?;
    let mut placed = units;
    let mut pieces = Vec::new();
    while placed > 0 {
        let (_, domain, length) = best[used * width + placed].expect("what is reached has a way");
        pieces.push((domain as usize, length as usize));
        used &= !(1 << domain);
        placed -= length as usize;
    }
    pieces.reverse();
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Flow;

    #[test]
    fn pieces_end_where_little_is_sent_across() {
        // Four groups of six in a chain: groups talk much, neighbours little.
        let pairs = (0..24u32).flat_map(|a| (0..a).map(move |b| (a, b)));
        let bytes = |a: u32, b: u32| match (a / 6 == b / 6, a - b) {
            (true, _) => 100,
            (false, 6) => 1,
            _ => 0,
        };
        let entries = pairs.map(|(a, b)| (a, b, bytes(a, b))).filter(|entry| entry.2 > 0);
        let traffic = Traffic::from_entries(24, Flow::BothWays, entries).expect("pairs");
        let rooms = |sizes: &[u32]| -> Vec<Vec<u32>> {
            let room =
                |(at, &size): (usize, &u32)| (0..size).map(|slot| at as u32 * 100 + slot).collect();
            sizes.iter().enumerate().map(room).collect()
        };
        let sizes = |slot_of: Vec<u32>| {
            let mut sizes = [0; 4];
            slot_of.iter().for_each(|slot| sizes[*slot as usize / 100] += 1);
            sizes
        };
        // Not fourteen and ten, which would cut a group.
        let found = pack(&rooms(&[11, 14, 13]), &traffic).expect("there is room");
        assert_eq!(sizes(found), [0, 12, 12, 0]);
        let found = pack(&rooms(&[7, 14, 6, 3]), &traffic).expect("there is room");
        assert_eq!(sizes(found), [6, 12, 6, 0]);
        assert_eq!(pack(&rooms(&[7, 14]), &traffic), None);
        assert_eq!(pack(&[], &traffic), None);
    }
}
