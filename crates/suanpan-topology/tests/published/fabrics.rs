//! Fabrics that others described.

use std::collections::BTreeSet;

use suanpan_topology::distance::Distances;
use suanpan_topology::fabric::Kind;
use suanpan_topology::generate::LinkTerms;
use suanpan_topology::import::gml;
use suanpan_topology::import::ibnetdiscover::{self, Options};
use suanpan_topology::import::sites::SiteTerms;
use suanpan_topology::import::topograph::Model;
use suanpan_topology::import::wafer::WaferDefects;
use suanpan_topology::units::BitsPerSecond;

use super::shared;

fn terms() -> LinkTerms {
    LinkTerms::default()
}

fn site_terms() -> SiteTerms {
    SiteTerms { terms: terms(), route_percent: 150, capacity: 1 }
}

#[test]
fn topographs_models_are_read() {
    for (file, nodes, domains) in [
        ("small-tree", 6, 2),
        ("nvl72", 72, 4),
        ("medium", 8, 4),
        ("large", 96, 12),
        ("dual-xclr-regular", 0, 0),
        ("dual-xclr-irregular", 0, 0),
    ] {
        let Some(text) = shared(&format!("fabric/fabrics/topograph/{file}.yaml")) else { return };
        let model: Model = serde_yaml_ng::from_str(&text).expect("it is YAML");
        let fabric = model.build(file, &[terms()]).expect(file);
        let found = fabric.level("nvlink").map_or(0, |level| level.domains.len());
        assert!(Distances::hops(&fabric, &fabric.slots()).expect(file).diameter().is_some());
        if nodes > 0 {
            assert_eq!((fabric.slots().len(), found), (nodes, domains), "{file}");
        }
    }
}

#[test]
fn the_infiniband_dump_has_the_hosts_and_switches_that_are_there() {
    let Some(text) = shared("fabric/fabrics/topograph/ibnetdiscover-gb200.out") else { return };
    let all_rails = Options { rails_min: 4, ..Options::default() };
    let fabric = ibnetdiscover::parse("gb200", &text, &all_rails).expect("it is right");
    assert_eq!(fabric.slots().len(), 109);
    let switches: Vec<&str> = fabric
        .elements()
        .iter()
        .filter(|element| element.kind == Kind::Switch)
        .map(|element| &*element.id)
        .collect();
    assert_eq!(switches.iter().filter(|id| id.contains("IBLEAF")).count(), 31);
    assert_eq!(switches.iter().filter(|id| id.contains("IBSPINE")).count(), 9);
    assert_eq!(switches.len(), 40);
    let mut uplinks = vec![0; fabric.elements().len()];
    for link in fabric.links().iter().filter(|link| &*link.group == "uplink") {
        uplinks[link.a as usize] += 1;
        uplinks[link.b as usize] += 1;
        assert_eq!(link.bandwidth, BitsPerSecond(400_000_000_000));
    }
    let leaves = fabric.elements().iter().zip(&uplinks).filter(|(e, _)| e.id.contains("LEAF"));
    let counts: Vec<i32> = leaves.map(|(_, count)| *count).collect();
    assert_eq!((counts.iter().min(), counts.iter().max()), (Some(&14), Some(&18)));
    let rack = fabric.level("rack").expect("it is there");
    let used: BTreeSet<u32> =
        fabric.slots().iter().filter_map(|&slot| rack.of[slot as usize]).collect();
    // The eighth rack lacks one leaf, so that none of its hosts has all rails.
    assert_eq!(used.len(), 7);
    let hops = Distances::hops(&fabric, &fabric.slots()).expect("slots exist");
    assert_eq!(hops.diameter(), Some(4));
    let any = ibnetdiscover::parse("gb200", &text, &Options::default()).expect("it is right");
    assert_eq!(any.slots().len(), 122);
}

#[test]
fn the_topology_zoo_is_read() {
    for (file, nodes, edges) in
        [("Chinanet", 42, 66), ("Cernet", 41, 59), ("Abilene", 11, 14), ("Kdl", 754, 899)]
    {
        let Some(text) = shared(&format!("topology/topozoo/{file}.gml")) else { return };
        let fabric = gml::parse(file, &text, &site_terms()).expect(file);
        assert_eq!((fabric.elements().len(), fabric.links().len()), (nodes, edges), "{file}");
    }
}

#[test]
fn the_wafer_of_the_shared_data_keeps_what_survives() {
    let Some(text) = shared("fabric/fabrics/wafer16x16-defects.json") else { return };
    let defects: WaferDefects = serde_json::from_str(&text).expect("it is JSON");
    let fabric = defects.build("wafer", terms()).expect("it is right");
    assert_eq!((fabric.slots().len(), fabric.usable_links()), (243, 420));
    let hops = Distances::hops(&fabric, &fabric.slots()).expect("slots exist");
    assert_eq!(hops.diameter(), Some(30));
    let wrong = WaferDefects { dead_links: vec![[0, 2]], ..defects.clone() };
    assert_eq!(wrong.build("w", terms()).expect_err("no link").field, "dead_links");
    let wrong = WaferDefects { dead_dies: vec![256], ..defects };
    assert_eq!(wrong.build("w", terms()).expect_err("no die").field, "dead_dies");
}
