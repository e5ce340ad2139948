use proptest::prelude::*;

use super::*;
use crate::distance::Distances;
use crate::fabric::Kind;
use crate::generate::{LinkTerms, fat_tree, mesh, torus, twisted_torus};
use crate::map::{Effort, Objective, Routes, map};
use crate::routes::Paths;
use crate::traffic::{Algorithm, Collective, Model, Operation, Parallelism};
use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

/// 1 byte in a nanosecond, 10 ns and 2 pJ/bit.
const TERMS: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(8_000_000_000),
    latency: Picoseconds(10_000),
    energy: FemtojoulesPerBit(2_000),
};

fn all_to_all(ranks: u32, bytes: u64) -> Traffic {
    let pairs = (0..ranks).flat_map(|a| (0..ranks).map(move |b| (a, b, bytes)));
    Traffic::from_entries(ranks as usize, Flow::Directed, pairs).expect("ranks exist")
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[test]
fn one_flow_splits_where_routes_split() {
    let fabric = mesh("m", &[2, 2], Kind::Die, TERMS).expect("a mesh");
    let traffic = Traffic::from_entries(2, Flow::Directed, [(0, 1, 1000)]).expect("two ranks");
    let ask = |routing: Routing| {
        let estimator = Estimator::new(&fabric, &routing).expect("a rule for meshes");
        estimator.loads(&traffic, &[0, 3]).expect("a placement")
    };
    let split = ask(Routing::EqualSplit);
    assert_eq!(split.bytes.iter().filter(|&&b| b == 500.0).count(), 4);
    let ordered = ask(Routing::DimensionOrdered);
    assert_eq!(ordered, ask(Routing::Shortest));
    assert_eq!(ordered.bottleneck.as_ref().map(|b| &*b.name), Some("d0-1 to d1-1 (y)"));
    for loads in [&split, &ordered] {
        assert_eq!((loads.hop_bytes, loads.sent_bytes), (2000.0, 1000.0));
        assert!(near(loads.energy_j, 2000.0 * 8.0 * 2e-12));
        assert!(near(loads.longest_latency_s, 20e-9) && near(loads.mean_latency_s, 20e-9));
    }
    // The other way round, down first.
    let down = fabric.neighbors(0).iter().find(|n| n.element == 2).expect("a mesh").link;
    let right = fabric.neighbors(2).iter().find(|n| n.element == 3).expect("a mesh").link;
    let paths = Paths::new(&fabric, [((0, 3), vec![2 * down, 2 * right])]).expect("it leads there");
    assert_eq!(ask(Routing::Given(paths)).bytes[2 * down as usize], 1000.0);
    assert!(Paths::new(&fabric, [((0, 3), vec![2 * right])]).is_err());
    let none = Routing::Given(Paths::default());
    let estimator = Estimator::new(&fabric, &none).expect("paths");
    assert!(estimator.loads(&traffic, &[0, 3]).is_err());
}

/// Uniform traffic over the rings of a torus: k²/4 · k / 2k of it goes over each channel of an
/// even ring (Dally and Towles, section 5.2.1), which takes both ways round where they are equal.
#[test]
fn dimension_order_loads_the_channels_of_a_torus_evenly() {
    let fabric = torus("t", &[8, 8], Kind::Die, TERMS).expect("a torus");
    let estimator = Estimator::new(&fabric, &Routing::DimensionOrdered).expect("a torus");
    let places: Vec<u32> = (0..64).collect();
    let loads = estimator.loads(&all_to_all(64, 64), &places).expect("a placement");
    // 64 bytes to each of 64 elements: k / 8 of what an element sends, 4096.
    assert!(loads.bytes.iter().all(|&bytes| near(bytes, 4096.0)));
    let broken = fabric.with_down(&[], &[0]);
    let estimator = Estimator::new(&broken, &Routing::DimensionOrdered).expect("a torus");
    assert!(estimator.loads(&all_to_all(64, 64), &places).expect("some").stranded_bytes > 0.0);
    let twisted = twisted_torus("t", &[4, 8], Kind::Chip, &[TERMS]).expect("a twisted torus");
    assert!(Estimator::new(&twisted, &Routing::DimensionOrdered).is_err());
}

/// Jouppi et al., "TPU v4", ISCA 2023, section 2.8: all-to-all is 1.63 and 1.31 times as fast.
#[test]
fn twisting_a_torus_speeds_all_to_all_as_published() {
    for (lengths, published) in [([4, 4, 8], 1.63), ([4, 8, 8], 1.31)] {
        let seconds = |fabric: Fabric| {
            let estimator = Estimator::new(&fabric, &Routing::EqualSplit).expect("any fabric");
            let ranks = fabric.elements().len() as u32;
            let places: Vec<u32> = (0..ranks).collect();
            let loads = estimator.loads(&all_to_all(ranks, 1000), &places).expect("a placement");
            loads.bottleneck.expect("all send").seconds
        };
        let plain = seconds(torus("t", &lengths, Kind::Chip, TERMS).expect("a torus"));
        let twisted = seconds(twisted_torus("t", &lengths, Kind::Chip, &[TERMS]).expect("one"));
        let gain = plain / twisted;
        assert!((gain / published - 1.0).abs() < 0.10, "{lengths:?}: {gain:.3}, {published}");
    }
}

#[test]
fn collectives_need_the_time_of_their_rounds() {
    let fabric = torus("t", &[8], Kind::Chip, TERMS).expect("a ring");
    let estimator = Estimator::new(&fabric, &Routing::EqualSplit).expect("any fabric");
    let places: Vec<u32> = (0..8).collect();
    let ask = |operation, algorithm| {
        let groups = vec![places.clone()];
        let collective =
            Collective { purpose: "test", operation, algorithm, groups, bytes: 8000, calls: 3 };
        estimator.collective(&collective, &places).expect("a placement")
    };
    // 2 · 7/8 · 8000 bytes over each link, 14 messages of one hop; three calls.
    let ring = ask(Operation::AllReduce, Algorithm::Ring);
    assert!(near(ring.transfer_s, 3.0 * 14e-6) && near(ring.latency_s, 3.0 * 14.0 * 10e-9));
    // 4, 2 and 1 apart: half of the bytes over half of 4 links each way, a quarter over 2 of
    // them, an eighth over 1; twice, and 4, 2 and 1 hops.
    let halving = ask(Operation::AllReduce, Algorithm::HalvingDoubling);
    assert!(near(halving.latency_s, 3.0 * 14.0 * 10e-9), "{}", halving.latency_s);
    assert!(near(halving.transfer_s, 3.0 * 2.0 * (4000.0 * 2.0 + 2000.0 * 2.0 + 1000.0) * 1e-9));
    let tree = ask(Operation::AllReduce, Algorithm::Tree);
    assert!(near(tree.latency_s, 3.0 * 2.0 * 7.0 * 10e-9), "{}", tree.latency_s);
    // k/8 · S over each channel of a ring of k.
    let direct = ask(Operation::AllToAll, Algorithm::Ring);
    assert!(near(direct.transfer_s, 3.0 * 8e-6) && near(direct.latency_s, 3.0 * 40e-9));
}

#[test]
fn an_iteration_hides_what_may_be_hidden() {
    let fabric = fat_tree("t", &[4, 4], &[1, 4], Kind::Node, &[TERMS]).expect("a tree");
    let estimator = Estimator::new(&fabric, &Routing::EqualSplit).expect("any fabric");
    let places = fabric.slots();
    let model = Model { layers: 4, hidden: 64, sequence: 32, micro_batches: 2, ..Model::default() };
    let over = Parallelism { tensor: 4, data: 4, ..Parallelism::default() };
    let slow = Phase::training(&model, &over, 1e6).expect("a model");
    let time = estimator.iteration(&slow, &places).expect("a placement");
    assert_eq!(time.phases[1].exposed_s, 0.0);
    assert!(time.phases[0].exposed_s > 0.0 && time.seconds > time.compute_s);
    let fast = Phase::training(&model, &over, 1e18).expect("a model");
    let time = estimator.iteration(&fast, &places).expect("a placement");
    assert!(near(time.phases[1].exposed_s, time.phases[1].communication_s - slow_part(&fast)));
    assert!(near(time.seconds, time.compute_s + time.exposed_s) && time.energy_j > 0.0);
    assert!(Phase::training(&model, &over, 0.0).is_err());
}

fn slow_part(phases: &[Phase]) -> f64 {
    phases[1].hidden_s
}

#[test]
fn what_cannot_be_estimated_is_refused_by_name() {
    let fabric = mesh("m", &[2], Kind::Die, LinkTerms::default()).expect("a mesh");
    let estimator = Estimator::new(&fabric, &Routing::Shortest).expect("any fabric");
    let problem = estimator.loads(&all_to_all(2, 1), &[0, 1]).expect_err("no bandwidth");
    assert_eq!(problem.value, "0 of d0 to d1 (x)");
    assert!(estimator.loads(&all_to_all(2, 1), &[0]).is_err());
    assert!(estimator.loads(&all_to_all(2, 1), &[0, 2]).is_err());
}

proptest! {
    /// The estimate counts as mapping does, on broken fabrics too.
    #[test]
    fn shortest_routes_give_the_value_that_mapping_gives(
        down in prop::collection::vec(0_u32..24, 0..4),
        seed in 0_u64..1000,
        pairs in prop::collection::vec((0_u32..10, 0_u32..10, 1_u64..10_000), 1..40),
    ) {
        let whole = torus("t", &[4, 6], Kind::Die, TERMS).expect("a torus");
        let fabric = whole.with_down(&[], &down);
        let traffic = Traffic::from_entries(10, Flow::BothWays, pairs).expect("ranks exist");
        let slots = fabric.slots();
        let distances = Distances::hops(&fabric, &slots).expect("slots exist");
        let routes = Routes::shortest(&fabric, &slots).expect("slots exist");
        let effort = Effort { evaluations: 1000, lanes: 1, seed };
        let objective = Objective::BottleneckTime(&routes);
        let mapping = map(&traffic, &distances, None, objective, effort).expect("room");
        let estimator = Estimator::new(&fabric, &Routing::Shortest).expect("any fabric");
        let loads = estimator.loads(&traffic, &mapping.element_of).expect("a placement");
        let picoseconds = loads.bottleneck.map_or(0.0, |b| b.seconds * 1e12);
        prop_assert!((picoseconds - mapping.value.bottleneck_time as f64).abs() < 1.0);
        prop_assert!(near(loads.hop_bytes, mapping.value.hop_bytes as f64));
        prop_assert!(near(loads.stranded_bytes, mapping.value.stranded_bytes as f64));
    }
}
