use proptest::prelude::*;

use super::*;
use crate::fabric::{Fabric, Kind};
use crate::generate::{LinkTerms, mesh, torus, tree};
use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

const TERMS: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(400_000_000_000),
    latency: Picoseconds(500_000),
    energy: FemtojoulesPerBit(1_000),
};

fn effort(evaluations: u64, lanes: u32, seed: u64) -> Effort {
    Effort { evaluations, lanes, seed }
}

fn stencil(lengths: &[u32]) -> Traffic {
    let count: u32 = lengths.iter().product();
    let mut entries = Vec::new();
    let mut stride = 1;
    for &length in lengths.iter().rev() {
        let along = (0..count).filter(|rank| rank / stride % length + 1 < length);
        entries.extend(along.map(|rank| (rank, rank + stride, 10)));
        stride *= length;
    }
    Traffic::from_entries(count as usize, Flow::BothWays, entries).expect("a stencil")
}

/// A fabric of some kind with some of it broken, and a job that fits on it, from one seed.
fn random_case(seed: u64) -> (Fabric, Traffic) {
    let mut random = Random::new(seed, 7);
    let mut length = |most: usize| 1 + random.below(most) as u32;
    let lengths = [length(6), length(6), length(3)];
    let fabric = match length(4) {
        1 => mesh("m", &lengths, Kind::Die, TERMS),
        2 => torus("t", &lengths, Kind::Chip, TERMS),
        _ => tree("f", &lengths, Kind::Node, &[TERMS]),
    }
    .expect("lengths are small and positive");
    let mut parts = fabric.into_parts();
    for element in &mut parts.elements {
        if element.capacity > 0 {
            element.capacity = if random.below(4) == 0 { 3 } else { 1 };
        }
    }
    let fabric = Fabric::new(parts).expect("only capacities changed");
    let pick = |count: usize, random: &mut Random| -> Vec<u32> {
        (0..count as u32).filter(|_| random.below(12) == 0).collect()
    };
    let dead = pick(fabric.elements().len(), &mut random);
    let broken = pick(fabric.links().len(), &mut random);
    let fabric = fabric.with_down(&dead, &broken);
    let ranks = random.below(fabric.slots().len() + 1);
    let flow = if random.below(2) == 0 { Flow::Directed } else { Flow::BothWays };
    let mut entries = Vec::new();
    for from in 0..ranks as u32 {
        for to in 0..from {
            if random.below(3) == 0 {
                entries.push((from, to, random.bits() >> random.below(64)));
            }
        }
    }
    let traffic = Traffic::from_entries(ranks, flow, entries).expect("pairs are distinct");
    (fabric, traffic)
}

/// What always holds: not worse than the order given, and each element up and within capacity.
fn check_guarantees(fabric: &Fabric, traffic: &Traffic, mapping: &Mapping) {
    assert!(mapping.value <= mapping.given, "never worse than the order given");
    assert_eq!(mapping.verdict == Verdict::Reorder, mapping.value < mapping.given);
    assert_eq!(mapping.element_of.len(), traffic.ranks());
    let mut held = vec![0u32; fabric.elements().len()];
    for &element in &mapping.element_of {
        assert!(fabric.is_up(element), "nothing on what is down");
        held[element as usize] += 1;
        assert!(held[element as usize] <= fabric.elements()[element as usize].capacity);
    }
    let mut slots = mapping.slot_of.clone();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), traffic.ranks(), "one rank on a slot");
}

fn check_seed(seed: u64, evaluations: u64) {
    let (fabric, traffic) = random_case(seed);
    let slots = fabric.slots();
    let distances = Distances::hops(&fabric, &slots).expect("the fabric is small");
    let routes = Routes::shortest(&fabric, &slots).expect("the fabric is small");
    let mut given: Vec<u32> = (0..slots.len() as u32).collect();
    Random::new(seed, 9).shuffle(&mut given);
    given.truncate(traffic.ranks());
    for objective in [Objective::HopBytes, Objective::BottleneckTime(&routes)] {
        let effort = effort(evaluations, 1 + (seed % 3) as u32, seed);
        let mapping =
            map(&traffic, &distances, Some(&given), objective, effort).expect("a valid case");
        check_guarantees(&fabric, &traffic, &mapping);
    }
}

#[test]
fn guarantees_hold_on_random_fabrics_and_jobs() {
    for seed in 0..150 {
        check_seed(seed, 3_000);
    }
}

#[test]
#[ignore = "10,000 cases; run in release"]
fn guarantees_hold_on_ten_thousand_fabrics_and_jobs() {
    for seed in 0..10_000 {
        check_seed(seed, 10_000);
    }
}

#[test]
fn the_order_of_lanes_does_not_matter_and_the_seed_does_all() {
    let fabric = mesh("m", &[6, 7], Kind::Die, TERMS).expect("a mesh");
    let distances = Distances::hops(&fabric, &fabric.slots()).expect("a mesh");
    let traffic = stencil(&[2, 4, 5]);
    let run = |reverse: bool| {
        let effort = effort(60_000, 4, 11);
        let mapper = Mapper::new(&traffic, &distances, None, Objective::HopBytes, effort)
            .expect("a valid case");
        let mut lanes: Vec<u32> = (0..mapper.lanes()).collect();
        if reverse {
            lanes.reverse();
        }
        let found: Vec<Found> = lanes.into_iter().map(|lane| mapper.lane(lane)).collect();
        mapper.finish(found)
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_good_order_is_kept() {
    let fabric = mesh("m", &[5, 6], Kind::Die, TERMS).expect("a mesh");
    let distances = Distances::hops(&fabric, &fabric.slots()).expect("a mesh");
    let traffic = stencil(&[5, 6]);
    let mapping = map(&traffic, &distances, None, Objective::HopBytes, effort(50_000, 2, 1))
        .expect("a valid case");
    assert_eq!(mapping.verdict, Verdict::KeepOrder);
    assert_eq!(mapping.slot_of, (0..30).collect::<Vec<u32>>());
    assert_eq!(mapping.value.hop_bytes, traffic.total());
}

#[test]
fn a_shuffled_stencil_is_put_right_on_a_torus_and_a_tree() {
    let order: Vec<u32> = (0..64).map(|r| r * 37 % 64).collect();
    let traffic = stencil(&[4, 4, 4]).renumbered(&order).expect("37 and 64 share no factor");
    let cube = torus("t", &[4, 4, 4], Kind::Chip, TERMS).expect("a torus");
    let distances = Distances::hops(&cube, &cube.slots()).expect("a torus");
    let mapping = map(&traffic, &distances, None, Objective::HopBytes, Effort::fast(&traffic))
        .expect("a valid case");
    assert_eq!(mapping.value.hop_bytes, traffic.total(), "every peer is a neighbour");
    let nodes = tree("f", &[4, 4, 4], Kind::Node, &[TERMS]).expect("a tree");
    let apart = Distances::by_levels(&nodes, &nodes.slots(), &[1, 10, 100]).expect("three levels");
    let mapping = map(&traffic, &apart, None, Objective::HopBytes, Effort::fast(&traffic))
        .expect("a valid case");
    let known = 32 * 100 + 48 * 10 + 64;
    assert_eq!(mapping.value.hop_bytes, 10 * known, "cut by 32, 48 and 64 edges");
}

#[test]
fn the_busiest_link_is_named_and_relieved() {
    let fabric = mesh("m", &[1, 8], Kind::Die, TERMS).expect("a line");
    let slots = fabric.slots();
    let distances = Distances::hops(&fabric, &slots).expect("a line");
    let routes = Routes::shortest(&fabric, &slots).expect("a line");
    // Four pairs whose ends lie at opposite ends of the line.
    let pairs = (0..4).map(|r| (r, 7 - r, 50_000));
    let traffic = Traffic::from_entries(8, Flow::Directed, pairs).expect("four pairs");
    let objective = Objective::BottleneckTime(&routes);
    let mapping =
        map(&traffic, &distances, None, objective, effort(200_000, 1, 3)).expect("a valid case");
    // 50,000 bytes at 50 GB/s take 1 µs; all four cross the middle at first.
    assert_eq!(mapping.given.bottleneck_time, 4_000_000);
    assert_eq!(mapping.value.bottleneck_time, 1_000_000);
    assert_eq!(mapping.value.hop_bytes, 4 * 50_000);
    assert!(mapping.bottleneck.is_some());
}

#[test]
fn more_tasks_than_slots_stay_within_what_a_slot_may_hold() {
    let fabric = mesh("m", &[4, 4], Kind::Die, TERMS).expect("a mesh");
    let distances = Distances::hops(&fabric, &fabric.slots()).expect("a mesh");
    let traffic = stencil(&[20, 20]);
    let effort = effort(100_000, 2, 5);
    let mapping =
        map_tasks(&traffic, &distances, 26, Objective::HopBytes, effort).expect("416 places");
    let mut held = [0u32; 16];
    for &slot in &mapping.slot_of {
        held[slot as usize] += 1;
    }
    assert!(held.iter().all(|&held| held <= 26), "{held:?}");
    assert!(mapping.value <= mapping.given);
    // Sixteen squares of 5 × 5 cost 6 cuts of 20 edges.
    assert!(mapping.value.hop_bytes <= 10 * 160, "{}", mapping.value.hop_bytes);
    assert!(map_tasks(&traffic, &distances, 24, Objective::HopBytes, effort).is_err());
}

#[test]
fn an_allocation_fills_a_gap_before_it_cuts_a_free_rack() {
    let fabric = tree("f", &[4, 4], Kind::Node, &[TERMS]).expect("a tree");
    // Rack 0 has three free nodes, racks 2 and 3 are free.
    let free = [1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15];
    let traffic = stencil(&[3]);
    let asked = Asked { tolerance: 50, by: By::HopBytes, effort: effort(20_000, 1, 1) };
    let found = allocate(&fabric, &free, &traffic, asked).expect("there is room");
    let mut elements = found.mapping.element_of.clone();
    elements.sort_unstable();
    assert_eq!(elements, [1, 2, 3]);
    assert_eq!(found.edges, 0);
    let busy = [1, 1, 2];
    assert!(allocate(&fabric, &busy, &traffic, asked).is_err(), "a node is not two nodes");
}

#[test]
fn orders_that_are_none_are_refused() {
    let fabric = mesh("m", &[2, 2], Kind::Die, TERMS).expect("a mesh");
    let distances = Distances::hops(&fabric, &fabric.slots()).expect("a mesh");
    let traffic = stencil(&[3]);
    let effort = effort(100, 1, 1);
    for (order, says) in
        [(vec![0, 1], "3 slots"), (vec![0, 1, 4], "below 4"), (vec![0, 1, 1], "at most once")]
    {
        let problem = map(&traffic, &distances, Some(&order), Objective::HopBytes, effort)
            .expect_err("not an order");
        assert!(problem.to_string().contains(says), "{problem}");
    }
    let large = stencil(&[5]);
    let problem =
        map(&large, &distances, None, Objective::HopBytes, effort).expect_err("five on four");
    assert!(problem.to_string().contains("at most 4 ranks"), "{problem}");
}

proptest! {
    #[test]
    fn a_move_is_priced_as_it_costs(seed in any::<u64>()) {
        let (fabric, traffic) = random_case(seed);
        let distances = Distances::hops(&fabric, &fabric.slots()).expect("a small fabric");
        let table = finite(distances.table());
        let pairs = scaled_pairs(&traffic, &table);
        let instance = Instance::new(traffic.ranks(), &pairs, distances.len(), table);
        prop_assume!(instance.ranks > 1);
        let mut random = Random::new(seed, 1);
        let mut state = State::new(&instance, (0..instance.ranks as u32).collect());
        for _ in 0..30 {
            let rank = random.below(instance.ranks) as u32;
            let slot = random.below(instance.slots) as u32;
            if state.slot_of[rank as usize] != slot {
                let delta = state.delta(&instance, rank, slot);
                state.apply(rank, slot, delta);
                prop_assert_eq!(state.value, instance.hop_bytes(&state.slot_of));
            }
        }
    }
}
