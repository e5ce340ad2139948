use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::schema::{TABLE, json_schema};
use super::*;
use crate::distance::Distances;
use crate::problem::Problem;

fn document(text: &str) -> Result<FabricDocument, toml::de::Error> {
    toml::from_str(text)
}

fn built(text: &str) -> Result<Fabric, Problem> {
    document(text).expect("the types fit").build()
}

const LINKS: &str = "links = [{ bandwidth = \"1 GB/s\", latency = \"1 us\" }]";

#[test]
fn a_generated_fabric_takes_defects_by_name() {
    let fabric = built(&format!(
        "name = \"w\"\n[generate]\nshape = \"mesh\"\nlengths = [4, 4]\nelement = \"die\"\n{LINKS}\n\
         [down]\nelements = [\"d1-[1-2]\"]\nlinks = [[\"d0-0\", \"d0-1\"]]\n\
         [[ports]]\nelements = \"*\"\ndegree = 2\nreach = 1\nbandwidth = \"1 GB/s\"\n"
    ))
    .expect("it is right");
    assert_eq!((fabric.slots().len(), fabric.usable_links()), (14, 24 - 7 - 1));
    let Partners::Listed(near) = &fabric.ports()[0].partners else { panic!("a reach is a list") };
    assert_eq!(near, &[1, 4]);
}

#[test]
fn a_listed_fabric_has_levels_and_capacities() {
    let fabric = built(
        "name = \"c\"\nlevels = [\"rack\"]\n\
         [[elements]]\nid = \"gpu[01-04]\"\ncapacity = 8\ndomains = { rack = \"r1\" }\n\
         [[elements]]\nid = \"s\"\nkind = \"switch\"\n\
         [[links]]\na = \"gpu01\"\nb = \"s\"\nbandwidth = \"400 Gbit/s\"\n",
    )
    .expect("it is right");
    assert_eq!((fabric.slots().len(), fabric.links().len()), (32, 1));
    assert_eq!(fabric.levels()[0].of, [Some(0), Some(0), Some(0), Some(0), None]);
}

#[test]
fn what_does_not_fit_is_refused_with_field_value_and_remedy() {
    let mesh = format!("name = \"w\"\n[generate]\nshape = \"mesh\"\nlengths = [4, 4]\n{LINKS}\n");
    for (text, field) in [
        ("name = \"\"".to_owned(), "name"),
        (mesh.replace("4, 4", "4, 0"), "generate.lengths"),
        (mesh.replace("4, 4", ""), "generate.lengths"),
        (format!("{mesh}capacity = 0"), "generate.capacity"),
        (format!("{mesh}[defects]\nseed = 1\nelement_chance = 2.0"), "defects.element_chance"),
        (format!("{mesh}[defects]\nseed = 1\ndensity_per_cm2 = 0.1"), "defects.density_per_cm2"),
        (format!("{mesh}[down]\nelements = [\"x\"]"), "down.elements[0]"),
        (format!("{mesh}[down]\nlinks = [[\"n0-0\", \"n1-1\"]]"), "down.links[0]"),
        (format!("{mesh}[[elements]]\nid = \"a[\""), "elements[0].id"),
        (format!("{mesh}[[elements]]\nid = \"n0-0\""), "elements.id"),
        (format!("{mesh}[[links]]\na = \"n0-0\"\nb = \"y\"\nbandwidth = \"1 B/s\""), "links[0].b"),
        (
            format!("{mesh}[[ports]]\nelements = \"q\"\ndegree = 1\nbandwidth = \"1 B/s\""),
            "ports[0].elements",
        ),
        (mesh.replace("1 GB/s", "0 GB/s"), "links.bandwidth"),
        (
            "name = \"x\"\n[[elements]]\nid = \"a\"\ndomains = { rack = \"r\" }".to_owned(),
            "elements[0].domains",
        ),
        ("name = \"x\"\n[defects]\nseed = 1".to_owned(), "defects"),
        (
            "name = \"x\"\n[generate]\nshape = \"tiled\"\ntiles = [1, 1]\ntile = [1, 1]\n\
             links = []"
                .to_owned(),
            "generate.links",
        ),
    ] {
        let problem = built(&text).expect_err(&text);
        assert_eq!(problem.field, field, "{problem}");
    }
    for text in ["name = \"x\"\ncolour = 1", "[generate]\nshape = \"cube\"", "name = 1"] {
        assert!(document(text).is_err());
    }
}

#[test]
fn hierarchies_nest() {
    let fabric = built(&format!(
        "name = \"h\"\n[generate]\nshape = \"hierarchy\"\nlevel = \"pod\"\n{LINKS}\n\
         outer = {{ shape = \"torus\", lengths = [3], {LINKS} }}\n\
         inner = {{ shape = \"hierarchy\", level = \"node\", join = \"each\",\n\
           outer = {{ shape = \"mesh\", lengths = [2], {LINKS} }},\n\
           inner = {{ shape = \"mesh\", lengths = [4], element = \"chip\", {LINKS} }} }}\n"
    ))
    .expect("it is right");
    assert_eq!(fabric.slots().len(), 24);
    let levels: Vec<&str> = fabric.levels().iter().map(|l| l.name.as_str()).collect();
    assert_eq!(levels, ["node", "pod"]);
    assert!(Distances::hops(&fabric, &fabric.slots()).expect("slots").diameter().is_some());
}

/// Every key that serde writes for a document with all of them, by record.
fn keys(value: &Value, name: &str, found: &mut BTreeSet<(String, String)>) {
    let record_of = |key: &str| match (name, key) {
        (_, "generate" | "outer" | "inner") => Some("generator"),
        ("fabric", "defects") => Some("defects"),
        ("fabric", "down") => Some("down"),
        ("fabric", "elements") => Some("element"),
        ("fabric", "links") => Some("link"),
        ("fabric", "ports") => Some("ports"),
        ("generator", "links") => Some("terms"),
        (_, "twists") => Some("twist"),
        _ => None,
    };
    match value {
        Value::Array(list) => list.iter().for_each(|value| keys(value, name, found)),
        Value::Object(object) => {
            let shape = object.get("shape").and_then(Value::as_str).unwrap_or_default();
            for (key, value) in object {
                if key != "shape" {
                    found.insert((format!("{name} {shape}").trim().to_owned(), key.clone()));
                }
                if let Some(record) = record_of(key) {
                    keys(value, record, found);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_schema_has_the_fields_of_the_types_and_no_others() {
    let text = include_str!("tests/all_fields.fabric.toml");
    let document = document(text).expect("every field has its type");
    let value = serde_json::to_value(&document).expect("plain data");
    let mut found = BTreeSet::new();
    keys(&value, "fabric", &mut found);
    for shape in include_str!("tests/all_shapes.toml").split("\n\n") {
        let generator: Generator = toml::from_str(shape).expect(shape);
        keys(&serde_json::to_value(generator).expect("plain data"), "generator", &mut found);
    }
    let mut expected = BTreeSet::new();
    for records in TABLE {
        for record in records.records {
            let name = format!("{} {}", records.name, record.shape.unwrap_or_default());
            for field in record.fields {
                expected.insert((name.trim().to_owned(), field.name.to_owned()));
            }
        }
    }
    assert_eq!(found, expected);
    let schema: Value = serde_json::from_str(&json_schema()).expect("the schema is JSON");
    assert_eq!(schema["$defs"]["link"]["required"], serde_json::json!(["a", "b", "bandwidth"]));
}

proptest! {
    #[test]
    fn a_listing_builds_the_same_fabric(
        lengths in proptest::collection::vec(1_u32..4, 1..4),
        seed in any::<u64>(),
    ) {
        let lengths = format!("{lengths:?}");
        let fabric = built(&format!(
            "name = \"w\"\n[generate]\nshape = \"hierarchy\"\nlevel = \"pod\"\n{LINKS}\n\
             outer = {{ shape = \"torus\", lengths = {lengths}, {LINKS} }}\n\
             inner = {{ shape = \"mesh\", lengths = [2, 2], capacity = 3, {LINKS} }}\n\
             [defects]\nseed = {seed}\nelement_chance = 0.2\nlink_chance = 0.2\n\
             [[ports]]\nelements = \"*\"\ndegree = 2\nreach = 2\nbandwidth = \"1 GB/s\"\n"
        ))
        .expect("it is right");
        let listing = FabricDocument::listing(&fabric);
        let text = toml::to_string(&listing).expect("plain data");
        let mut again = document(&text).expect("it was written so").build().expect("it is right");
        prop_assert_eq!(again.clone().into_parts().links, fabric.clone().into_parts().links);
        let mut parts = again.into_parts();
        parts.shape = fabric.shape().clone();
        again = Fabric::new(parts).expect("the shape is irregular");
        prop_assert_eq!(again, fabric);
    }
}
