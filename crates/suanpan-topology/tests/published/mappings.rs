//! Mappings that were published or measured.

use std::cmp::Reverse;

use serde_json::Value;
use suanpan_topology::distance::Distances;
use suanpan_topology::estimate::{Estimator, bytes_across};
use suanpan_topology::fabric::{Fabric, Grid, Kind, Shape, Wrap};
use suanpan_topology::generate::{LinkTerms, grid, mesh, tree};
use suanpan_topology::import::ibnetdiscover::{self, Options};
use suanpan_topology::map::{Asked, By, Effort, Objective, allocate, map};
use suanpan_topology::routes::Routing;
use suanpan_topology::traffic::{Flow, Model, Parallelism, Traffic, parse_csv};
use suanpan_topology::units::BitsPerSecond;

use super::shared;

/// `mesh4x4x4`, `torus16x16` or `tree8:8:4`, the last with distances 1:10:100.
fn distances(name: &str) -> Distances {
    let terms = LinkTerms::default();
    let numbers = |list: &str, separator: char| -> Vec<u32> {
        list.split(separator).map(|n| n.parse().expect("a length")).collect()
    };
    let on_grid = |list: &str, wrap: Wrap| {
        let lengths = Grid::new(&numbers(list, 'x'), wrap);
        grid(name, lengths, Kind::Chip, &[terms]).expect("it is right")
    };
    let hops = |fabric: &Fabric| {
        assert!(matches!(fabric.shape(), Shape::Grid(_)));
        Distances::hops(fabric, &fabric.slots()).expect("slots exist")
    };
    if let Some(list) = name.strip_prefix("mesh") {
        return hops(&on_grid(list, Wrap::Open));
    }
    if let Some(list) = name.strip_prefix("torus") {
        return hops(&on_grid(list, Wrap::Closed));
    }
    let children = numbers(name.strip_prefix("tree").expect("a known form"), ':');
    let fabric = tree(name, &children, Kind::Node, &[terms]).expect("it is right");
    Distances::by_levels(&fabric, &fabric.slots(), &[1, 10, 100]).expect("three levels")
}

/// Bytes times distance, rank r being on slot `slots[r]`.
fn hop_bytes(traffic: &Traffic, distances: &Distances, slots: &[u32]) -> u128 {
    let mut sum = 0;
    for rank in 0..traffic.ranks() {
        for (peer, bytes) in traffic.peers(rank) {
            let apart = distances.between(slots[rank] as usize, slots[peer as usize] as usize);
            sum += u128::from(bytes) * u128::from(apart);
        }
    }
    match traffic.flow() {
        Flow::Directed => sum,
        Flow::BothWays => sum / 2,
    }
}

/// Every rank-order row of the measured baselines: graphs, distances and orders agree.
#[test]
fn hop_bytes_of_rank_order_are_the_measured_ones() {
    let (Some(a), Some(b)) = (
        shared("fabric/baseline/mapping-1to1-a.jsonl"),
        shared("fabric/baseline/mapping-1to1-b.jsonl"),
    ) else {
        return;
    };
    let mut checked = 0;
    for line in a.lines().chain(b.lines()) {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        let text = |key: &str| row[key].as_str().expect("a text").to_owned();
        let (job, topology) = (text("inst"), text("topo"));
        if text("method") != "rank-order" {
            continue;
        }
        // Some jobs of the baseline are kept aside.
        let (Some(graph), Some(order)) = (
            shared(&format!("fabric/comm/{job}.graph")),
            shared(&format!("fabric/comm/{job}.rankorder")),
        ) else {
            continue;
        };
        let traffic = Traffic::parse_metis(&graph).expect("the file is right");
        let slots: Vec<u32> =
            order.split_whitespace().map(|slot| slot.parse().expect("a slot")).collect();
        let found = hop_bytes(&traffic, &distances(&topology), &slots);
        assert_eq!(Some(found as f64), row["hopbytes"].as_f64(), "{job} on {topology}");
        checked += 1;
    }
    assert_eq!(checked, 28);
}

/// Every published mapping of MapLib on the mesh and the torus.
#[test]
fn hop_bytes_of_maplibs_mappings_are_the_published_ones() {
    let Some(rows) = shared("fabric/baseline/maplib_published.json") else { return };
    let rows: Vec<Value> = serde_json::from_str(&rows).expect("a list");
    let mut checked = 0;
    for row in rows {
        let text = |key: &str| row[key].as_str().expect("a text").to_owned();
        let (kind, job, topology) = (text("kind"), text("app"), text("topo"));
        let Some(short) = topology.strip_suffix("4x4x4").filter(|short| *short != "haec") else {
            continue;
        };
        let method = text("method");
        let file =
            format!("fabric/maplib/published_mappings/{kind}.{job}.{method}.{short}.4x4x4.csv");
        let (Some(mapping), Some(matrix)) =
            (shared(&file), shared(&format!("fabric/maplib/comm_matrices/{job}.{kind}.csv")))
        else {
            continue;
        };
        let traffic = parse_csv(&matrix).expect("the file is right");
        let mut slots = vec![0; 64];
        for line in mapping.lines().skip(2) {
            let n: Vec<u32> =
                line.split_whitespace().map(|w| w.parse().expect("a number")).collect();
            for &rank in &n[4..] {
                slots[rank as usize] = (n[0] * 4 + n[1]) * 4 + n[2];
            }
        }
        let found = hop_bytes(&traffic, &distances(&topology), &slots);
        assert_eq!(Some(found as f64), row["hopbytes"].as_f64(), "{file}");
        checked += 1;
    }
    assert!(checked >= 64, "{checked} mappings");
}

/// The hop distance of a mesh, published best values: nug30 (QAPLIB) by the robust search.
#[test]
fn a_published_optimum_is_found() {
    let Some(text) = shared("fabric/qaplib/nug30.txt") else { return };
    let numbers: Vec<u64> =
        text.split_whitespace().map(|n| n.parse().expect("whole numbers")).collect();
    let flows = &numbers[1 + 900..];
    let cells = (0..900u32).map(|i| (i / 30, i % 30, flows[i as usize]));
    let traffic = Traffic::from_entries(30, Flow::Directed, cells).expect("a matrix");
    let fabric = mesh("m", &[5, 6], Kind::Die, LinkTerms::default()).expect("a mesh");
    let distances = Distances::hops(&fabric, &fabric.slots()).expect("a mesh");
    let effort = Effort { evaluations: 400_000, lanes: 2, seed: 1 };
    let mapping =
        map(&traffic, &distances, None, Objective::HopBytes, effort).expect("a valid case");
    assert!(mapping.value.hop_bytes <= 6_124 * 1_005 / 1_000, "{}", mapping.value.hop_bytes);
}

/// The real InfiniBand fabric of seven NVL72 racks, four ranks to a host: hosts in alphabetical
/// order, and those of the biggest racks first, are what people do.
#[test]
fn racks_and_order_beat_what_people_do_on_a_real_fabric() {
    let Some(text) = shared("fabric/fabrics/topograph/ibnetdiscover-gb200.out") else { return };
    let terms = LinkTerms { bandwidth: BitsPerSecond(28_800_000_000_000), ..LinkTerms::default() };
    let options =
        Options { rails_min: 4, capacity: 4, scale_up: Some(terms), ..Options::default() };
    let fabric = ibnetdiscover::parse("gb200", &text, &options).expect("it is right");
    let rack = fabric.level("rack").expect("it is there");
    let alphabetical = fabric.slots();
    let size = |slot: u32| {
        let of = rack.of[slot as usize];
        alphabetical.iter().filter(|other| rack.of[**other as usize] == of).count()
    };
    let mut biggest = alphabetical.clone();
    biggest.sort_by_cached_key(|&slot| (Reverse(size(slot)), rack.of[slot as usize]));
    let dense = Model { layers: 80, hidden: 8192, sequence: 8192, ..Model::default() };
    let over = Parallelism { tensor: 4, pipeline: 8, data: 8, ..Parallelism::default() };
    let experts = Model { layers: 64, hidden: 7168, sequence: 4096, experts: 256, ..dense };
    let experts = Model { feed_forward: 2048, experts_per_token: 8, ..experts };
    let spread = Parallelism { pipeline: 2, data: 48, expert: 16, ..Parallelism::default() };
    for (model, over, evaluations) in [(&dense, &over, 6_000_000), (&experts, &spread, 20_000_000)]
    {
        let model = Model { micro_batches: 16, ..model.clone() };
        let traffic = model.expand(over).expect("it is right").traffic;
        let effort = Effort { evaluations, lanes: 1, seed: 1 };
        let asked = Asked { tolerance: 0, by: By::BottleneckTime, effort };
        let found = allocate(&fabric, &alphabetical, &traffic, asked).expect("there is room");
        let cost = |places: &[u32]| {
            let estimator = Estimator::new(&fabric, &Routing::Shortest).expect("any fabric");
            let loads = estimator.loads(&traffic, places).expect("a placement");
            (loads.bottleneck.expect("all send").seconds, bytes_across(&traffic, places, rack))
        };
        let ours = cost(&found.mapping.element_of);
        for theirs in [&alphabetical, &biggest].map(|places| cost(places)) {
            assert!(ours.0 < theirs.0 && ours.1 < theirs.1, "{ours:?}, {theirs:?}");
        }
    }
}
