//! Orders of one job side by side: what each costs, in numbers that people compare.

use super::search::{Case, Choice};
use super::units;
use super::wrong;
use crate::failure::Failure;
use serde::Serialize;
use suanpan_topology::distance::UNREACHABLE;
use suanpan_topology::estimate::{Estimator, bytes_across};
use suanpan_topology::routes::Routing;
use suanpan_topology::traffic::Flow;

/// An order and what it costs.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// What the order is called.
    pub order: String,
    /// Seconds that the busiest link needs for one iteration's bytes.
    pub bottleneck_s: f64,
    /// The busiest link's direction by its ends; none if no link carries anything.
    pub bottleneck: Option<String>,
    /// Bytes times distance, all pairs.
    pub hop_bytes: u128,
    /// Mean distance of a byte.
    pub average_distance: f64,
    /// Bytes between ranks without a path between them.
    pub stranded_bytes: u128,
    /// Bytes between domains of each level, the smallest domains first.
    pub across: Vec<Across>,
}

/// Bytes that leave the domains of a level.
#[derive(Clone, Debug, Serialize)]
pub struct Across {
    /// The level.
    pub level: String,
    /// The bytes.
    pub bytes: u128,
}

impl Figures {
    /// What an order costs, by the shortest routes that mapping counts with.
    pub fn of(case: &Case, order: &str, slot_of: &[u32]) -> Result<Figures, Failure> {
        let routing = Routing::Shortest;
        let told = |problem| wrong(case.fabric.name(), &problem);
        let elements: Vec<u32> = slot_of.iter().map(|&slot| case.slots[slot as usize]).collect();
        let loads = Estimator::new(&case.fabric, &routing)
            .and_then(|estimator| estimator.loads(&case.traffic, &elements))
            .map_err(told)?;
        let (hop_bytes, stranded_bytes) = hop_bytes(case, slot_of);
        let total = case.traffic.total().max(1) as f64;
        let across = case.fabric.levels().iter().map(|level| Across {
            level: level.name.clone(),
            bytes: bytes_across(&case.traffic, &elements, level),
        });
        Ok(Figures {
            order: order.to_owned(),
            bottleneck_s: loads.bottleneck.as_ref().map_or(0.0, |busiest| busiest.seconds),
            bottleneck: loads.bottleneck.map(|busiest| busiest.name),
            hop_bytes,
            average_distance: hop_bytes as f64 / total,
            stranded_bytes,
            across: across.collect(),
        })
    }

    /// The busiest link's time for people.
    pub fn bottleneck_time(&self) -> String {
        units::seconds(self.bottleneck_s)
    }
}

/// Pairs of ranks with their bytes, each byte once.
fn pairs(case: &Case) -> impl Iterator<Item = (usize, usize, u64)> {
    let traffic = &case.traffic;
    (0..traffic.ranks()).flat_map(move |rank| {
        let once = traffic.flow() == Flow::Directed;
        let peers = traffic.peers(rank).map(move |(peer, bytes)| (rank, peer as usize, bytes));
        peers.filter(move |(rank, peer, _)| once || rank < peer)
    })
}

fn hop_bytes(case: &Case, slot_of: &[u32]) -> (u128, u128) {
    let (mut sum, mut stranded) = (0, 0);
    for (rank, peer, bytes) in pairs(case) {
        match case.distances.between(slot_of[rank] as usize, slot_of[peer] as usize) {
            UNREACHABLE => stranded += u128::from(bytes),
            apart => sum += u128::from(bytes) * u128::from(apart),
        }
    }
    (sum, stranded)
}

/// Orders that people use without a tool: elements by name, and the domains with most free slots
/// first, for each level. Each is for each rank its slot.
pub fn usual(case: &Case) -> Vec<(String, Vec<u32>)> {
    if matches!(case.choice, Choice::Shared(_)) {
        return Vec::new();
    }
    let ranks = case.traffic.ranks();
    let id = |slot: u32| &*case.fabric.elements()[case.slots[slot as usize] as usize].id;
    let mut by_name: Vec<u32> = (0..case.slots.len() as u32).collect();
    by_name.sort_by_key(|&slot| (id(slot), slot));
    let mut orders = vec![("alphabetical".to_owned(), by_name)];
    for level in case.fabric.levels() {
        let domain = |slot: u32| level.of[case.slots[slot as usize] as usize];
        let mut room = vec![0_u32; level.domains.len()];
        for slot in 0..case.slots.len() as u32 {
            if let Some(domain) = domain(slot) {
                room[domain as usize] += 1;
            }
        }
        let most = room.iter().copied().max().unwrap_or(0);
        if room.iter().filter(|count| **count > 0).all(|count| *count == most) {
            // Domains of one size have no largest first.
            continue;
        }
        let mut largest: Vec<u32> = (0..case.slots.len() as u32).collect();
        largest.sort_by_key(|&slot| {
            let domain = domain(slot);
            let size = domain.map_or(0, |domain| room[domain as usize]);
            (u32::MAX - size, domain.unwrap_or(u32::MAX), slot)
        });
        orders.push((format!("largest {} first", level.name), largest));
    }
    for (_, order) in &mut orders {
        order.truncate(ranks);
    }
    orders
}
