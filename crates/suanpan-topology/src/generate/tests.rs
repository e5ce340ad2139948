use proptest::prelude::*;

use super::*;
use crate::distance::Distances;
use crate::fabric::{Fabric, Kind};
use crate::problem::Problem;
use crate::units::Micrometers;

fn terms() -> LinkTerms {
    LinkTerms::default()
}

fn right(fabric: Result<Fabric, Problem>) -> Fabric {
    fabric.expect("it is right")
}

fn diameter(fabric: &Fabric) -> Option<u32> {
    Distances::hops(fabric, &fabric.slots()).expect("slots exist").diameter()
}

#[test]
fn grids_have_the_links_of_their_formulas() {
    let links = |f: Fabric| f.links().len();
    assert_eq!(links(right(mesh("m", &[3, 4], Kind::Die, terms()))), 3 * 3 + 2 * 4);
    assert_eq!(links(right(torus("t", &[3, 4], Kind::Die, terms()))), 24);
    assert_eq!(links(right(torus("t", &[2, 4], Kind::Die, terms()))), 4 + 8);
    assert_eq!(links(right(twisted_torus("t", &[4, 4, 8], Kind::Chip, &[terms()]))), 3 * 128);
    assert!(twisted_torus("t", &[4, 4, 4], Kind::Chip, &[terms()]).is_err());
    assert!(mesh("m", &[0, 4], Kind::Die, terms()).is_err());
    assert!(mesh("m", &[1 << 16, 1 << 16], Kind::Die, terms()).is_err());
}

#[test]
fn a_fat_tree_of_four_ports_is_the_one_in_the_paper() {
    let fabric = right(fat_tree("f", &[2, 2, 4], &[1, 2, 2], Kind::Node, &[terms()]));
    let count = |name: &str| fabric.elements().iter().filter(|e| e.id.starts_with(name)).count();
    assert_eq!(["n", "s1", "s2", "s3"].map(count), [16, 8, 8, 4]);
    assert_eq!((fabric.links().len(), diameter(&fabric)), (48, Some(6)));
    for (e, element) in fabric.elements().iter().enumerate() {
        let ports = if element.capacity > 0 { 1 } else { 4 };
        assert_eq!(fabric.neighbors(e as u32).len(), ports, "{}", element.id);
    }
    assert_eq!(fabric.level("layer2").expect("it is there").domains.len(), 4);
    assert!(tree("t", &[2, 0], Kind::Node, &[terms()]).is_err());
    assert!(fat_tree("t", &[2], &[1, 1], Kind::Node, &[terms()]).is_err());
}

#[test]
fn a_balanced_dragonfly_reaches_all_in_five_hops() {
    let shape = Dragonfly { groups: 9, routers: 4, terminals: 2, global: 2 };
    let fabric = right(dragonfly("d", shape, Kind::Node, &DragonflyTerms::default()));
    assert_eq!(fabric.slots().len(), 72);
    assert_eq!(fabric.links().len(), 72 + 9 * 6 + 9 * 8 / 2);
    assert_eq!(diameter(&fabric), Some(5));
    for router in 72..108 {
        assert_eq!(fabric.neighbors(router).len(), 2 + 3 + 2);
    }
    let shape = Dragonfly { groups: 10, ..shape };
    assert!(dragonfly("d", shape, Kind::Node, &DragonflyTerms::default()).is_err());
}

#[test]
fn blocks_are_two_hops_inside_and_four_between() {
    let shape = Blocks { blocks: 8, nodes: 18, chips: 4, spines: 9 };
    let fabric = right(blocks("nvl72", shape, &BlockTerms::default()));
    let slots = fabric.slots();
    assert_eq!((slots.len(), fabric.links().len()), (576, 576 * 2 + 32 * 9));
    let distances = Distances::hops(&fabric, &slots).expect("slots exist");
    assert_eq!([1, 71, 72].map(|b| distances.between(0, b)), [2, 2, 4]);
    assert_eq!(fabric.level("block").expect("it is there").domains.len(), 8);
}

#[test]
fn a_wafer_holds_the_dies_that_fit_the_disc() {
    let mm = |mm: u64| Micrometers(mm * 1000);
    let disc = Wafer { diameter: mm(300), edge: mm(0), die_width: mm(100), die_height: mm(100) };
    // A square of 2 x 2 dies has a diagonal of 283 mm; a row of three would need 316 mm.
    assert_eq!(right(wafer("w", disc, &[terms()])).slots().len(), 4);
    let disc = Wafer { die_width: mm(26), die_height: mm(33), edge: mm(3), ..disc };
    let fabric = right(wafer("w", disc, &[terms()]));
    let area = std::f64::consts::PI * 147.0 * 147.0 / (26.0 * 33.0);
    let dies = fabric.slots().len();
    assert!((dies as f64) < area && dies >= 60, "{dies} dies, {area} fit by area");
    assert!(diameter(&fabric).is_some());
    assert!(wafer("w", Wafer { die_width: mm(400), ..disc }, &[terms()]).is_err());
    assert!(wafer("w", Wafer { die_width: mm(0), ..disc }, &[terms()]).is_err());
}

#[test]
fn yields_are_those_of_the_models() {
    // One defect expected: e⁻¹ and 1/2 of the dies are whole.
    assert!((defect_chance(100.0, 1.0, None) - 0.632_120_558_8).abs() < 1e-9);
    assert!((defect_chance(100.0, 1.0, Some(1.0)) - 0.5).abs() < 1e-12);
    assert!(defect_chance(0.0, 1.0, None).abs() < 1e-12);
}

#[test]
fn composing_replaces_each_element() {
    let ring = right(torus("ring", &[4], Kind::Chip, terms()));
    let spine = right(tree("net", &[2, 2], Kind::Node, &[terms()]));
    let hub = right(compose("c", &spine, &ring, "server", Join::Hub(terms())));
    assert_eq!((hub.slots().len(), hub.elements().len()), (16, 4 * 5 + 3));
    assert_eq!(hub.links().len(), 4 * (4 + 4) + 6);
    assert_eq!(&*hub.elements()[0].id, "n0.c0");
    assert_eq!(hub.level("server").expect("it is there").domains.len(), 4);
    assert_eq!(hub.level("layer1").expect("it is there").domains.len(), 2);
    let pods = right(compose("p", &spine, &spine, "pod", Join::First));
    let names: Vec<&str> = pods.levels().iter().map(|level| level.name.as_str()).collect();
    assert_eq!(names, ["layer1", "pod", "outer-layer1"]);
    let each = right(compose("c", &spine, &ring, "server", Join::Each));
    assert_eq!(each.links().len(), 4 * 4 + 4 * 4 + 2);
    let first = right(compose("c", &spine.with_down(&[1], &[]), &ring, "server", Join::First));
    assert_eq!((first.links().len(), first.slots().len()), (4 * 4 + 6, 12));
    let empty = right(mesh("e", &[1], Kind::Switch, terms()));
    assert!(compose("c", &spine, &empty, "x", Join::First).is_err());
}

#[test]
fn tiles_have_other_links_between_them() {
    let across = LinkTerms { latency: crate::units::Picoseconds(7), ..terms() };
    let fabric = right(tiled("d", [2, 3], [5, 5], terms(), across));
    let between = fabric.links().iter().filter(|l| l.latency.0 == 7).count();
    assert_eq!((fabric.slots().len(), between), (150, 15 + 2 * 2 * 5));
    assert_eq!(diameter(&fabric), Some(9 + 14));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn defects_hit_their_share_and_only_add(seed in any::<u64>()) {
        let fabric = right(mesh("m", &[60, 60], Kind::Die, terms()));
        let few = Defects { element_chance: 0.05, link_chance: 0.03, seed };
        let broken = few.apply(&fabric).expect("chances are right");
        let dead = 3600 - broken.slots().len();
        prop_assert!((100..=260).contains(&dead), "{} dead of 3600", dead);
        let more = Defects { element_chance: 0.2, ..few }.apply(&fabric).expect("right");
        for e in 0..3600 {
            prop_assert!(broken.is_up(e) || !more.is_up(e));
        }
        let wrong = Defects { link_chance: 1.5, ..few };
        prop_assert!(wrong.apply(&fabric).is_err());
    }

    #[test]
    fn no_numbers_make_a_generator_panic(
        a in proptest::collection::vec(prop_oneof![0_u32..5, any::<u32>()], 0..5),
        b in proptest::collection::vec(prop_oneof![0_u32..5, any::<u32>()], 0..5),
    ) {
        let get = |list: &[u32], i: usize| list.get(i).copied().unwrap_or(1);
        let few = a.iter().chain(&b).all(|&n| !(5..=1 << 21).contains(&n));
        prop_assume!(few);
        let _ = torus("t", &a, Kind::Chip, terms());
        let _ = twisted_torus("t", &a, Kind::Chip, &[terms()]);
        let _ = fat_tree("t", &a, &b, Kind::Node, &[terms()]);
        let _ = tiled("t", [get(&a, 0), get(&a, 1)], [get(&b, 0), get(&b, 1)], terms(), terms());
        let shape = Dragonfly {
            groups: get(&a, 0), routers: get(&a, 1), terminals: get(&b, 0), global: get(&b, 1),
        };
        let _ = dragonfly("d", shape, Kind::Node, &DragonflyTerms::default());
        let shape = Blocks {
            blocks: get(&a, 0), nodes: get(&a, 1), chips: get(&b, 0), spines: get(&b, 1),
        };
        let _ = blocks("b", shape, &BlockTerms::default());
    }
}
