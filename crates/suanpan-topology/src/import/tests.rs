use proptest::prelude::*;

use super::ibnetdiscover::Options;
use super::kubernetes::{Capacity, NodeList};
use super::sites::{SiteTerms, great_circle_km};
use super::slurm::{TopologyYaml, topology_conf};
use super::topograph::Graph;
use super::*;
use crate::distance::Distances;
use crate::fabric::{Fabric, Kind, Position, State};
use crate::generate::LinkTerms;
use crate::units::{BitsPerSecond, Picoseconds};

fn terms() -> LinkTerms {
    LinkTerms::default()
}

fn site_terms() -> SiteTerms {
    SiteTerms { terms: terms(), route_percent: 150, capacity: 1 }
}

fn between(fabric: &Fabric, a: &str, b: &str) -> u32 {
    let place = |id: &str| fabric.position(id).expect(id);
    let distances = Distances::hops(fabric, &[place(a), place(b)]).expect("they exist");
    distances.between(0, 1)
}

#[test]
fn a_tree_of_topology_conf_is_a_tree() {
    let text = "# a comment\nSwitchName=s0 Nodes=tux[0-3]\nswitchname=s1 nodes=tux[4-7] \\\n \
        LinkSpeed=100\nSwitchName=s2 Switches=s[0-1]\n";
    let fabric = topology_conf("c", text, &[terms()]).expect("it is right");
    assert_eq!((fabric.slots().len(), fabric.elements().len(), fabric.links().len()), (8, 11, 10));
    assert_eq!((between(&fabric, "tux0", "tux3"), between(&fabric, "tux0", "tux4")), (2, 4));
    assert_eq!(fabric.level("leaf").expect("it is there").domains, ["s0", "s1"]);
}

#[test]
fn blocks_of_topology_conf_take_the_names_of_topograph() {
    let text = "# block001=nvl-1-1\nBlockName=block001 Nodes=node[01-18]\n\
        # block002=nvl-1-2\nBlockName=block002 Nodes=node[19-36]\n\
        BlockName=block003 Nodes=node[37-54]\nBlockSizes=18,36\n";
    let fabric = topology_conf("c", text, &[terms()]).expect("it is right");
    let block = fabric.level("block").expect("it is there");
    assert_eq!(block.domains, ["nvl-1-1", "nvl-1-2", "block003"]);
    assert_eq!(fabric.level("block2").expect("it is there").domains.len(), 2);
    assert_eq!(
        [("node01", "node18"), ("node01", "node19"), ("node01", "node54")]
            .map(|(a, b)| between(&fabric, a, b)),
        [2, 4, 6]
    );
}

#[test]
fn topology_yaml_is_the_same() {
    let text = "- topology: t\n  cluster_default: true\n  tree:\n    switches:\n      \
        - switch: top\n        children: s[0-1]\n      - switch: s0\n        nodes: n[0-3]\n      \
        - switch: s1\n        nodes: n[4-7]\n\
        - topology: b\n  block:\n    block_sizes: [4, 8]\n    blocks:\n      \
        - block: b0\n        nodes: n[0-3]\n      - block: b1\n        nodes: n[4-7]\n\
        - topology: f\n  flat: true\n";
    let all: Vec<TopologyYaml> = serde_yaml_ng::from_str(text).expect("it is YAML");
    for topology in &all[..2] {
        let fabric = topology.build(&[terms()]).expect("it is right");
        assert_eq!((fabric.slots().len(), between(&fabric, "n0", "n3")), (8, 2));
    }
    assert!(all[2].build(&[terms()]).is_err());
}

#[test]
fn a_bad_topology_conf_is_told_by_line() {
    for (text, line, field) in [
        ("", 0, "topology.conf"),
        ("SwitchName=s0 Nodes=a\nSwitchName=s0 Nodes=b\n", 2, "SwitchName"),
        ("SwitchName=s0 Switches=s9\n", 1, "Switches"),
        ("SwitchName=a Switches=b\nSwitchName=b Switches=a\n", 1, "Switches"),
        ("SwitchName=s0 Nodes=a[\n", 1, "Nodes"),
        ("SwitchName=s0 Nodes\n", 1, "word"),
        ("SwitchName=s0 Nodez=a\n", 1, "key"),
        ("Nodes=a\n", 1, "key"),
        ("BlockName=b Nodes=a\nBlockSizes=0\n", 2, "BlockSizes"),
        ("BlockName=b Nodes=a\nBlockName=c Nodes=a\n", 2, "Nodes"),
        ("SwitchName=s Nodes=a\nBlockName=c Nodes=a\n", 2, "BlockName"),
    ] {
        let problem = topology_conf("c", text, &[terms()]).expect_err(text);
        assert_eq!((problem.line, problem.field.as_str()), (line, field), "{problem}");
    }
}

#[test]
fn topographs_own_forms_are_read() {
    let text = "{\"instances\": [\
        {\"id\": \"I21\", \"type\": \"H100\", \"network_layers\": [\"leaf-a\", \"spine\"],\
         \"attributes\": {\"nvlink\": \"nvl-1\", \"other\": 7}},\
        {\"id\": \"I22\", \"network_layers\": [\"leaf-a\", \"spine\"]},\
        {\"id\": \"I23\", \"network_layers\": [\"leaf-b\", \"spine\"],\
         \"attributes\": {\"nvlink\": \"nvl-1\"}}]}";
    let graph: Graph = serde_json::from_str(text).expect("it is JSON");
    let fabric = graph.build("c", &[terms()]).expect("it is right");
    assert_eq!(
        [("I21", "I22"), ("I21", "I23"), ("I22", "I23")].map(|(a, b)| between(&fabric, a, b)),
        [2, 2, 4]
    );
    let names: Vec<&str> = fabric.levels().iter().map(|level| level.name.as_str()).collect();
    assert_eq!(names, ["nvlink", "leaf", "layer2"]);
}

#[test]
fn labels_of_kubernetes_nodes_are_a_tree() {
    let node = |name: &str, rack: &str, clique: &str, drained: bool| {
        serde_json::json!({
            "metadata": {"name": name, "labels": {
                "network.topology.nvidia.com/leaf": rack,
                "network.topology.nvidia.com/spine": "s1",
                "nvidia.com/gpu.clique": clique,
                "beta.kubernetes.io/os": "linux",
            }},
            "spec": {"unschedulable": drained, "podCIDR": "10.0.0.0/24"},
            "status": {"allocatable": {"nvidia.com/gpu": "8", "cpu": "7910m"}},
        })
    };
    let items = [
        node("a", "l1", "x.1", false),
        node("b", "l1", "x.1", true),
        node("c", "l2", "x.1", false),
    ];
    let list: NodeList = serde_json::from_value(serde_json::json!({"items": items})).expect("JSON");
    let gpus = Capacity::Resource("nvidia.com/gpu");
    let fabric = list.build("k", &[], gpus, &[terms()]).expect("it is right");
    assert_eq!((fabric.slots().len(), fabric.elements()[1].state), (16, State::Down));
    let names: Vec<&str> = fabric.levels().iter().map(|level| level.name.as_str()).collect();
    assert_eq!((names, between(&fabric, "a", "c")), (vec!["clique", "leaf", "spine"], 2));
    let cpus = list.build("k", &[], Capacity::Resource("cpu"), &[terms()]);
    assert_eq!(cpus.expect_err("not whole").field, "a.status.allocatable.cpu");
}

#[test]
fn a_bad_dump_is_told_by_line() {
    for (text, line, field) in [
        ("[1] \"H-1\"[1] # \"a mlx5_0\" lid 1 4xNDR\n", 1, "port"),
        ("Switch 65 # \"x\"\n", 1, "device"),
        ("Switch 65 \"S-1\" # \"x\"\n[1] \"H-1\"[x] # \"a\" 4xNDR\n", 2, "port"),
        ("Switch 65 \"S-1\" # \"x\"\n[1] \"H-1\"[1] # \"a\" 4xZDR\n", 2, "speed"),
        ("what is this\n", 1, "line"),
    ] {
        let problem = ibnetdiscover::parse("x", text, &Options::default()).expect_err(text);
        assert_eq!((problem.line, problem.field.as_str()), (line, field), "{problem}");
    }
}

#[test]
fn a_map_of_sites_reads_from_gml_and_graphml() {
    let gml = "Creator \"x\"\ngraph [\n node [\n id 0\n label \"Beijing\"\n Longitude 116.40\n \
        Latitude 39.91\n ]\n node [ id 1 label \"Shanghai\" Longitude 121.46 Latitude 31.22 ]\n \
        node [ id 2 label \"Shanghai\" Internal 0 hyper [ a 1 ] ]\n \
        edge [ source 0 target 1 LinkSpeedRaw 1e10 ]\n edge [ source 1 target 2 ] ]\n";
    let xml = "<?xml version=\"1.0\"?><!DOCTYPE x>\n<graphml>\n\
        <key attr.name=\"Longitude\" attr.type=\"double\" for=\"node\" id=\"d1\" />\n\
        <key attr.name=\"Latitude\" id=\"d2\"/><key attr.name=\"label\" id=\"d3\"/>\n\
        <key attr.name=\"Internal\" id=\"d4\"/><key attr.name=\"LinkSpeedRaw\" id=\"d5\"/>\n\
        <graph edgedefault=\"undirected\"><!-- <node> -->\n\
        <node id=\"0\"><data key=\"d1\">116.40</data><data key=\"d2\">39.91</data>\n\
        <data key=\"d3\">Beijing</data></node>\n\
        <node id=\"1\"><data key=\"d1\">121.46</data><data key=\"d2\">31.22</data>\n\
        <data key=\"d3\">Shanghai</data></node>\n\
        <node id=\"2\"><data key=\"d3\">Shanghai</data><data key=\"d4\">0</data></node>\n\
        <edge source='0' target='1'><data key=\"d5\">1e10</data></edge>\n\
        <edge source=\"1\" target=\"2\"/></graph></graphml>";
    let from_gml = gml::parse("cn", gml, &site_terms()).expect("it is right");
    let from_xml = graphml::parse("cn", xml, &site_terms()).expect("it is right");
    assert_eq!(from_gml, from_xml);
    let ids: Vec<&str> = from_gml.elements().iter().map(|element| &*element.id).collect();
    assert_eq!(ids, ["Beijing", "Shanghai", "Shanghai-2"]);
    let link = &from_gml.links()[0];
    assert_eq!(link.bandwidth, BitsPerSecond(10_000_000_000));
    // 1,067 km on the great circle, half as much again by cable, 5 us for each.
    assert!(link.latency > Picoseconds(7_900_000_000) && link.latency < Picoseconds(8_100_000_000));
    assert_eq!(from_gml.slots(), [0, 1]);
}

#[test]
fn the_great_circle_is_as_long_as_it_is() {
    let (pole, equator) = (Position { x: 0.0, y: 90.0 }, Position { x: 77.0, y: 0.0 });
    assert!((great_circle_km(pole, equator) - 10_007.557).abs() < 0.1);
}

#[test]
fn a_matrix_of_bandwidths_is_a_fabric() {
    let meaning = Meaning::Bandwidth(BitsPerSecond(1_000_000_000));
    let text = "site,a,b,c\na,0,10,-\nb,8,0,2.5\nc,,2.5,0\n";
    let fabric = parse_csv("m", text, Kind::Site, meaning, terms()).expect("it is right");
    assert_eq!(&*fabric.elements()[1].id, "b");
    let rates: Vec<u64> = fabric.links().iter().map(|link| link.bandwidth.0).collect();
    assert_eq!(rates, [8_000_000_000, 2_500_000_000]);
    let plain = parse_csv("m", "0 1\n", Kind::Site, meaning, terms());
    assert_eq!(plain.expect_err("no numbers").field, "matrix");
    let ragged = parse_csv("m", "0,1\n1\n", Kind::Site, meaning, terms());
    assert_eq!(ragged.expect_err("no square").line, 2);
    let graph = metis::fabric("g", "2 1 11\n3 2 5\n4 1 5\n", Kind::Node, terms());
    assert_eq!(graph.expect("it is right").slots().len(), 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_makes_an_importer_panic(
        words in proptest::collection::vec(prop_oneof![
            Just("SwitchName="), Just("Nodes=a[1-3]"), Just("Switches="), Just("BlockName=b"),
            Just("Switch 65 "), Just("\"S-1\""), Just("Ca 1 "), Just("[1]"), Just("4xNDR"),
            Just("graph"), Just("["), Just("]"), Just("node"), Just("edge"), Just("id 1"),
            Just("<node id=\"1\">"), Just("<edge "), Just("<data key=\"x\">"), Just("</"),
            Just("\n"), Just(" "), Just("#"), Just("\""), Just("1,2"), Just("é"), Just("="),
            Just(">"), Just("\\"),
        ], 0..40),
    ) {
        let text: String = words.concat();
        let _ = topology_conf("x", &text, &[terms()]);
        let _ = ibnetdiscover::parse("x", &text, &Options::default());
        let _ = gml::parse("x", &text, &site_terms());
        let _ = graphml::parse("x", &text, &site_terms());
        let meaning = Meaning::Latency(Picoseconds(1));
        let _ = parse_csv("x", &text, Kind::Site, meaning, terms());
        let _ = metis::fabric("x", &text, Kind::Node, terms());
    }
}
